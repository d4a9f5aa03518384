import type { KubeObject } from '../store/objects.ts'
import { StatusError } from '../store/objects.ts'
import type { Store } from '../store/store.ts'
import { forbidden } from './errors.ts'
import type { Resource } from './resource.ts'

/** Nothing is created in a namespace that is not there or is leaving. */
export function checkNamespace(store: Store, resource: Resource, object: KubeObject): void {
  const name = object.metadata.namespace ?? ''
  const namespace = store.table('namespaces').get('', name)
  if (namespace === undefined)
    throw new StatusError(404, 'NotFound', `namespaces "${name}" not found`, { name, kind: 'namespaces' })
  if (namespace.metadata.deletionTimestamp === undefined) return
  const message = `unable to create new content in namespace ${name} because it is being terminated`
  const error = forbidden(resource, object.metadata.name, message)
  const causes = [
    { reason: 'NamespaceTerminating', message: `namespace ${name} is being terminated`, field: 'metadata.namespace' }
  ]
  throw new StatusError(403, 'Forbidden', error.message, { ...error.details, causes })
}
