import t from 'tap'
import { keepsAnnotation, membership } from '../../extender/gangs/membership/dialects.ts'
import { type Gang, placeable } from '../../extender/gangs/membership/gang.ts'
import { gangState } from '../../extender/gangs/membership/quorum.ts'
import { Profiles } from '../../extender/gangs/membership/profiles.ts'
import { Roster } from '../../extender/gangs/membership/roster.ts'
import type { Json } from '../../extender/json.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import type { PodGroup } from '../../extender/facts.ts'
import { State } from '../../extender/state.ts'
import { muster } from '../../policies/index.ts'
import { ManualClock } from '../kubernetes/manual-clock.ts'

type Texts = Record<string, string>
type Words = {
  labels?: Texts
  annotations?: Texts
  owner?: { kind: string; uid: string }
  /** More of spec, status and metadata. */
  spec?: Json
  status?: Json
  metadata?: Json
}

/** A pod as the API server sends it. */
const podOf = (name: string, { labels = {}, annotations = {}, owner, spec, status, metadata }: Words): Json => ({
  metadata: {
    ...{ name, namespace: 'ns', uid: `u-${name}`, creationTimestamp: '2026-01-01T00:00:00Z', labels, annotations },
    ...(owner ? { ownerReferences: [{ ...owner, name: `${owner.uid}-name`, controller: true }] } : {}),
    ...metadata
  },
  spec: { schedulerName: 'muster', containers: [{ name: 'c' }], ...spec },
  status: { phase: 'Pending', ...status }
})

const projector = new Projector({ keepAnnotation: keepsAnnotation })
const settleMs = 1_000
const ignore = (): void => {}

type World = {
  readonly pods: readonly Words[]
  readonly groups?: readonly Partial<PodGroup>[]
  readonly sizes?: Record<string, number>
  /** Long after the last pod came. */
  readonly settled?: boolean
}

/** The only gang that these make; undefined where they make none. */
function gangOf({ pods, groups = [], sizes = {}, settled = false }: World): Gang | undefined {
  const state = new State()
  const clock = new ManualClock()
  const roster = new Roster({ state, clock, settleMs, profiles: new Profiles(new Map([['muster', muster]]), () => 0) })
  state.subscribe({
    podChanged: change => void roster.podChanged(change),
    nodeChanged: ignore,
    controllerChanged: ignore
  })
  for (const [uid, size] of Object.entries(sizes)) state.facts.setController({ uid, size })
  for (const [index, words] of pods.entries()) state.setPod(projector.pod(podOf(`p-${index}`, words)))
  for (const one of groups) {
    const group = { ...{ api: '', namespace: 'ns', name: 'g', minMember: undefined }, ...rest, ...one }
    state.facts.setPodGroup(`${group.api}/${group.namespace}/${group.name}`, group)
  }
  if (settled) clock.advance(settleMs)
  const keys = [...roster.keys()]
  t.ok(keys.length <= 1, `one gang: ${keys.join()}`)
  return keys[0] === undefined ? undefined : roster.gang(keys[0])
}
const rest = { roles: new Map<string, number>(), minResources: undefined, timeoutMs: undefined }

const times = (count: number, words: Words): Words[] => Array.from({ length: count }, () => words)
const job = { kind: 'Job', uid: 'job' }
const slurm = (key: string): string => `slurmjob.slinky.slurm.net/${key}`
const jobset = (name: string, replicas: number, all?: number): Texts => ({
  'jobset.sigs.k8s.io/jobset-name': 'g',
  'jobset.sigs.k8s.io/replicatedjob-name': name,
  'jobset.sigs.k8s.io/replicatedjob-replicas': String(replicas),
  ...(all === undefined ? {} : { 'jobset.sigs.k8s.io/global-replicas': String(all) })
})
const lws = { 'leaderworkerset.sigs.k8s.io/name': 'g', 'leaderworkerset.sigs.k8s.io/group-index': '1' }
const ray = { 'ray.io/cluster': 'g', 'ray.io/group': 'workers', 'ray.io/gang-scheduling-enabled': 'true' }
const taskGroups = JSON.stringify([
  { name: 'head', minMember: 1, minResource: { cpu: '1' } },
  { name: 'tail', minMember: 2, tolerations: [] }
])
const yunikorn = (group: string, more: Texts = {}): Words => ({
  labels: { 'yunikorn.apache.org/app-id': 'g' },
  annotations: { 'yunikorn.apache.org/task-group-name': group, ...more }
})
const roles = JSON.stringify({ leader: 1, worker: 2 })
const own = (more: Texts = {}): Words => ({ annotations: { 'muster.dev/gang': 'g', ...more } })

