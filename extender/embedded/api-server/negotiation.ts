import { StatusError } from '../store/objects.ts'

/** In what shape an answer is wanted. */
export type Shape = 'Object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList'

type Wish = { readonly type: string; readonly as: string; readonly group: string; readonly version: string }

const types = new Set(['application/json', 'application/*', '*/*', 'application/yaml'])
const versions: Readonly<Record<string, readonly string[]>> = {
  Table: ['v1'],
  PartialObjectMetadata: ['v1'],
  PartialObjectMetadataList: ['v1'],
  APIGroupDiscoveryList: ['v2']
}

/** The first shape of an Accept header that we speak; throws 406 where there is none, as for protobuf alone. */
export function shapeOf(accept: string | undefined): Shape {
  if (accept === undefined || accept === '' || accept === 'application/json') return 'Object'
  for (const wish of accept.split(',').map(wishOf)) {
    if (!types.has(wish.type)) continue
    if (wish.as === '') return 'Object'
    if (versions[wish.as]?.includes(wish.version)) return wish.as as Shape
  }
  throw new StatusError(
    406,
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io'
  )
}

function wishOf(text: string): Wish {
  const [type = '', ...parameters] = text.split(';').map(part => part.trim())
  const pairs = new Map(parameters.map(each => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]))
  return { type, as: pairs.get('as') ?? '', group: pairs.get('g') ?? '', version: pairs.get('v') ?? '' }
}
