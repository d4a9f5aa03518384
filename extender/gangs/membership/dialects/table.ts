import { annotations, plain } from '../../../../policies/names.ts'
import { annotation, type Field, label } from './fields.ts'
import { type Identity, firstOf, named, namedIn, ofController, withApplication } from './identity.ts'
import { readRoles, readTaskGroups, type RolesReader } from './roles.ts'

/**
 * When completed members count towards the quorum. `always`: they are as good as placed. `sameRun`: beside members that
 * stand on a node now, or when their own controller still has members that live (what an earlier run of the same name
 * left behind says nothing). `whileRunning`: only beside members that stand on a node now.
 */
export type Completed = 'always' | 'sameRun' | 'whileRunning'

/** One way of saying that a pod belongs to a gang. */
export type Dialect = {
  readonly dialect: string
  readonly group: Identity
  /** The minimum, besides muster's own `min-member`, which every dialect takes. */
  readonly size?: readonly Field[]
  /** The minimum of every gang of this dialect. */
  readonly fixed?: number
  /** The minimum comes from the replicated jobs of a JobSet. */
  readonly replicatedJobs?: true
  readonly role?: readonly Field[]
  readonly roles?: { readonly field: Field; readonly read: RolesReader; readonly onSome?: true }
  /** The API group of the PodGroup that bears the gang's name, and its minimum where the pods say none. */
  readonly object?: string
  readonly completed: Completed
  /** Not declared by the user, but read from what a controller wrote: it gives way to all that is declared. */
  readonly implied?: true
}

const volcanoSize = annotation('scheduling.volcano.sh/group-min-member')
const kaiSizes = [annotation('kai.scheduler/batch-min-member'), annotation('kai.scheduler/min-member')]
const taskGroup = annotation('yunikorn.apache.org/task-group-name')
const taskGroups = annotation('yunikorn.apache.org/task-groups')
const applications = [
  label('yunikorn.apache.org/app-id'),
  annotation('yunikorn.apache.org/app-id'),
  label('applicationId'),
  label('spark-app-selector')
]
/** Labels of a JobSet's pods besides its name. */
export const jobSet = {
  job: label('jobset.sigs.k8s.io/replicatedjob-name'),
  replicas: label('jobset.sigs.k8s.io/replicatedjob-replicas'),
  allReplicas: label('jobset.sigs.k8s.io/global-replicas')
} as const
/** Annotations that are read for what they ask of a gang, not for membership. */
export const foreign = {
  koordinatorWait: annotation('gang.scheduling.koordinator.sh/waiting-time'),
  volcanoResources: annotation('scheduling.volcano.sh/group-min-resources')
} as const

/**
 * Which field means what, one row per dialect, the most explicit first. A pod belongs to the first row whose group it
 * names; further declared rows must agree with it.
 */
