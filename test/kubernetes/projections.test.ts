import t from 'tap'
import { Cache } from '../../extender/kubernetes/cache.ts'
import { budget } from '../../extender/kubernetes/budgets.ts'
import { StringTable } from '../../extender/kubernetes/intern.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { State } from '../../extender/state.ts'
import type { Shape } from '../../policies/types.ts'
import { fakeApiServer, type Reply } from './fake-api-server.ts'
import { parts } from './parts.ts'

type Json = Record<string, unknown>

function pod({ metadata = {}, spec = {}, status = {} }: { metadata?: Json; spec?: Json; status?: Json } = {}): Json {
  return {
    metadata: { name: 'a', namespace: 'ns', uid: 'u1', creationTimestamp: '2026-01-02T03:04:05Z', ...metadata },
    spec: { containers: [{ resources: { requests: { cpu: '250m', memory: '1Gi' } } }], ...spec },
    status
  }
}

t.test('S3.12 a pod, with all that planning reads', async t => {
  const projected = new Projector().pod(
    pod({
      metadata: {
        deletionTimestamp: '2026-01-02T04:00:00Z',
        labels: { 'pod-group': 'g', app: 'web' },
        annotations: { 'muster.dev/gang': 'g', priority: '5', other: 'dropped', 'muster.dev/odd': 7 },
        ownerReferences: [
          { kind: 'Node', name: 'n', uid: 'x' },
          { kind: 'Job', name: 'j', uid: 'ju', controller: true }
        ]
      },
      spec: {
        schedulerName: 'muster',
        priority: 100,
        preemptionPolicy: 'Never',
        terminationGracePeriodSeconds: 7,
        nodeName: 'n1',
        schedulingGates: [{ name: 'muster.dev/gang' }, { name: 'other/gate' }],
        nodeSelector: { zone: 'a', disk: 'ssd' },
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [{ key: 'gpu', operator: 'In', values: ['a', 'b'] }],
                  matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }]
                },
                { matchExpressions: [{ key: 'x', operator: 'Exists' }] }
              ]
            }
          }
        },
        tolerations: [
          { key: 'k', operator: 'Exists', effect: 'NoSchedule' },
          { key: 'j', value: 'v' }
        ],
        initContainers: [
          { ports: [{ hostPort: 1, containerPort: 1 }] },
          { restartPolicy: 'Always', ports: [{ hostPort: 9100, hostIP: '10.0.0.1', protocol: 'UDP' }] }
        ],
        containers: [
          { ports: [{ containerPort: 80 }, { hostPort: 8080, containerPort: 80 }] },
          { resources: { requests: { cpu: '250m', memory: '1Gi', 'x.io/gpu': '2' } } }
        ]
      },
      status: {
        phase: 'Running',
        startTime: '2026-01-02T03:05:00Z',
        nominatedNodeName: 'n2',
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/5 nodes' }
        ]
      }
    })
  )
  const { shape, ...rest } = projected
  t.strictSame(rest, {
    uid: 'u1',
    namespace: 'ns',
    name: 'a',
    schedulerName: 'muster',
    priority: 100,
    createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    phase: 'Running',
    terminating: true,
    leavesBy: Date.UTC(2026, 0, 2, 4),
    startedAt: Date.UTC(2026, 0, 2, 3, 5),
    graceMs: 7_000,
    preempts: false,
    gates: ['muster.dev/gang', 'other/gate'],
    nodeName: 'n1',
    nominatedNodeName: 'n2',
    scheduled: { status: 'False', reason: 'Unschedulable', message: '0/5 nodes' },
    native: false,
    inTree: false,
    repels: false,
    managed: false,
    controller: { kind: 'Job', name: 'j', uid: 'ju' },
    labels: new Map([
      ['pod-group', 'g'],
      ['app', 'web']
    ]),
    annotations: new Map([
      ['muster.dev/gang', 'g'],
      ['priority', '5']
    ])
  })
  const { key, ...fields } = shape
  t.type(key, 'string')
  t.strictSame(fields, {
    requests: new Map([
      ['pods', 1],
      ['cpu', 250],
      ['memory', 2 ** 30],
      ['x.io/gpu', 2]
    ]),
    nodeSelector: new Map([
      ['disk', 'ssd'],
      ['zone', 'a']
    ]),
    affinity: [
      {
        matchExpressions: [{ key: 'gpu', operator: 'In', values: ['a', 'b'] }],
        matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }]
      },
      { matchExpressions: [{ key: 'x', operator: 'Exists', values: [] }], matchFields: [] }
    ],
    tolerations: [
      { key: 'j', operator: 'Equal', value: 'v', effect: '' },
      { key: 'k', operator: 'Exists', value: '', effect: 'NoSchedule' }
    ],
    hostPorts: [
      { hostIP: '', protocol: 'TCP', port: 8080 },
      { hostIP: '10.0.0.1', protocol: 'UDP', port: 9100 }
    ]
  })
})

