import type { ApiRequest } from './api-server.ts'

const resources = new Set([
  ...['pods', 'pods/binding', 'pods/status', 'pods/eviction', 'nodes', 'namespaces', 'events', 'leases'],
  ...['replicasets', 'statefulsets', 'replicationcontrollers', 'jobs'],
  ...['poddisruptionbudgets', 'priorityclasses', 'podgroups', 'customresourcedefinitions'],
  ...['tokenreviews', 'subjectaccessreviews']
])

/** The resource of a path, with its subresource, as RBAC names it; `other` where it is none of ours. */
export function resourceLabel(path: string): string {
  const parts = path.split('/').filter(part => part !== '')
  // api/v1/… or apis/GROUP/VERSION/…
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3)
  const named = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest
  const label = named.length > 2 ? `${named[0]}/${named[2]}` : (named[0] ?? '')
  return resources.has(label) ? label : 'other'
}

const verbs = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const

/** The request's verb as RBAC names it. */
export function verbLabel({ method, path, query }: ApiRequest): string {
  if (method !== 'GET') return verbs[method]
  if (query?.watch !== undefined) return 'watch'
  return query?.limit !== undefined || isCollection(path) ? 'list' : 'get'
}

function isCollection(path: string): boolean {
  const last = path.slice(path.lastIndexOf('/') + 1)
  return resources.has(last) && last !== 'status'
}

const codes = new Set([200, 201, 202, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504])

/** The status where it is one that API servers send, else its class. */
export function codeLabel(status: number): string {
  return codes.has(status) ? String(status) : `${Math.floor(status / 100)}xx`
}