type Want = {
  key: string
  minMember?: number | undefined
  roles?: Record<string, number>
  role?: string
  waitsFor?: RegExp
}

const table: Record<string, World & { readonly want: Want | undefined }> = {
  'muster: minimum': {
    pods: times(2, own({ 'muster.dev/min-member': '2' })),
    want: { key: 'ns/muster/g', minMember: 2 }
  },
  'muster: roles, whose sum is the minimum': {
    pods: times(2, own({ 'muster.dev/roles': roles, 'muster.dev/role': 'worker' })),
    want: { key: 'ns/muster/g', minMember: 3, roles: { leader: 1, worker: 2 }, role: 'worker' }
  },
  'muster: roles beside a larger minimum': {
    pods: [own({ 'muster.dev/roles': roles, 'muster.dev/min-member': '5' })],
    want: { key: 'ns/muster/g', minMember: 5, roles: { leader: 1, worker: 2 } }
  },
  'muster: the size of the only controller': {
    pods: times(2, { ...own(), owner: job }),
    sizes: { job: 7 },
    settled: true,
    want: { key: 'ns/muster/g', minMember: 7 }
  },
  'muster: those that came, once no more come': {
    pods: times(3, own()),
    settled: true,
    want: { key: 'ns/muster/g', minMember: 3 }
  },
  'muster: unknown until then': { pods: times(3, own()), want: { key: 'ns/muster/g', minMember: undefined } },
  'pod-group': {
    pods: times(2, { annotations: { 'pod-group': 'Train.1' } }),
    settled: true,
    want: { key: 'ns/pod-group/Train.1', minMember: 2 }
  },
  'scheduler-plugins': {
    pods: [{ labels: { 'scheduling.x-k8s.io/pod-group': 'g' } }],
    groups: [{ api: 'scheduling.x-k8s.io', minMember: 4 }],
    want: { key: 'ns/scheduler-plugins/g', minMember: 4 }
  },
  'scheduler-plugins, PodGroup missing': {
    pods: [{ labels: { 'scheduling.x-k8s.io/pod-group': 'g' }, owner: job }],
    groups: [{ api: 'scheduling.sigs.k8s.io', minMember: 4 }],
    sizes: { job: 1 },
    settled: true,
    want: { key: 'ns/scheduler-plugins/g', waitsFor: /^PodGroup ns\/g does not exist \(scheduling\.x-k8s\.io\)$/ }
  },
  'scheduler-plugins before the renaming': {
    pods: [{ labels: { 'pod-group.scheduling.sigs.k8s.io': 'g' } }],
    groups: [{ api: 'scheduling.sigs.k8s.io', minMember: 4 }],
    want: { key: 'ns/scheduler-plugins-legacy/g', minMember: 4 }
  },
  'lightweight labels': {
    pods: [
      {
        labels: {
          'pod-group.scheduling.sigs.k8s.io/name': 'g',
          'pod-group.scheduling.sigs.k8s.io/min-available': '3'
        }
      }
    ],
    want: { key: 'ns/lightweight/g', minMember: 3 }
  },
  Koordinator: {
    pods: [
      {
        annotations: {
          'gang.scheduling.koordinator.sh/name': 'g',
          'gang.scheduling.koordinator.sh/min-available': '3'
        }
      }
    ],
    want: { key: 'ns/koordinator/g', minMember: 3 }
  },
  'Volcano: a PodGroup with tasks': {
    pods: [{ annotations: { 'scheduling.k8s.io/group-name': 'g', 'volcano.sh/task-spec': 'ps' } }],
    groups: [{ api: 'scheduling.volcano.sh', minMember: 3, roles: new Map([['ps', 1]]) }],
    want: { key: 'ns/volcano/g', minMember: 3, roles: { ps: 1 }, role: 'ps' }
  },
  'Volcano: a size on the pods needs no PodGroup': {
    pods: [
      {
        annotations: {
          'scheduling.volcano.sh/group-name': 'g',
          'scheduling.volcano.sh/group-min-member': '2'
        }
      }
    ],
    want: { key: 'ns/volcano/g', minMember: 2 }
  },
  "Volcano: a size without a name means the controller's pods": {
    pods: [{ annotations: { 'scheduling.volcano.sh/group-min-member': '2' }, owner: job }],
    want: { key: 'ns/volcano/job', minMember: 2 }
  },
  'YuniKorn: the definition stands on one member': {
    pods: [yunikorn('head', { 'yunikorn.apache.org/task-groups': taskGroups }), yunikorn('tail'), yunikorn('tail')],
    want: { key: 'ns/yunikorn/g', minMember: 3, roles: { head: 1, tail: 2 }, role: 'head' }
  },
  'YuniKorn: the legacy application label': {
    pods: [
      {
        labels: { applicationId: 'g' },
        annotations: { 'yunikorn.apache.org/task-groups': taskGroups, 'yunikorn.apache.org/task-group-name': 'head' }
      }
    ],
    want: { key: 'ns/yunikorn/g', minMember: 3, roles: { head: 1, tail: 2 }, role: 'head' }
  },
  'YuniKorn: an application without task groups is no gang': {
    pods: [{ labels: { 'yunikorn.apache.org/app-id': 'g' } }],
    want: undefined
  },
  Kueue: {
    pods: [
      {
        labels: { 'kueue.x-k8s.io/pod-group-name': 'g' },
        annotations: { 'kueue.x-k8s.io/pod-group-total-count': '3' }
      }
    ],
    want: { key: 'ns/kueue/g', minMember: 3 }
  },
  'KAI: subgroups of a PodGroup': {
    pods: [{ annotations: { 'pod-group-name': 'g' }, labels: { 'kai.scheduler/subgroup-name': 'a' } }],
    groups: [
      {
        api: 'scheduling.run.ai',
        roles: new Map([
          ['a', 1],
          ['b', 2]
        ])
      }
    ],
    want: { key: 'ns/kai/g', minMember: 3, roles: { a: 1, b: 2 }, role: 'a' }
  },
  "KAI: a size means the controller's pods": {
    pods: [{ annotations: { 'kai.scheduler/batch-min-member': '2' }, owner: job }],
    want: { key: 'ns/kai/job', minMember: 2 }
  },
  'JobSet: all its replicated jobs are there': {
    pods: [
      { labels: jobset('driver', 1, 3), owner: job },
      { labels: jobset('worker', 2, 3), owner: { kind: 'Job', uid: 'w0' } },
      { labels: jobset('worker', 2, 3), owner: { kind: 'Job', uid: 'w1' } }
    ],
    sizes: { job: 1, w0: 4, w1: 4 },
    want: { key: 'ns/jobset/g', minMember: 9, roles: { driver: 1, worker: 8 }, role: 'driver' }
  },
  'JobSet: a replicated job may be missing yet': {
    pods: [{ labels: jobset('driver', 1, 3), owner: job }],
    sizes: { job: 1 },
    want: { key: 'ns/jobset/g', minMember: undefined, roles: { driver: 1 }, role: 'driver' }
  },
  'JobSet: or comes only after this one': {
    pods: [{ labels: jobset('driver', 1, 3), owner: job }],
    sizes: { job: 2 },
    settled: true,
    want: { key: 'ns/jobset/g', minMember: 2, roles: { driver: 2 }, role: 'driver' }
  },
  'JobSet: sizes that are not known': {
    pods: times(2, { labels: jobset('driver', 1), owner: job }),
    settled: true,
    want: { key: 'ns/jobset/g', minMember: 2, role: 'driver' }
  },
  'LeaderWorkerSet: one group': {
    pods: times(2, { labels: lws, annotations: { 'leaderworkerset.sigs.k8s.io/size': '5' } }),
    want: { key: 'ns/leader-worker-set/g-1', minMember: 5 }
  },
  "LeaderWorkerSet: muster's own minimum goes first": {
    pods: [{ labels: lws, annotations: { 'leaderworkerset.sigs.k8s.io/size': '5', 'muster.dev/min-member': '1' } }],
    want: { key: 'ns/leader-worker-set/g-1', minMember: 1 }
  },
  'LeaderWorkerSet under Kueue: what is declared goes first': {
    pods: [
      {
        labels: { ...lws, 'kueue.x-k8s.io/pod-group-name': 'lws-g-1-x' },
        annotations: { 'leaderworkerset.sigs.k8s.io/size': '3', 'kueue.x-k8s.io/pod-group-total-count': '3' }
      }
    ],
    want: { key: 'ns/kueue/lws-g-1-x', minMember: 3 }
  },
  'Ray, where its pods carry the label': {
    pods: times(2, { labels: ray }),
    settled: true,
    want: { key: 'ns/ray/g', minMember: 2, role: 'workers' }
  },
  'Ray without it': { pods: [{ labels: { ...ray, 'ray.io/gang-scheduling-enabled': 'false' } }], want: undefined },
  'slurm-bridge: the pods of one owner': {
    pods: [{ annotations: { [slurm('partition')]: 'p', [slurm('min-nodes')]: '2' }, owner: job }],
    sizes: { job: 6 },
    want: { key: 'ns/slurm-bridge/job', minMember: 6 }
  },
  'slurm-bridge: a pod without owner': { pods: [{ annotations: { [slurm('partition')]: 'p' } }], want: undefined },
  'indexed Job': {
    pods: times(2, { labels: { 'batch.kubernetes.io/job-completion-index': '0' }, owner: job }),
    sizes: { job: 4 },
    want: { key: 'ns/indexed-job/job', minMember: 4 }
  },
  'a Job without indices is no gang': { pods: times(2, { owner: job }), sizes: { job: 4 }, want: undefined },
  'palantir Spark: the driver starts alone': {
    pods: [
      {
        labels: { 'spark-app-id': 'g', 'spark-role': 'driver' },
        annotations: { 'spark-driver-cpu': '1', 'spark-executor-count': '8' }
      }
    ],
    want: { key: 'ns/spark/g', minMember: 1, role: 'driver' }
  },
  'Spark with task groups: the driver starts alone': {
    pods: [
      {
        ...yunikorn('head', { 'yunikorn.apache.org/task-groups': taskGroups }),
        labels: { 'spark-app-selector': 'g', 'spark-role': 'driver' }
      }
    ],
    want: { key: 'ns/spark/g', minMember: 1, role: 'driver' }
  },
  'native group (1.36): untouched': {
    pods: [{ ...own(), spec: { schedulingGroup: { podGroupName: 'g' } } }],
    want: undefined
  },
  'native group (1.35): untouched': { pods: [{ ...own(), spec: { workloadRef: { name: 'g' } } }], want: undefined },
  "another scheduler's pods": { pods: [{ ...own(), spec: { schedulerName: 'volcano' } }], want: undefined },
  'two dialects that agree: the more explicit one': {
    pods: [
      {
        annotations: { 'muster.dev/gang': 'g', 'gang.scheduling.koordinator.sh/name': 'g' },
        labels: { 'scheduling.x-k8s.io/pod-group': 'g' }
      }
    ],
    groups: [{ api: 'scheduling.x-k8s.io', minMember: 4 }],
    want: { key: 'ns/muster/g', minMember: 4 }
  },
  'two dialects, one of which says a size': {
    pods: [own({ 'gang.scheduling.koordinator.sh/name': 'g', 'gang.scheduling.koordinator.sh/min-available': '3' })],
    want: { key: 'ns/muster/g', minMember: 3 }
  }
}