t.test('a pod that says next to nothing', async t => {
  const { shape, ...rest } = new Projector().pod({ metadata: { name: 'a', namespace: 'ns', uid: 'u' } })
  t.match(rest, { schedulerName: 'default-scheduler', priority: 0, createdAt: 0, phase: 'Pending', terminating: false })
  t.strictSame([rest.nodeName, rest.scheduled, rest.controller, rest.gates], [undefined, undefined, undefined, []])
  t.strictSame(shape.requests, new Map([['pods', 1]]))
  t.equal(shape.affinity, undefined)
})

t.test('native groups are told apart', async t => {
  const { pod: project } = new Projector()
  t.ok(project(pod({ spec: { schedulingGroup: { podGroupName: 'g' } } })).native)
  t.ok(project(pod({ spec: { workloadRef: { name: 'w' } } })).native)
  t.notOk(project(pod({ spec: { schedulingGroup: null, workloadRef: 'no' } })).native)
})

t.test('equal constraints are one shape, whatever their order', async t => {
  const { pod: project } = new Projector()
  const shape = (spec: Json, metadata: Json = {}): Shape => project(pod({ spec, metadata })).shape
  const tolerations = [{ key: 'a' }, { key: 'b' }]
  const first = shape({ tolerations, nodeSelector: { a: '1', b: '2' } })
  t.equal(shape({ tolerations: tolerations.toReversed(), nodeSelector: { b: '2', a: '1' } }, { uid: 'u2' }), first)
  t.equal(shape({}), shape({ schedulerName: 'other', priority: 5, nodeName: 'n', hostNetwork: true }))
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } }
  const different: Json[] = [
    {},
    { tolerations },
    { tolerations: [{ key: 'a' }] },
    { nodeSelector: { a: '1' } },
    { nodeSelector: { a: '2' } },
    { affinity },
    { containers: [{ resources: { requests: { cpu: '251m', memory: '1Gi' } } }] },
    { containers: [{ ports: [{ hostPort: 80 }], resources: { requests: { cpu: '250m', memory: '1Gi' } } }] }
  ]
  const keys = new Set(different.map(spec => shape(spec).key))
  t.equal(keys.size, different.length)
})

const affinity = (kind: string, strength: string) => ({
  affinity: { [kind]: { [strength]: [{ topologyKey: 'k' }] } }
})
const spread = (whenUnsatisfiable: string) => ({ topologySpreadConstraints: [{ whenUnsatisfiable }] })