export const dialects: readonly Dialect[] = [
  {
    dialect: 'muster',
    group: named(annotation(annotations.gang)),
    role: [annotation(annotations.role)],
    roles: { field: annotation(annotations.roles), read: readRoles },
    completed: 'sameRun'
  },
  { dialect: 'pod-group', group: named(annotation(plain.podGroup)), completed: 'sameRun' },
  {
    // Upstream counts pods in its snapshot of the nodes: those that are done are not there (its integration case CS-10).
    dialect: 'scheduler-plugins',
    group: named(label('scheduling.x-k8s.io/pod-group')),
    object: 'scheduling.x-k8s.io',
    completed: 'whileRunning'
  },
  {
    // The same before the API group was renamed; Koordinator still uses it.
    dialect: 'scheduler-plugins-legacy',
    group: named(label('pod-group.scheduling.sigs.k8s.io')),
    object: 'scheduling.sigs.k8s.io',
    completed: 'whileRunning'
  },
  {
    dialect: 'lightweight',
    group: named(label('pod-group.scheduling.sigs.k8s.io/name')),
    size: [label('pod-group.scheduling.sigs.k8s.io/min-available')],
    completed: 'whileRunning'
  },
  {
    // Its default match policy is `once-satisfied`: what was satisfied once stays so.
    dialect: 'koordinator',
    group: named(annotation('gang.scheduling.koordinator.sh/name')),
    size: [annotation('gang.scheduling.koordinator.sh/min-available')],
    completed: 'sameRun'
  },
  {
    // Its `ReadyTaskNum` adds Succeeded to Bound and Running. A pod with a size and no name: Volcano makes a PodGroup
    // for its controller.
    dialect: 'volcano',
    group: firstOf(
      namedIn([annotation('scheduling.k8s.io/group-name'), annotation('scheduling.volcano.sh/group-name')]),
      ofController([volcanoSize])
    ),
    size: [volcanoSize],
    role: [annotation('volcano.sh/task-spec'), label('volcano.sh/task-spec')],
    object: 'scheduling.volcano.sh',
    completed: 'always'
  },
  {
    // Task groups are reserved once per application, when it starts; pods without one join as ordinary pods do. Spark's
    // pods go by the row `spark`.
    dialect: 'yunikorn',
    group: withApplication([taskGroup, taskGroups], { applications, without: label('spark-role') }),
    role: [taskGroup],
    roles: { field: taskGroups, read: readTaskGroups, onSome: true },
    completed: 'sameRun'
  },
  {
    // The total count includes members that are done: Kueue replaces failed ones only.
    dialect: 'kueue',
    group: named(label('kueue.x-k8s.io/pod-group-name')),
    size: [annotation('kueue.x-k8s.io/pod-group-total-count')],
    completed: 'always'
  },
  {
    // Its gang is satisfied by active pods.
    dialect: 'kai',
    group: firstOf(named(annotation('pod-group-name')), ofController(kaiSizes)),
    size: kaiSizes,
    role: [label('kai.scheduler/subgroup-name')],
    object: 'scheduling.run.ai',
    completed: 'whileRunning'
  },
  {
    dialect: 'jobset',
    group: named(label('jobset.sigs.k8s.io/jobset-name')),
    role: [jobSet.job],
    replicatedJobs: true,
    completed: 'sameRun',
    implied: true
  },
  {
    // One group of a LeaderWorkerSet, leader and workers. With startupPolicy LeaderReady the workers are made only once
    // the leader runs: `muster.dev/min-member: "1"` lets it start alone.
    dialect: 'leader-worker-set',
    group: namedIn([label('leaderworkerset.sigs.k8s.io/name'), label('leaderworkerset.sigs.k8s.io/group-index')], '-'),
    size: [annotation('leaderworkerset.sigs.k8s.io/size'), label('leaderworkerset.sigs.k8s.io/size')],
    completed: 'sameRun',
    implied: true
  },
  {
    // A Spark application (palantir's labels, or YuniKorn task groups). Its running driver creates the executors, so
    // the driver must not wait for them: the quorum is one pod, and executors are surplus, placed as they come.
    // What palantir's scheduler does beyond that, room reserved for executors that do not exist yet, is not held.
    dialect: 'spark',
    group: withApplication([label('spark-role')], {
      applications: [label('spark-app-id'), ...applications],
      with: [label('spark-app-id'), taskGroup, taskGroups]
    }),
    role: [label('spark-role')],
    fixed: 1,
    completed: 'sameRun',
    implied: true
  },
  {
    // Only where the pods themselves carry the label. The operator's other ways (Volcano, YuniKorn, scheduler-plugins,
    // KAI) are read as those dialects.
    dialect: 'ray',
    group: namedIn([label('ray.io/cluster')], '-', { field: label('ray.io/gang-scheduling-enabled'), text: 'true' }),
    role: [label('ray.io/group')],
    completed: 'sameRun',
    implied: true
  },
  {
    // After the native group, the coscheduling label and JobSet or LeaderWorkerSet come the pods of one owner. Its
    // min-nodes and max-nodes count nodes, not pods, and are not read.
    dialect: 'slurm-bridge',
    group: ofController(
      [
        ...['account', 'partition', 'qos', 'priority', 'reservation', 'exclusive', 'timelimit', 'min-nodes'],
        ...['max-nodes', 'gres', 'licenses', 'constraints']
      ].map(key => annotation(`slurmjob.slinky.slurm.net/${key}`))
    ),
    completed: 'sameRun',
    implied: true
  },
  {
    dialect: 'indexed-job',
    group: ofController(
      [label('batch.kubernetes.io/job-completion-index'), annotation('batch.kubernetes.io/job-completion-index')],
      'Job'
    ),
    completed: 'sameRun',
    implied: true
  }
]
