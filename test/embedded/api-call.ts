import { openApi } from '../../extender/embedded/api/api.ts'
import { statusOf } from '../../extender/embedded/api/errors.ts'
import type { ApiOptions, EmbeddedApi } from '../../extender/embedded/api/types.ts'
import { type Reference, StatusError } from '../../extender/embedded/store/objects.ts'
import type { PatchType, Subresource } from '../../extender/embedded/store/client.ts'
import { VirtualClock } from '../gangs/virtual-clock.ts'
import type { Loose } from './http-rig.ts'
import { dice } from './parts.ts'

/** A request as it goes over HTTP. */
type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With the query. */
  readonly path: string
  readonly body?: Loose
  readonly type?: PatchType
}

export type Answer = {
  readonly code: number
  readonly body: Loose
  /** What would stand in `Warning` headers; left out where there is nothing. */
  readonly warnings?: readonly string[]
}

/** An API over a new cluster, in process, that is asked as over HTTP. */
export type Asked = {
  readonly api: EmbeddedApi
  readonly clock: VirtualClock
  readonly get: (path: string) => Answer
  readonly post: (path: string, body: object) => Answer
  readonly put: (path: string, body: object) => Answer
  readonly patch: (path: string, body: object | string, type?: PatchType) => Answer
  readonly remove: (path: string, options?: object) => Answer
}

export function asked(options: Partial<ApiOptions> = {}): Asked {
  const clock = new VirtualClock()
  const api = openApi({ clock, random: dice(), ...options })
  return {
    ...{ api, clock },
    get: path => call(api, { method: 'GET', path }),
    post: (path, body) => call(api, { method: 'POST', path, body }),
    put: (path, body) => call(api, { method: 'PUT', path, body }),
    patch: (path, body, type = 'merge') => call(api, { method: 'PATCH', path, body, type }),
    remove: (path, body) => call(api, { method: 'DELETE', path, body })
  }
}

/** The fields that a refusal complains of, with what it says of each. */
export const causesOf = ({ body }: Answer): string[] =>
  (body.details?.causes ?? []).map(({ field, message }: Loose) => `${field}: ${message}`)

/** Does in process what a request asks for, with the answer that HTTP would give. */
function call(api: EmbeddedApi, request: Call): Answer {
  const warnings: string[] = []
  const told = () => (warnings.length === 0 ? {} : { warnings })
  try {
    return { ...answer(api, request, warning => warnings.push(warning)), ...told() }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return { code: error.status, body: statusOf(error), ...told() }
  }
}

function answer(api: EmbeddedApi, { method, path, body, type }: Call, warn: (warning: string) => void): Answer {
  const { reference, namespace, sub, query } = target(api, path)
  const { resource } = reference
  let code = method === 'POST' ? 201 : 200
  const options = {
    warn,
    created: (isNew: boolean) => {
      code = isNew ? 201 : 200
    },
    fieldValidation: (query.get('fieldValidation') ?? 'Warn') as 'Warn',
    ...(query.has('dryRun') ? { dryRun: true } : {})
  }
  const placed = () => ({ ...body, metadata: { ...(namespace && { namespace }), ...body.metadata } })
  const part = sub as Subresource | undefined
  switch (`${method} ${sub ?? ''}`) {
    case 'POST binding': {
      const { uid, annotations, labels } = body.metadata
      api.bind(reference, { node: body.target.name, uid, annotations, labels }, options)
      return success
    }
    case 'POST eviction':
      api.evict(reference, { ...body.deleteOptions, ...options })
      return success
    case 'POST ':
      return { code, body: api.create(resource, placed(), options) }
    case 'GET scale':
      return { code, body: api.scale(reference) ?? api.notFound(reference) }
    case 'GET status':
    case 'GET ':
      return { code, body: reference.name === '' ? listed(api, resource, namespace, query) : read(api, reference) }
  }
  const change = { ...options, ...(part && { subresource: part }), ...(type && { type }) }
  if (method === 'DELETE') return { code, body: api.delete(reference, { ...body, ...options }) }
  const written = method === 'PUT' ? api.update(resource, placed(), part, options) : api.patch(reference, body, change)
  return { code, body: written }
}

const success = { code: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } }

const read = (api: EmbeddedApi, reference: Reference) => api.get(reference) ?? api.notFound(reference)

const listed = (api: EmbeddedApi, resource: string, namespace: string | undefined, query: URLSearchParams) =>
  api.listPage(resource, { ...(namespace && { namespace }), ...Object.fromEntries(query) })

function target(api: EmbeddedApi, path: string) {
  const url = new URL(path, 'http://api')
  const parts = url.pathname.split('/').slice(1)
  const [group, version] = parts[0] === 'api' ? ['', parts[1]!] : [parts[1]!, parts[2]!]
  const rest = parts.slice(group === '' ? 2 : 3)
  const namespace =
    rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2]!) ? rest[1] : undefined
  const [plural = '', name = '', sub] = namespace === undefined ? rest : rest.slice(2)
  const found = api.resources.find(group, version, plural)
  if (found === undefined) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource')
  const reference: Reference = { resource: found.id, ...(namespace && { namespace }), name }
  return { reference, namespace, sub, query: url.searchParams }
}