t.test('whether rules of kube-scheduler alone decide where a pod may go', async t => {
  const [required, preferred] = ['required', 'preferred'].map(each => `${each}DuringSchedulingIgnoredDuringExecution`)
  const cases: readonly [name: string, spec: object, inTree: boolean, repels: boolean][] = [
    ['nothing said', {}, false, false],
    ['a claim', { volumes: [{ persistentVolumeClaim: { claimName: 'c' } }] }, true, false],
    ['a volume of its own', { volumes: [{ name: 'v', ephemeral: {} }] }, true, false],
    ['volumes that any node has', { volumes: [{ emptyDir: {} }, { configMap: {} }, { projected: {} }] }, false, false],
    ['a device', { resourceClaims: [{ name: 'gpu' }] }, true, false],
    ['affinity', affinity('podAffinity', required!), true, false],
    ['a preference', affinity('podAntiAffinity', preferred!), false, false],
    ['anti-affinity', affinity('podAntiAffinity', required!), true, true],
    ['a strict spread', spread('DoNotSchedule'), true, false],
    ['a spread that may give way', spread('ScheduleAnyway'), false, false],
    ['nonsense', { volumes: 3, affinity: [], resourceClaims: 'x', topologySpreadConstraints: {} }, false, false]
  ]
  for (const [name, spec, inTree, repels] of cases) {
    const pod = new Projector().pod({ metadata: { name: 'a', namespace: 'ns', uid: 'u' }, spec })
    t.strictSame([pod.inTree, pod.repels], [inTree, repels], name)
  }
})

t.test('a node', async t => {
  const { node: project } = new Projector()
  const metadata = { name: 'n1', uid: 'nu', labels: { zone: 'a', any: 'kept' } }
  const node = project({
    metadata,
    spec: {
      unschedulable: true,
      taints: [
        { key: 'k', value: 'v', effect: 'NoSchedule' },
        { key: 'l', effect: 'NoExecute' }
      ]
    },
    status: {
      allocatable: { cpu: '3920m', memory: '7Gi', pods: '110', 'x.io/gpu': 8, odd: 'no quantity' },
      conditions: [{ type: 'Ready', status: 'Unknown' }]
    }
  })
  t.strictSame(node, {
    name: 'n1',
    uid: 'nu',
    labels: new Map([
      ['zone', 'a'],
      ['any', 'kept']
    ]),
    taints: [
      { key: 'k', value: 'v', effect: 'NoSchedule' },
      { key: 'l', value: '', effect: 'NoExecute' }
    ],
    unschedulable: true,
    ready: false,
    allocatable: new Map([
      ['cpu', 3920],
      ['memory', 7 * 2 ** 30],
      ['pods', 110],
      ['x.io/gpu', 8]
    ])
  })
  t.ok(project({ metadata }).ready, 'without the condition it counts as ready')
  t.ok(project({ metadata, status: { conditions: [{ type: 'Ready', status: 'True' }] } }).ready)
})

t.test('how many pods a controller wants', async t => {
  const projector = new Projector()
  const size = (kind: 'Job' | 'StatefulSet', spec: unknown): number | undefined =>
    projector.controller(kind)({ metadata: { uid: 'c' }, spec }).size
  t.strictSame(projector.controller('ReplicaSet')({ metadata: { uid: 'c' }, spec: { replicas: 3 } }), {
    uid: 'c',
    kind: 'ReplicaSet',
    size: 3
  })
  t.equal(size('StatefulSet', { replicas: '3' }), undefined)
  t.equal(size('StatefulSet', null), undefined)
  t.equal(size('Job', { parallelism: 4 }), 4)
  t.equal(size('Job', { parallelism: 4, completions: 2 }), 2)
  t.equal(size('Job', { parallelism: 4, completions: 8 }), 4)
  t.equal(size('Job', { completions: 8 }), undefined)
})

