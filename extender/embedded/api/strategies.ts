import { disruptionBudgetStrategy } from './kinds/budgets.ts'
import { configMapStrategy, secretStrategy } from './kinds/data.ts'
import { eventStrategy } from './kinds/events.ts'
import { cronJobStrategy, jobStrategy } from './kinds/jobs.ts'
import { nodeStrategy } from './kinds/nodes.ts'
import { endpointSliceStrategy } from './kinds/slices.ts'
import { customStrategy } from './kinds/custom.ts'
import { definitionStrategy } from './kinds/definitions.ts'
import * as others from './kinds/others.ts'
import { podStrategy } from './kinds/pods.ts'
import { priorityClassStrategy } from './kinds/priority-classes.ts'
import { serviceStrategy } from './kinds/services.ts'
import * as workloads from './kinds/workloads.ts'
import { withField } from './metadata.ts'
import type { Resource } from './resource.ts'
import type { Strategy } from './strategy.ts'

const usual: Strategy = {
  defaults: object => object,
  create: object => object,
  update: object => object,
  validate: () => [],
  deletable: () => {},
  holds: () => false,
  stored: () => {},
  removed: () => {}
}

const startsWith = (status: unknown): Partial<Strategy> => ({ create: object => withField(object, 'status', status) })

const noDaemons = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }

const own: Readonly<Record<string, Partial<Strategy>>> = {
  pods: podStrategy,
  nodes: nodeStrategy,
  namespaces: others.namespaceStrategy,
  services: serviceStrategy,
  secrets: secretStrategy,
  configmaps: configMapStrategy,
  events: eventStrategy,
  persistentvolumeclaims: others.claimStrategy,
  persistentvolumes: startsWith({ phase: 'Pending' }),
  replicationcontrollers: { ...workloads.replicationControllerStrategy, ...startsWith({ replicas: 0 }) },
  'replicasets.apps': { ...workloads.replicaSetStrategy, ...startsWith({ replicas: 0 }) },
  'deployments.apps': { ...workloads.deploymentStrategy, ...startsWith({}) },
  'daemonsets.apps': {
    ...workloads.daemonSetStrategy,
    create: (object, context) =>
      withField(workloads.daemonSetStrategy.create?.(object, context) ?? object, 'status', noDaemons)
  },
  'statefulsets.apps': { ...workloads.statefulSetStrategy, ...startsWith({ replicas: 0, availableReplicas: 0 }) },
  'jobs.batch': jobStrategy,
  'cronjobs.batch': { ...cronJobStrategy, ...startsWith({}) },
  'poddisruptionbudgets.policy': disruptionBudgetStrategy,
  'priorityclasses.scheduling.k8s.io': priorityClassStrategy,
  'leases.coordination.k8s.io': others.leaseStrategy,
  'endpointslices.discovery.k8s.io': endpointSliceStrategy,
  'storageclasses.storage.k8s.io': others.storageClassStrategy,
  'customresourcedefinitions.apiextensions.k8s.io': definitionStrategy
}

const whole = new Map(Object.entries(own).map(([id, strategy]): [string, Strategy] => [id, { ...usual, ...strategy }]))
const custom: Strategy = { ...usual, ...customStrategy }

/** How a resource's objects are written. */
export function strategyOf(resource: Resource): Strategy {
  return resource.custom === undefined ? (whole.get(resource.stored) ?? usual) : custom
}
