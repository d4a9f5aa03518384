import type { Subresource } from '../store/client.ts'
import { type KubeObject, type ObjectMeta, StatusError } from '../store/objects.ts'
import { badRequest, conflict, modified, invalid } from './errors.ts'
import { equal } from './fields.ts'
import { withField, withMetadata } from './metadata.ts'
import { keyOf, type Resource } from './resource.ts'
import type { UpdateOptions } from './strategy.ts'

const counted = new Set([
  'pods',
  'replicationcontrollers',
  'replicasets.apps',
  'deployments.apps',
  'daemonsets.apps',
  'statefulsets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'poddisruptionbudgets.policy',
  'endpointslices.discovery.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io'
])

/** Whether `generation` counts the changes of a resource's objects. */
export const countsGenerations = (resource: Resource): boolean =>
  resource.custom !== undefined || counted.has(resource.id)

const made = new Set([
  'events',
  'events.events.k8s.io',
  'endpoints',
  'leases.coordination.k8s.io',
  'limitranges',
  'services'
])

/** Whether a PUT of an object that is not there makes it. */
export const isMadeByUpdate = ({ id }: Resource, subresource: string | undefined): boolean =>
  subresource === undefined && made.has(id)

/** Whether objects are created without a status, whatever their creator says. A kubelet creates its node with one. */
export const startsBare = (resource: Resource): boolean =>
  resource.id !== 'nodes' && resource.subresources.includes('status')

/** Throws where an update is meant for another object than there is, or for another state of it. */
export function checkPreconditions(
  resource: Resource,
  current: KubeObject,
  wanted: KubeObject,
  options: UpdateOptions
): void {
  const { name, uid, resourceVersion } = current.metadata
  const asked = wanted.metadata
  checkName(resource, current, wanted)
  if (options.replaces && isOther(asked.uid, uid)) throw wrongUid(resource, current, asked.uid ?? '')
  if (isOther(asked.resourceVersion, resourceVersion)) throw conflict(resource, name, modified)
  if (options.replaces && !asked.resourceVersion && needsVersion(resource)) throw withoutVersion(resource, name)
}

const isOther = (asked: string | undefined, is: string | undefined): boolean => Boolean(asked) && asked !== is

function checkName(resource: Resource, { metadata: { name, namespace } }: KubeObject, { metadata }: KubeObject): void {
  if (metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
  if (resource.namespaced && isOther(metadata.namespace, namespace))
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

/** The conflict of a write that names the uid of another object. */
export function wrongUid(resource: Resource, { metadata }: KubeObject, uid: string): StatusError {
  const { namespace } = keyOf(resource, { ...metadata, resource: resource.id })
  const key = ['/registry', resource.plural, ...(namespace === '' ? [] : [namespace]), metadata.name].join('/')
  const message = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid ?? ''}`
  return conflict(
    resource,
    metadata.name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${message}`
  )
}

/** Most resources take an update without a version as one that does not care; these do not. */
const needsVersion = ({ custom, id }: Resource): boolean => custom !== undefined || versioned.has(id)

const versioned = new Set([
  'leases.coordination.k8s.io',
  'poddisruptionbudgets.policy',
  'customresourcedefinitions.apiextensions.k8s.io',
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'volumeattachments.storage.k8s.io'
])

function withoutVersion(resource: Resource, name: string): StatusError {
  const problem = {
    field: 'metadata.resourceVersion',
    type: 'invalid',
    value: 0,
    detail: 'must be specified for an update'
  } as const
  return invalid({ ...resource, kind: resource.plural }, name, [problem])
}

/** What a write can change: nobody's what the server alone writes, and of spec and status only the part that is meant. */
export function kept(
  resource: Resource,
  current: KubeObject,
  wanted: KubeObject,
  subresource: Subresource | undefined
): KubeObject {
  const {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    namespace,
    resourceVersion
  } = current.metadata
  const own = {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    namespace,
    resourceVersion
  }
  const named = withMetadata(wanted, own)
  if (subresource === 'status') return statusOnly(resource, current, named)
  if (subresource === 'finalize') return { ...current, spec: named['spec'] }
  return resource.subresources.includes('status') ? withField(named, 'status', current['status']) : named
}

/** Kinds whose status is all that a write of the status can change. */
function statusOnly(resource: Resource, current: KubeObject, wanted: KubeObject): KubeObject {
  if (!resource.subresources.includes('status'))
    throw new StatusError(404, 'NotFound', 'the server could not find the requested resource')
  const { metadata } = resource.custom === undefined ? wanted : current
  const changed = withField({ ...current, metadata }, 'status', wanted['status'])
  // Of Deployments, upstream takes all metadata but the labels.
  return resource.id === 'deployments.apps' ? withMetadata(changed, { labels: current.metadata.labels }) : changed
}

/** What `generation` counts besides, as upstream does. */
const countedMetadata: Readonly<Record<string, readonly (keyof ObjectMeta)[]>> = {
  'deployments.apps': ['annotations'],
  'endpointslices.discovery.k8s.io': ['labels', 'annotations']
}

/** `generation` counts the changes of what is wanted: of everything but metadata and status. */
export function bumped(resource: Resource, current: KubeObject, next: KubeObject): KubeObject {
  const { metadata: was, status: _before, ...old } = current
  const { metadata: is, status: _after, ...young } = next
  const noticed = (countedMetadata[resource.id] ?? []).some(name => !equal(was[name], is[name]))
  if (!noticed && equal(old, young)) return next
  return withMetadata(next, { generation: (current.metadata.generation ?? 0) + 1 })
}

/** Nothing of its own holds it: no finalizer and no kubelet's grace period. */
export function isFinished({ metadata }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers?.length ?? 0) > 0) return false
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0
}
