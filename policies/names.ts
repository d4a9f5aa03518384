/** The scheduling gate that keeps a member out of kube-scheduler's queue until its gang is planned. */
export const gangGate = 'muster.dev/gang'

/** Plain annotations without a domain, read beside our own. */
export const plain = {
  /** The gang's name in its namespace; its size is not declared. */
  podGroup: 'pod-group',
  /** Integer; order inside one PriorityClass. */
  priority: 'priority'
} as const

/** Annotations that we write into Bindings: the durable record of a commit. */
export const commit = {
  /** Plan id and epoch. */
  plan: 'muster.dev/plan',
  /** The whole plan, member to node; in the first Binding of a gang. */
  planMembers: 'muster.dev/plan-members',
  /** How these are written, beside `planMembers`; absent in records of before it was said, which are written alike. */
  planVersion: 'muster.dev/plan-version'
} as const

/** How the durable record of a commit is written today. */
export const recordVersion = 1

/** Set on one member of a gang that is ended whole, before the first is evicted: the plan for which it ends. */
export const endingMark = 'muster.dev/ending'

/**
 * Resources that no node has: with `--scope gangs` kube-scheduler asks muster about pods that want one of them, and
 * ignores them itself. One for each of its two entries, which may not share a name.
 */
export const managed = {
  filter: 'muster.dev/filter',
  bind: 'muster.dev/bind'
} as const

/** Written on a pod only so that kube-scheduler hears of its nomination again; its value is the epoch that wrote it. */
export const touched = 'muster.dev/touched'

/** Every annotation of our own that users set on pods; unset means the default. */
export const annotations = {
  gang: 'muster.dev/gang',
  minMember: 'muster.dev/min-member',
  role: 'muster.dev/role',
  roles: 'muster.dev/roles',
  minResources: 'muster.dev/min-resources',
  priority: 'muster.dev/priority',
  queue: 'muster.dev/queue',
  timeLimit: 'muster.dev/time-limit',
  exclusive: 'muster.dev/exclusive',
  topologyRequired: 'muster.dev/topology-required',
  topologyPreferred: 'muster.dev/topology-preferred',
  topologyRelaxAfter: 'muster.dev/topology-relax-after',
  segmentSize: 'muster.dev/segment-size',
  gangTimeout: 'muster.dev/gang-timeout',
  onTimeout: 'muster.dev/on-timeout',
  onPartial: 'muster.dev/on-partial',
  preemptionPolicy: 'muster.dev/preemption-policy',
  preemptionDelay: 'muster.dev/preemption-delay',
  minRuntime: 'muster.dev/min-runtime',
  lastCheckpoint: 'muster.dev/last-checkpoint',
  movable: 'muster.dev/movable',
  autoscaler: 'muster.dev/autoscaler',
  pin: 'muster.dev/pin',
  binder: 'muster.dev/binder'
} as const

/**
 * What kube-scheduler is told about refused nodes. Constant: it writes them into the pod's condition, and a text that
 * changed would be a pod update that wakes the pod at once, again and again.
 */
export const refusals = {
  waiting: 'muster: the gang does not start yet (`muster explain POD` says why)',
  held: 'muster: the room is held for a gang'
} as const
