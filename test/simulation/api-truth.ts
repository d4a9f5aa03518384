import { openApi } from '../../extender/embedded/api/api.ts'
import type { EmbeddedApi } from '../../extender/embedded/api/types.ts'
import { failure } from '../../extender/embedded/api-server/statuses.ts'
import type { Json as ObjectJson, KubeObject, Reference } from '../../extender/embedded/store/objects.ts'
import { StatusError } from '../../extender/embedded/store/objects.ts'
import type { ApiRequest, ApiResponse } from '../../extender/kubernetes/api-server.ts'
import { object, text } from '../../extender/json.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'
import type { Chance } from './chance.ts'

/** A path of the API server, taken apart. */
export type Target = {
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly part: string | undefined
}

const targets = new Map<string, Target>()

/** `/api/v1/namespaces/NS/pods/NAME/status` and the like. */
export function targetOf(path: string): Target {
  const target = targets.get(path) ?? parsed(path)
  targets.set(path, target)
  return target
}

function parsed(path: string): Target {
  const [root, ...parts] = path.slice(1).split('/').map(decodeURIComponent)
  const [group, rest] = root === 'api' ? ['', parts.slice(1)] : [parts[0] ?? '', parts.slice(2)]
  const [namespace, [plural = '', name, part]] =
    rest[0] === 'namespaces' && rest.length > 2 ? [rest[1], rest.slice(2)] : [undefined, rest]
  return { resource: group === '' ? plural : `${plural}.${group}`, namespace, name, part }
}

const patchTypes = { 'application/merge-patch+json': 'merge', 'application/strategic-merge-patch+json': 'strategic' }

/** What is so, whatever anybody sees of it: the embedded cluster's API, which has the real one's rules. */
export class ApiTruth {
  readonly api: EmbeddedApi
  /** Watches and pages that go on from before this version are told 410. */
  floor = 0
  /** The pods as they are at that version. */
  #listed: { readonly version: number; readonly pods: readonly KubeObject[] } = { version: 0, pods: [] }

  constructor(clock: VirtualClock, chance: Chance) {
    this.api = openApi({ clock, random: chance.next, history: 1_000_000 })
  }

  get version(): number {
    return Number(this.api.resourceVersion)
  }

  /** etcd forgets what was before now. */
  compact(): void {
    this.floor = this.version
  }

  pods(): readonly KubeObject[] {
    if (this.#listed.version !== this.version)
      this.#listed = { version: this.version, pods: this.api.list('pods').items }
    return this.#listed.pods
  }

  pod(namespace: string, name: string): KubeObject | undefined {
    return this.api.get({ resource: 'pods', namespace, name })
  }

  /** Carries out one request and answers it. */
  answer(request: ApiRequest): ApiResponse {
    try {
      return { status: request.method === 'POST' ? 201 : 200, headers: {}, body: this.#carryOut(request) }
    } catch (error) {
      if (error instanceof StatusError) return refusal(error)
      throw error
    }
  }

  #carryOut(request: ApiRequest): unknown {
    if (request.path === '/version') return { major: '1', minor: '36' }
    const { resource, namespace = '', name, part } = targetOf(request.path)
    if (name === undefined) return request.method === 'POST' ? {} : this.#list(resource, request)
    const reference = { resource, namespace, name }
    if (request.method === 'GET') return this.api.get(reference) ?? this.api.notFound(reference)
    if (request.method === 'PATCH') return this.#patch(reference, part, request)
    if (request.method === 'DELETE') return this.api.delete(reference, object(request.body))
    if (part === 'binding') return this.#bind(reference, request)
    if (part === 'eviction') return this.#evict(reference, request)
    throw new StatusError(405, 'MethodNotAllowed', `nobody serves ${request.method} ${request.path}`)
  }

  #list(resource: string, { query = {} }: ApiRequest): unknown {
    const { limit, continue: token } = query
    const page = this.api.listPage(resource, {
      ...(limit !== undefined && { limit: Number(limit) }),
      ...(token !== undefined && { continue: String(token) })
    })
    const { items, ...metadata } = page
    if (token !== undefined && Number(metadata.resourceVersion) < this.floor)
      throw new StatusError(410, 'Expired', 'The provided continue parameter is too old to display a consistent list')
    return { kind: 'List', metadata, items }
  }

  #patch(reference: Reference, part: string | undefined, { contentType = '', body }: ApiRequest): unknown {
    const type = patchTypes[contentType as keyof typeof patchTypes] as 'merge' | 'strategic'
    const subresource = part === 'status' ? { subresource: 'status' as const } : {}
    return this.api.patch(reference, body as ObjectJson, { type, ...subresource })
  }

  #bind(reference: Reference, { body }: ApiRequest): unknown {
    const { uid, annotations } = object(object(body).metadata)
    this.api.bind(reference, {
      node: text(object(object(body).target).name) ?? '',
      ...(typeof uid === 'string' && { uid }),
      annotations: object(annotations) as Record<string, string>
    })
    return {}
  }

  #evict(reference: Reference, { body }: ApiRequest): unknown {
    this.api.evict(reference, object(object(body).deleteOptions))
    return {}
  }
}

export function refusal(error: StatusError): ApiResponse {
  const seconds = object(error.details).retryAfterSeconds
  const headers = typeof seconds === 'number' ? { 'retry-after': String(seconds) } : {}
  return { status: error.status, headers, body: failure(error) }
}