for (const [name, { want, ...world }] of Object.entries(table)) {
  t.test(name, async t => {
    const gang = gangOf(world)
    t.equal(gang?.key, want?.key)
    if (!gang || !want) return
    t.equal(gang.problem, undefined)
    t.equal(gang.minMember, want.minMember)
    t.strictSame(Object.fromEntries(gang.roles), want.roles ?? {})
    t.equal(gang.members[0]?.role, want.role)
    if (want.waitsFor) t.match(gang.waitsFor, want.waitsFor)
    else t.equal(gang.waitsFor, undefined)
  })
}

const refused: Record<string, World & { readonly want: RegExp }> = {
  'two names': {
    pods: [own({ 'pod-group': 'h' })],
    want: /pod ns\/p-0: annotation muster\.dev\/gang says "g", but annotation pod-group says "h"/
  },
  'a label and an annotation': {
    pods: [{ annotations: { 'pod-group': 'g' }, labels: { 'scheduling.x-k8s.io/pod-group': 'h' } }],
    want: /annotation pod-group says "g", but label scheduling\.x-k8s\.io\/pod-group says "h"/
  },
  'two names of one dialect': {
    pods: [{ annotations: { 'scheduling.k8s.io/group-name': 'g', 'scheduling.volcano.sh/group-name': 'h' } }],
    want: /annotation scheduling\.k8s\.io\/group-name says "g", but annotation scheduling\.volcano\.sh\/group-name says "h"/
  },
  'two minima on one pod': {
    pods: [own({ 'muster.dev/min-member': '2', 'scheduling.volcano.sh/group-min-member': '3' })].map(words => ({
      ...words,
      owner: job
    })),
    want: /annotation muster\.dev\/min-member says "2", but annotation scheduling\.volcano\.sh\/group-min-member says "3"/
  },
  'a minimum beside that of the PodGroup': {
    pods: [{ labels: { 'scheduling.x-k8s.io/pod-group': 'g' }, annotations: { 'muster.dev/min-member': '2' } }],
    groups: [{ api: 'scheduling.x-k8s.io', minMember: 3 }],
    want: /the pods say a minimum of 2, but minMember of PodGroup ns\/g \(scheduling\.x-k8s\.io\) says 3/
  },
  'members with two minima': {
    pods: [2, 3].map(count => ({
      labels: { 'kueue.x-k8s.io/pod-group-name': 'g' },
      annotations: { 'kueue.x-k8s.io/pod-group-total-count': String(count) }
    })),
    want: /the gang's size \(kueue\) must be the same on every member: p-0 says 2, p-1 says 3/
  },
  'members with two sets of roles': {
    pods: [own({ 'muster.dev/roles': '{"a":1}' }), own({ 'muster.dev/roles': '{"a":2}' })],
    want: /annotation muster\.dev\/roles must be the same on every member/
  },
  'a member without the roles of the others': {
    pods: [own({ 'muster.dev/roles': '{"a":1}' }), own()],
    want: /annotation muster\.dev\/roles must be the same on every member: .*p-1 says nothing/
  },
  'roles in another order are the same': {
    pods: [own({ 'muster.dev/roles': '{"a":1,"b":1}' }), own({ 'muster.dev/roles': '{"b":1,"a":1}' })],
    want: /^$/
  },
  'a role that is none': {
    pods: [own({ 'muster.dev/roles': roles, 'muster.dev/role': 'wroker' })],
    want: /annotation muster\.dev\/role: "wroker" is not one of muster\.dev\/roles/
  },
  'roles that are no JSON': {
    pods: [own({ 'muster.dev/roles': '{"a":' })],
    want: /annotation muster\.dev\/roles must be a JSON object of role names and minima/
  },
  'roles that are no counts': {
    pods: [own({ 'muster.dev/roles': '{"a":1.5}' })],
    want: /annotation muster\.dev\/roles role "a" must be a DNS label with an integer from 0 up/
  },
  'YuniKorn: two definitions': {
    pods: [
      yunikorn('head', { 'yunikorn.apache.org/task-groups': taskGroups }),
      yunikorn('head', { 'yunikorn.apache.org/task-groups': '[{"name":"head","minMember":1}]' })
    ],
    want: /the gang's roles \(yunikorn\) must be the same on every member/
  },
  'YuniKorn: no application': {
    pods: [{ annotations: { 'yunikorn.apache.org/task-group-name': 'head' } }],
    want: /annotation yunikorn\.apache\.org\/task-group-name says "head", but no label yunikorn\.apache\.org\/app-id names the application/
  },
  'a size that is none': {
    pods: [{ labels: lws, annotations: { 'leaderworkerset.sigs.k8s.io/size': '0' } }],
    want: /annotation leaderworkerset\.sigs\.k8s\.io\/size: "0" must be a decimal integer of at least 1/
  },
  'a name that is none': {
    pods: [{ annotations: { 'gang.scheduling.koordinator.sh/name': 'a/b' } }],
    want: /annotation gang\.scheduling\.koordinator\.sh\/name: "a\/b" must be 1 to 253 letters/
  },
  'a timeout that is none': {
    pods: [own({ 'muster.dev/gang-timeout': '0s' })],
    want: /annotation muster\.dev\/gang-timeout: "0s" must be a duration above zero/
  },
  'two timeouts': {
    pods: [own({ 'muster.dev/gang-timeout': '1s' }), own({ 'muster.dev/gang-timeout': '2s' })],
    want: /annotation muster\.dev\/gang-timeout must be the same on every member: p-0 says "1s", p-1 says "2s"/
  },
  'an end that is none': {
    pods: [own({ 'muster.dev/on-timeout': 'Fail' })],
    want: /annotation muster\.dev\/on-timeout: "Fail" must be one of requeue, fail, keep/
  },
  'a policy that is none': {
    pods: [own({ 'muster.dev/on-partial': 'x' })],
    want: /annotation muster\.dev\/on-partial: "x" must be one of hold, evict/
  },
  'resources that are none': {
    pods: [own({ 'muster.dev/min-resources': '{"cpu":"many"}' })],
    want: /annotation muster\.dev\/min-resources: .* must be a JSON object of resources and quantities/
  }
}

