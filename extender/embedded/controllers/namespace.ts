import { isLeaving, referenceTo } from '../kinds.ts'
import { type KubeObject, StatusError } from '../store/objects.ts'
import type { Controller, Looks, Shared } from './controller.ts'

/** Empties namespaces that are to go, then lets them go. */
export function openNamespaces(shared: Shared, looks: Looks, resources: () => Iterable<string>): Controller {
  const namespaces = shared.informer<KubeObject>('namespaces')
  namespaces.onChange(({ object }) => object && isLeaving(object) && looks.add(object.metadata.name))
  return {
    name: 'namespace',
    *keys() {
      for (const namespace of namespaces.all()) if (isLeaving(namespace)) yield namespace.metadata.name
    },
    reconcile(name) {
      const namespace = namespaces.get(name)
      if (namespace === undefined || !isLeaving(namespace)) return
      if (empty(shared, name, resources())) looks.addAfter(name, 200)
      else release(shared, namespace)
    }
  }
}

/** Deletes all that is in a namespace; whether something is left that its finalizers or its kubelet hold. */
function empty(shared: Shared, namespace: string, resources: Iterable<string>): boolean {
  let left = false
  for (const resource of resources) {
    for (const object of shared.client.list(resource, { namespace }).items)
      if (!isLeaving(object)) remove(shared, resource, object)
    if (shared.client.list(resource, { namespace }).items.length > 0) left = true
  }
  return left
}

function remove(shared: Shared, resource: string, object: KubeObject): void {
  try {
    shared.client.delete(referenceTo(resource, object), { propagationPolicy: 'Background' })
  } catch (error) {
    // What went in the meantime, because its owner did, is gone as it should be.
    if (!(error instanceof StatusError) || error.status !== 404) throw error
  }
}

function release(shared: Shared, namespace: KubeObject): void {
  const now = shared.client.get(referenceTo('namespaces', namespace))
  if (now === undefined || now.metadata.uid !== namespace.metadata.uid) return
  shared.client.update('namespaces', { ...now, spec: { finalizers: [] } })
}
