import type { KubeObject } from '../../store/objects.ts'
import { badRequest, type Problem } from '../errors.ts'
import { equal, type Fields, fields } from '../fields.ts'
import { immutable } from '../metadata-rules.ts'
import { dataKeyProblems } from '../names.ts'
import type { Strategy } from '../strategy.ts'

/** `stringData` is written, never read. */
export const secretStrategy: Partial<Strategy> = {
  defaults: object => {
    checkBase64(object, 'data')
    const { stringData, ...rest } = object
    const written = Object.entries(fields(stringData))
    const encoded = written.map(([key, value]): [string, string] => [
      key,
      Buffer.from(String(value)).toString('base64')
    ])
    const data: Fields = { ...fields(rest['data']), ...Object.fromEntries(encoded) }
    return { type: 'Opaque', ...rest, ...(Object.keys(data).length === 0 ? {} : { data }) }
  },
  validate: (object, current) => {
    const data = fields(object['data'])
    return [
      ...keyProblems(data, 'data'),
      ...(sizeOf(data) * 0.75 > largest ? [{ field: 'data', type: 'tooLong', detail: tooLong } as const] : []),
      ...contentProblems(object['type'], data),
      ...frozenProblems(object, current, ['data']),
      ...(current === undefined ? [] : immutable(current['type'], object['type'], 'type'))
    ]
  }
}

export const configMapStrategy: Partial<Strategy> = {
  defaults: object => {
    checkBase64(object, 'binaryData')
    return object
  },
  validate: (object, current) => {
    const [data, binary] = [fields(object['data']), fields(object['binaryData'])]
    const detail = 'duplicate of key present in binaryData'
    const twice = Object.keys(data).filter(key => key in binary)
    return [
      ...keyProblems(data, 'data'),
      ...twice.map((key): Problem => ({ field: `data[${key}]`, type: 'invalid', value: key, detail })),
      ...keyProblems(binary, 'binaryData'),
      ...(sizeOf(data) + sizeOf(binary) * 0.75 > largest
        ? [{ field: '[]', type: 'tooLong', detail: tooLong } as const]
        : []),
      ...frozenProblems(object, current, ['data', 'binaryData'])
    ]
  }
}

const largest = 1024 * 1024
const tooLong = `may not be more than ${largest} bytes`

const sizeOf = (data: Fields): number =>
  Object.values(data).reduce<number>((sum, value) => sum + Buffer.byteLength(String(value)), 0)

const keyProblems = (data: Fields, field: string): readonly Problem[] =>
  Object.keys(data).flatMap(key => dataKeyProblems(`${field}[${key}]`, key))

/** Throws where bytes are not spelled as bytes are. */
function checkBase64(object: KubeObject, name: string): void {
  for (const text of Object.values(fields(object[name]))) {
    if (typeof text !== 'string') continue
    const [right = ''] = /^[A-Za-z0-9+/\n\r]*={0,2}/.exec(text) ?? []
    const rest = text.replaceAll(/[\n\r]/g, '').length % 4
    if (right.length === text.length && rest === 0) continue
    const place = right.length < text.length ? right.length : text.length - rest
    const start = `${object.kind} in version "v1" cannot be handled as a ${object.kind}`
    throw badRequest(`${start}: illegal base64 data at input byte ${place}`)
  }
}

/** What a secret of a type must have. */
const contents: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/basic-auth': ['username', 'password']
}

function contentProblems(type: unknown, data: Fields): readonly Problem[] {
  const needed = contents[String(type)] ?? []
  const missing = needed.filter(key => data[key] === undefined)
  // One of the two is enough.
  if (type === 'kubernetes.io/basic-auth' && missing.length < needed.length) return []
  return missing.map(key => ({ field: `data[${key}]`, type: 'required' }))
}

/** What says that it is immutable stays so. */
function frozenProblems(
  object: KubeObject,
  current: KubeObject | undefined,
  parts: readonly string[]
): readonly Problem[] {
  if (current?.['immutable'] !== true) return []
  const detail = 'field is immutable when `immutable` is set'
  return ['immutable', ...parts]
    .filter(part => !equal(object[part], current[part]))
    .map(part => ({ field: part, type: 'forbidden', detail }))
}