for (const [name, { want, ...world }] of Object.entries(refused)) {
  t.test(`refused: ${name}`, async t => {
    const gang = gangOf(world)
    t.match(gang?.problem ?? '', want)
  })
}

t.test('what a gang asks for besides', async t => {
  const asked = gangOf({
    pods: [
      own({
        'muster.dev/gang-timeout': '1m30s',
        'muster.dev/on-timeout': 'fail',
        'muster.dev/on-partial': 'evict',
        'muster.dev/min-resources': '{"cpu":"1500m","nvidia.com/gpu":8}',
        'muster.dev/pin': 'true',
        'muster.dev/topology-required': 'rack'
      }),
      own({ 'muster.dev/queue': 'q' })
    ]
  })
  t.match(asked, {
    gangTimeoutMs: 90_000,
    onTimeout: 'fail',
    onPartial: 'evict',
    pin: true,
    inactive: ['muster.dev/queue', 'muster.dev/topology-required']
  })
  t.strictSame(
    [...(asked?.minResources ?? [])],
    [
      ['cpu', 1500],
      ['nvidia.com/gpu', 8]
    ]
  )
  const silent = {
    gangTimeoutMs: undefined,
    onTimeout: 'requeue',
    onPartial: 'hold',
    pin: false,
    minResources: undefined,
    inactive: []
  }
  t.match(gangOf({ pods: [own()] }), silent)
  const koordinator = {
    'gang.scheduling.koordinator.sh/name': 'g',
    'gang.scheduling.koordinator.sh/waiting-time': '30s'
  }
  t.equal(gangOf({ pods: [{ annotations: koordinator }] })?.gangTimeoutMs, 30_000)
  const group = { api: 'scheduling.x-k8s.io', minMember: 1, timeoutMs: 10_000, minResources: new Map([['cpu', 1]]) }
  const labelled = { labels: { 'scheduling.x-k8s.io/pod-group': 'g' } }
  t.match(gangOf({ pods: [labelled], groups: [group] }), { gangTimeoutMs: 10_000, minResources: group.minResources })
  const louder = { ...labelled, annotations: { 'muster.dev/gang-timeout': '5s' } }
  t.equal(gangOf({ pods: [louder], groups: [group] })?.gangTimeoutMs, 5_000)
})