t.test('hostile content reads as absent, or throws where there is no identity', async t => {
  const projector = new Projector({ keepAnnotation: () => true })
  const identity = '"metadata":{"name":"a","namespace":"ns","uid":"u"'
  const hostile = [
    `{${identity},"labels":{"__proto__":"x","constructor":"y"},"annotations":[1]},"spec":[],"status":"no"}`,
    `{${identity},"ownerReferences":{"a":1}},"spec":{"containers":[null,1,{"ports":[null]}],"tolerations":[null]}}`,
    `{${identity}},"spec":{"containers":{"length":5},"priority":1e999,"nodeName":{},"schedulingGates":[null,{"name":3}]}}`,
    `{${identity},"creationTimestamp":"yesterday"},"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[1]}}}}`,
    `{${identity}},"spec":{"__proto__":{"nodeName":"n"},"containers":[{"resources":{"requests":{"cpu":"-1","__proto__":"3","memory":"lots"}}}]}}`,
    `{${identity}},"spec":{"initContainers":"x","overhead":7},"status":{"conditions":[null,{"type":"PodScheduled","status":3}],"phase":"Dancing"}}`
  ]
  for (const text of hostile) t.doesNotThrow(() => projector.pod(JSON.parse(text)), text)
  t.equal(projector.pod(JSON.parse(hostile[0]!)).labels.get('__proto__'), 'x')
  t.equal(projector.pod(JSON.parse(hostile[5]!)).phase, 'Unknown')
  t.equal(({} as Json).nodeName, undefined)
  for (const text of ['{}', '{"metadata":null}', '{"metadata":{"name":7,"namespace":"ns","uid":8}}']) {
    t.throws(() => projector.pod(JSON.parse(text)), TypeError)
    t.throws(() => projector.node(JSON.parse(text)), TypeError)
    t.throws(() => projector.controller('Job')(JSON.parse(text)), TypeError)
  }
})

t.test('the string table is bounded', async t => {
  const table = new StringTable(2)
  for (const value of ['a', 'b', 'c', 'a']) t.equal(table.one(value), value)
  t.equal(
    table.map({ x: 'y', z: 1 }, () => false),
    table.map({}, () => true),
    'all empty maps are one'
  )
  const labels = (): ReadonlyMap<string, string> => table.map({ app: 'web', tier: 'a' }, () => true)
  t.equal(labels(), labels(), 'equal maps are one')
})

t.test('disruption budgets and whom they select', async t => {
  const labels = new Map([
    ['app', 'web'],
    ['tier', 'a']
  ])
  const cases: Record<string, { readonly selector: unknown; readonly want: boolean }> = {
    'no selector selects nobody': { selector: undefined, want: false },
    'an empty one everybody': { selector: {}, want: true },
    'equal labels': { selector: { matchLabels: { app: 'web' } }, want: true },
    'other labels': { selector: { matchLabels: { app: 'web', tier: 'b' } }, want: false },
    'a value in a set': {
      selector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }] },
      want: true
    },
    'a label in a set that is not there': {
      selector: { matchExpressions: [{ key: 'x', operator: 'In', values: [''] }] },
      want: false
    },
    'a value not in a set': {
      selector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['a'] }] },
      want: false
    },
    'a label that is not there is in no set': {
      selector: { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['a'] }] },
      want: true
    },
    'a label that is there': { selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, want: true },
    'a label that is not there': {
      selector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] },
      want: false
    },
    'an operator that nobody knows': { selector: { matchExpressions: [{ key: 'app', operator: 'Like' }] }, want: false }
  }
  const metadata = { uid: 'u', namespace: 'ns', name: 'b' }
  for (const [name, { selector, want }] of Object.entries(cases))
    t.equal(budget({ metadata, spec: { selector } }).selects(labels), want, name)
  t.equal(budget({ metadata, status: { disruptionsAllowed: 3 } }).allowed, 3)
  t.equal(budget({ metadata }).allowed, 0, 'without a status it allows nothing yet')
  t.throws(() => budget({ metadata: { uid: 'u', name: 'b' } }), TypeError)
})

t.test('an API server that does not let muster read disruption budgets keeps nobody waiting', async t => {
  const server = await fakeApiServer(t, (received, reply) => {
    if (received.path.endsWith('/poddisruptionbudgets')) reply.status(403)
    else if (received.query.has('watch')) reply.watch()
    else reply.list('9', [])
  })
  const given = parts(t, server.url)
  const cache = new Cache({ ...given, projector: new Projector(), state: new State() })
  await cache.start()
  t.ok(cache.checks().every(check => check.problem() === undefined))
  t.match(given.log.lines.join(), /poddisruptionbudgets/)
  await cache.stop()
})

function replicaSet(uid: string, replicas: number): Json {
  return { metadata: { name: uid, namespace: 'ns', uid, resourceVersion: '2' }, spec: { replicas } }
}

