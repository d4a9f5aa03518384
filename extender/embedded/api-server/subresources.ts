import { StatusError } from '../store/objects.ts'
import { parsed, placed, typed } from './bodies.ts'
import type { Answer, Call } from './call.ts'
import { at, record, text } from './fields.ts'
import { logsOf } from './logs.ts'
import { deletion, isDryRun } from './query.ts'
import { get, getScale } from './reads.ts'
import { success } from './statuses.ts'
import { notAllowed, referenceOf, subresourcesOf, type Target, unknown } from './target.ts'
import { patch, update } from './writes.ts'

type Handlers = Readonly<Record<string, (call: Call) => Answer>>

const handlers: Readonly<Record<string, Handlers>> = {
  status: { GET: get, PUT: update, PATCH: patch },
  scale: { GET: getScale, PUT: update, PATCH: patch },
  binding: { POST: bind },
  eviction: { POST: evict },
  log: { GET: logsOf },
  finalize: { PUT: update }
}

/** What a real cluster serves and this one does not. */
const missing: ReadonlySet<string> = new Set([
  ...['exec', 'attach', 'portforward', 'proxy', 'resize', 'ephemeralcontainers', 'token', 'approval']
])

/** Answers a request for a part of an object. */
export function subresource(call: Call, method: string): Answer {
  const { resource, version, subresource: name = '' } = call.target
  const known = subresourcesOf(resource, version).includes(name) ? handlers[name] : undefined
  if (!known && missing.has(name))
    throw new StatusError(501, 'NotImplemented', `muster's embedded cluster does not serve ${resource.plural}/${name}`)
  if (!known) throw unknown()
  const handler = known[method]
  if (!handler) throw notAllowed()
  return handler(call)
}

/** `pods/binding`, as schedulers send it. */
function bind(call: Call): Answer {
  const binding = placed(typed(parsed(call.body), 'v1', 'Binding'), call.target)
  return bindPod(call, binding)
}

/** `bindings`, the old collection: the pod is named in the body. */
export function bindNamed(call: Call, resource: Target['resource']): Answer {
  const binding = typed(parsed(call.body), 'v1', 'Binding')
  const { namespace } = call.target
  const target = { resource, version: 'v1', name: binding.metadata.name, ...(namespace !== undefined && { namespace }) }
  return bindPod({ ...call, target }, placed(binding, target))
}

function bindPod({ parts, query, target }: Call, binding: ReturnType<typeof typed>): Answer {
  const node = text(binding, 'target.name')
  if (node === '') throw invalidBinding(target.name ?? '', 'target.name: Required value')
  const kind = text(binding, 'target.kind', 'Node')
  if (kind !== 'Node')
    throw invalidBinding(target.name ?? '', `target.kind: Unsupported value: "${kind}": supported values: "Node"`)
  const { uid, annotations, labels } = binding.metadata
  const wish = { node, ...(uid && { uid }), ...(annotations && { annotations }), ...(labels && { labels }) }
  parts.api.bind(referenceOf(target), wish, { dryRun: isDryRun(query) })
  return { status: 201, body: success(undefined, 201) }
}

function invalidBinding(name: string, problem: string): StatusError {
  return new StatusError(422, 'Invalid', `Binding "${name}" is invalid: ${problem}`, { name, kind: 'Binding' })
}

/** `pods/eviction`: an Eviction of `policy/v1`, with the options of a deletion in it. */
function evict({ parts, target, body, query }: Call): Answer {
  const eviction = placed(typed(parsed(body), 'policy/v1', 'Eviction'), target)
  parts.api.evict(referenceOf(target), deletion(query, record(at(eviction, 'deleteOptions'))))
  return { status: 201, body: success(undefined, 201) }
}