const ofJob = (uid: string): Words => ({
  metadata: { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: uid, uid, controller: true }] }
})

t.test('members that are done, leaving or gated, as each dialect counts them', async t => {
  const named: Record<string, Words> = {
    muster: own({ 'muster.dev/min-member': '3' }),
    'scheduler-plugins': { labels: { 'scheduling.x-k8s.io/pod-group': 'g' } },
    volcano: { annotations: { 'scheduling.k8s.io/group-name': 'g', 'scheduling.volcano.sh/group-min-member': '3' } }
  }
  const groups = [{ api: 'scheduling.x-k8s.io', minMember: 3 }]
  const done = { status: { phase: 'Succeeded' } }
  const doneThere = { ...done, spec: { nodeName: 'n' } }
  const running = { status: { phase: 'Running' }, spec: { nodeName: 'n' } }
  const leaving = { ...running, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }
  const gated = { spec: { schedulingGates: [{ name: 'kueue.x-k8s.io/admission' }] } }
  const cases: Record<string, { pods: Words[]; want: Texts }> = {
    'done without ever having stood on a node': {
      pods: [done, {}, {}],
      want: { muster: 'forming', 'scheduler-plugins': 'forming', volcano: 'waiting' }
    },
    'done on a node': {
      pods: [doneThere, {}, {}],
      want: { muster: 'forming', 'scheduler-plugins': 'forming', volcano: 'waiting' }
    },
    'done, of the Job whose others wait': {
      pods: [{ ...doneThere, ...ofJob('one') }, ofJob('one'), ofJob('one')],
      want: { muster: 'waiting', 'scheduler-plugins': 'forming', volcano: 'waiting' }
    },
    'done, of an earlier Job': {
      pods: [{ ...doneThere, ...ofJob('one') }, ofJob('two'), ofJob('two')],
      want: { muster: 'forming', 'scheduler-plugins': 'forming', volcano: 'waiting' }
    },
    'done beside others that run': {
      pods: [doneThere, running, running],
      want: { muster: 'running', 'scheduler-plugins': 'running', volcano: 'running' }
    },
    leaving: {
      pods: [leaving, {}, {}],
      want: { muster: 'forming', 'scheduler-plugins': 'forming', volcano: 'forming' }
    },
    failed: {
      pods: [{ ...running, status: { phase: 'Failed' } }, {}, {}],
      want: { muster: 'forming', 'scheduler-plugins': 'forming', volcano: 'forming' }
    },
    'gated by others': {
      pods: [gated, {}, {}],
      want: { muster: 'forming', 'scheduler-plugins': 'forming', volcano: 'forming' }
    }
  }
  for (const [name, { pods, want }] of Object.entries(cases)) {
    for (const [dialect, state] of Object.entries(want)) {
      const gang = gangOf({ pods: pods.map(one => ({ ...one, ...named[dialect] })), groups })
      t.equal(gang && gangState(gang, undefined), state, `${name}: ${dialect}`)
    }
  }
  // CS-10 of scheduler-plugins.
  const six = gangOf({
    pods: [doneThere, {}, {}, {}, {}, {}].map(one => ({ ...one, ...named['scheduler-plugins'] })),
    groups: [{ api: 'scheduling.x-k8s.io', minMember: 6 }]
  })
  t.equal(six && gangState(six, undefined), 'forming')
  t.equal(six && placeable(six).length, 5)
})

t.test('of annotations, only what the table reads is kept', async t => {
  const one = projector.pod(
    podOf('p', {
      labels: { app: 'x', 'spark-role': 'driver', 'jobset.sigs.k8s.io/job-key': 'k' },
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'muster.dev/anything': '1',
        priority: '3'
      }
    })
  )
  t.strictSame([...one.annotations.keys()].toSorted(), ['muster.dev/anything', 'priority'])
  t.equal(membership(one), undefined, 'a Spark role alone makes no gang')
})
