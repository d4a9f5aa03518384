import type { KubeObject } from '../store/objects.ts'
import type { Answer, Call } from './call.ts'
import { presented, presentedList } from './presentation.ts'
import { integer, param, selection } from './query.ts'
import { referenceOf } from './target.ts'

/** One object; throws 404. */
export function get(call: Call): Answer {
  return { status: 200, body: presented(call, existing(call)) }
}

/** The object that the path names, as it is stored; throws 404. */
function existing({ parts: { api }, target }: Call): KubeObject {
  const reference = referenceOf(target)
  return api.get(reference) ?? api.notFound(reference)
}

/** The Scale of an object. */
export function getScale({ parts: { api }, target }: Call): Answer {
  const reference = referenceOf(target)
  return { status: 200, body: api.scale(reference) ?? api.notFound(reference) }
}

/** One page of a list, or all of it. */
export function listed(call: Call): Answer {
  const { parts, target, query } = call
  const { id } = target.resource
  const version = param(query, 'resourceVersion')
  const limit = integer(query, 'limit')
  const token = param(query, 'continue')
  const isExact = version !== undefined && (isAhead(call, version) || wantsExactly(call))
  const page = parts.api.listPage(id, {
    ...selection(query),
    ...(target.namespace !== undefined && { namespace: target.namespace }),
    ...(limit !== undefined && { limit }),
    ...(token !== undefined && { continue: token }),
    ...(isExact && { exactly: version })
  })
  const { items, ...meta } = page
  return { status: 200, body: presentedList(call, items, meta) }
}

function wantsExactly({ query }: Call): boolean {
  return param(query, 'resourceVersionMatch') === 'Exact'
}

/** Asking for a version that is still to come is refused, with the words that make clients list anew. */
function isAhead({ parts }: Call, version: string): boolean {
  return Number(version) > Number(parts.api.resourceVersion)
}
