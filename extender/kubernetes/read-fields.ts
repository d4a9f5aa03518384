import { type Fields, Shared } from './fields.ts'
import { placeless } from './in-tree.ts'

const whole = 'whole'
const alike = new Shared(whole)

/** By which the cache tells objects and their versions apart. */
export const identity = { namespace: whole, name: whole, uid: whole, resourceVersion: whole } as const

const container: Fields = { name: whole, resources: whole, ports: whole, restartPolicy: whole }
const containerStatus: Fields = { name: whole, resources: whole, allocatedResources: whole }
const condition: Fields = { type: whole, status: whole, reason: whole, message: whole }

/** What `Projector.pod` reads. */
export const podFields: Fields = {
  metadata: {
    ...identity,
    ...{ creationTimestamp: whole, deletionTimestamp: whole, labels: alike, annotations: alike },
    ownerReferences: new Shared({ controller: whole, kind: whole, name: whole, uid: whole })
  },
  spec: {
    ...{ schedulerName: whole, nodeName: whole, priority: whole, preemptionPolicy: whole, schedulingGates: whole },
    ...{ schedulingGroup: {}, workloadRef: {}, terminationGracePeriodSeconds: whole },
    ...{ nodeSelector: alike, affinity: alike, tolerations: alike, topologySpreadConstraints: alike },
    ...{ resources: whole, resourceClaims: {}, overhead: whole },
    ...{ containers: new Shared(container), initContainers: new Shared(container) },
    volumes: new Shared(Object.fromEntries(placeless.map(kind => [kind, {}])))
  },
  status: {
    ...{ phase: whole, startTime: whole, nominatedNodeName: whole, conditions: new Shared(condition) },
    ...{ resize: whole, resources: whole, allocatedResources: whole },
    ...{ containerStatuses: new Shared(containerStatus), initContainerStatuses: new Shared(containerStatus) }
  }
}

/** What `Projector.node` reads. */
export const nodeFields: Fields = {
  metadata: { ...identity, labels: whole },
  spec: { taints: { key: whole, value: whole, effect: whole }, unschedulable: whole },
  status: { allocatable: alike, conditions: new Shared({ type: whole, status: whole }) }
}

/** What `Projector.controller` reads: not the template, which is the most of it. */
export const controllerFields: Fields = {
  metadata: identity,
  spec: { replicas: whole, parallelism: whole, completions: whole }
}
