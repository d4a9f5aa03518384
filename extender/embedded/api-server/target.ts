import type { Resource } from '../api/resource.ts'
import type { Resources } from '../api/resources.ts'
import type { Reference } from '../store/objects.ts'
import { StatusError } from '../store/objects.ts'

/** What the path of a request names. */
export type Target = {
  readonly resource: Resource
  /** The version under which it is asked for. */
  readonly version: string
  /** Absent: a resource without namespaces, or all of them. */
  readonly namespace?: string
  /** Absent: the collection. */
  readonly name?: string
  readonly subresource?: string
}

const ofNamespace = new Set(['status', 'finalize'])

/** Takes a path such as `/apis/apps/v1/namespaces/ns/deployments/web/scale` apart; throws 404 for what is not served. */
export function targetOf(path: string, resources: Resources): Target {
  const [prefix, ...segments] = path.split('/').filter(Boolean).map(decoded)
  const [group = '', version = '', ...rest] = prefix === 'api' ? ['', ...segments] : segments
  const { namespace, names } = scoped(rest)
  const [plural = '', name, subresource] = names
  const resource = resources.find(group, version, plural)
  if (!resource || (namespace !== undefined && !resource.namespaced)) throw unknown()
  return { resource, version, ...defined({ namespace, name, subresource }) }
}

function defined<K extends string>(fields: Readonly<Record<K, string | undefined>>): { readonly [Key in K]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in K]?: string
  }
}

function scoped(segments: readonly string[]): { readonly namespace?: string; readonly names: readonly string[] } {
  const [first, namespace, plural] = segments
  if (first !== 'namespaces' || namespace === undefined || plural === undefined || ofNamespace.has(plural))
    return { names: segments }
  return { namespace, names: segments.slice(2) }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new StatusError(400, 'BadRequest', `the path has a broken escape: ${segment}`)
  }
}

/** What upstream says to a path that it does not serve. */
export function unknown(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
}

/** The one object that a path names. */
export function referenceOf({ resource, namespace, name }: Target): Reference {
  if (name === undefined) throw notAllowed()
  return { resource: resource.id, name, ...(namespace !== undefined && { namespace }) }
}

/** What upstream says to a method that does not go with its path. */
export function notAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

/** The parts of a resource's objects that are served under a version. */
export function subresourcesOf(resource: Resource, version: string): readonly string[] {
  const custom = resource.custom?.versions[version]
  if (!custom) return resource.subresources
  return [...(custom.status ? ['status'] : []), ...(custom.scale ? ['scale'] : [])]
}
