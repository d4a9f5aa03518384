import { createHash } from 'node:crypto'
import { apiVersionOf, type Resource } from '../../api/resource.ts'
import type { Resources } from '../../api/resources.ts'
import { gitVersion } from '../versions.ts'
import { Schemas } from './schemas.ts'

/** `api/v1`, `apis/apps/v1`: what a document is called. */
function pathOf(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}

/** `/openapi/v3`: where the documents are. The hash changes with the resources, so that clients may keep documents. */
export function openApiIndex(resources: Resources): object {
  const paths: Record<string, object> = {}
  for (const [path, members] of byPath(resources)) {
    const hash = createHash('sha256').update(JSON.stringify(members)).digest('hex').slice(0, 32).toUpperCase()
    paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
  }
  return { paths }
}

/** The document of one group and version; undefined where nothing is served under it. */
export function openApiDocument(resources: Resources, path: string): object | undefined {
  const members = byPath(resources).get(path)
  if (!members) return undefined
  const schemas = new Schemas()
  const paths: Record<string, object> = {}
  for (const { resource, version } of members) {
    schemas.addKind(resource, version)
    Object.assign(paths, pathsOf(resource, version))
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: gitVersion },
    paths,
    components: { schemas: schemas.all }
  }
}

type Member = { readonly resource: Resource; readonly version: string }

function byPath(resources: Resources): ReadonlyMap<string, readonly Member[]> {
  const found = new Map<string, Member[]>()
  for (const resource of resources)
    for (const version of resource.versions) {
      const path = pathOf(resource.group, version)
      const members = found.get(path) ?? []
      found.set(path, members)
      members.push({ resource, version })
    }
  return found
}

/** kubectl looks here for the kind of a resource and for what a PATCH takes, and nowhere else. */
function pathsOf(resource: Resource, version: string): Readonly<Record<string, object>> {
  const { group, kind, plural, namespaced } = resource
  const root = `${group === '' ? '/api' : '/apis'}/${apiVersionOf(resource, version)}`
  const path = `${root}${namespaced ? '/namespaces/{namespace}' : ''}/${plural}`
  const gvk = { 'x-kubernetes-group-version-kind': { group, kind, version } }
  const operation = (parameters: readonly string[]): object => ({
    parameters: parameters.map(name => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } })),
    responses: { 200: { description: 'OK' } },
    ...gvk
  })
  const write = ['dryRun', 'fieldManager', 'fieldValidation']
  return {
    [path]: { get: operation(['labelSelector', 'fieldSelector']), post: operation(write) },
    [`${path}/{name}`]: {
      get: operation([]),
      put: operation(write),
      patch: operation([...write, 'force']),
      delete: operation(['dryRun', 'gracePeriodSeconds', 'propagationPolicy'])
    }
  }
}