t.test('S2.7 S2.8 S3.7 the cache keeps the state in step, and is ready once all is listed', async t => {
  let replicaSets = [replicaSet('r1', 1), replicaSet('r2', 2)]
  const open = new Map<string, Reply>()
  const server = await fakeApiServer(t, (received, reply) => {
    const resource = received.path.slice(received.path.lastIndexOf('/') + 1)
    if (received.query.has('watch')) open.set(resource, reply.watch())
    else reply.list('9', resource === 'replicasets' ? replicaSets : [])
  })
  const given = parts(t, server.url)
  const state = new State()
  const cache = new Cache({ ...given, projector: new Projector(), state })
  const sizes = (): (number | undefined)[] => ['r1', 'r2', 'r3'].map(uid => state.facts.controllerSize(uid))
  const listed = () => cache.checks().filter(({ name }) => name !== 'up to date')
  t.ok(listed().every(check => check.problem() === 'not listed yet'))
  await cache.start()
  t.ok(cache.checks().every(check => check.problem() === undefined))
  t.equal(listed().length, 8)
  await given.clock.settled(() => open.size === 8)
  t.strictSame(sizes(), [1, 2, undefined])
  const shown = pod({ metadata: { resourceVersion: '3' } })
  open.get('pods')!.event('ADDED', shown)
  await given.clock.settled(() => state.pod('u1') !== undefined)
  open.get('pods')!.event('DELETED', shown)
  await given.clock.settled(() => state.pod('u1') === undefined)
  const node = { metadata: { name: 'n1', uid: 'nu', resourceVersion: '3' } }
  open.get('nodes')!.event('ADDED', node)
  await given.clock.settled(() => state.snapshot().node('n1') !== undefined)
  open.get('nodes')!.event('DELETED', node)
  await given.clock.settled(() => state.snapshot().node('n1') === undefined)
  const budget = { metadata: { ...{ name: 'b', namespace: 'ns', uid: 'bu' }, resourceVersion: '3' } }
  open.get('poddisruptionbudgets')!.event('ADDED', budget)
  await given.clock.settled(() => [...state.facts.budgets()].length === 1)
  open.get('poddisruptionbudgets')!.event('DELETED', budget)
  await given.clock.settled(() => [...state.facts.budgets()].length === 0)
  open.get('replicasets')!.event('MODIFIED', replicaSet('r2', 5)).event('DELETED', replicaSet('r1', 1))
  open.get('replicasets')!.event('ADDED', replicaSet('r3', 3))
  await given.clock.settled(() => state.facts.controllerSize('r3') === 3)
  t.strictSame(sizes(), [undefined, 5, 3])
  replicaSets = [replicaSet('r1', 7)]
  open.get('replicasets')!.event('ERROR', { code: 410 })
  await given.clock.until(() => state.facts.controllerSize('r1') === 7)
  t.strictSame(sizes(), [7, undefined, undefined], 'also what only the watch had shown is gone')
  await cache.stop()
  t.equal(given.clock.pending, 0)
})

t.test(
  'a picture of which nothing was heard, also after its watch was opened anew, is out of date until it is',
  async t => {
    const answers = { watches: true }
    const server = await fakeApiServer(t, (received, reply) => {
      if (received.path !== '/api/v1/pods' || !received.query.has('watch')) reply.list('9', [])
      else if (answers.watches) reply.watch()
    })
    const given = parts(t, server.url)
    const cache = new Cache({ ...given, idleMs: 20_000, projector: new Projector(), state: new State() })
    const problem = (): string | undefined =>
      cache
        .checks()
        .find(({ name }) => name === 'up to date')
        ?.problem()
    await cache.start()
    t.equal(cache.outdated(), undefined)
    answers.watches = false
    const passed = await given.clock.until(() => cache.outdated()?.includes('pods') === true, 1_000)
    t.ok(passed > 30_000, `${passed} ms: the watch was opened anew in vain first`)
    t.match(problem(), /^the API server has told nothing of pods for 3\d s$/)
    answers.watches = true
    await given.clock.until(() => cache.outdated() === undefined, 1_000)
    t.equal(problem(), undefined)
    await cache.stop()
  }
)
