import t from 'tap'
import { plane, type Plane } from './parts.ts'

const pod = (
  name: string,
  more: { annotations?: Record<string, string>; spec?: object; finalizers?: string[] } = {}
) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    ...(more.annotations && { annotations: more.annotations }),
    ...(more.finalizers && { finalizers: more.finalizers })
  },
  spec: { nodeName: 'n-0', containers: [{ name: 'main', image: 'none' }], ...more.spec }
})
const reference = (name: string) => ({ resource: 'pods', namespace: 'default', name })
const annotate = (p: Plane, name: string, annotations: Record<string, string | null>) =>
  p.api.patch(reference(name), { metadata: { annotations } })
const isReady = (p: Plane, name: string): boolean =>
  p.get('pods', name).status.conditions!.some(({ type, status }) => type === 'Ready' && status === 'True')

t.test('a pod becomes Running and Ready in one write, with an address of its own', async t => {
  const p = plane(t)
  p.apply(pod('one'))
  p.apply(pod('two'))
  await p.run()
  t.match(p.get('pods', 'one').status, {
    phase: 'Running',
    startTime: String,
    hostIP: /^127\./,
    podIP: /^127\./,
    containerStatuses: [
      { name: 'main', ready: true, started: true, restartCount: 0, state: { running: { startedAt: String } } }
    ]
  })
  t.ok(isReady(p, 'one'))
  if (process.platform === 'linux') t.not(p.get('pods', 'one').status['podIP'], p.get('pods', 'two').status['podIP'])
  t.equal(p.writes.filter(write => write === 'update pods').length, 2)
})

t.test('duration and exit code: a pod that is not restarted ends as they say', async t => {
  const cases = {
    ok: { annotations: { 'muster.dev/simulated-duration': '2s' }, want: { phase: 'Succeeded', code: 0 } },
    bad: {
      annotations: { 'muster.dev/simulated-duration': '1500ms', 'muster.dev/simulated-exit-code': '7' },
      want: { phase: 'Failed', code: 7 }
    }
  }
  const p = plane(t)
  for (const [name, { annotations }] of Object.entries(cases))
    p.apply(pod(name, { annotations, spec: { restartPolicy: 'Never' } }))
  await p.run(1000)
  t.equal(p.get('pods', 'ok').status.phase, 'Running')
  await p.run(1500)
  for (const [name, { want }] of Object.entries(cases)) {
    const { status } = p.get('pods', name)
    t.strictSame(
      [status.phase, status.containerStatuses![0]!.state.terminated!.exitCode],
      [want.phase, want.code],
      name
    )
    t.notOk(isReady(p, name))
  }
})

t.test('containers that end are started again after 0, 10, 20, 40 … seconds, 5 minutes at most', async t => {
  const p = plane(t)
  const annotations = { 'muster.dev/simulated-duration': '1s', 'muster.dev/simulated-exit-code': '1' }
  p.apply(pod('crash', { annotations }))
  const starts: number[] = []
  let count = -1
  p.api.watch('pods', ({ object }) => {
    const status = (
      object as unknown as { status: { containerStatuses?: { restartCount: number; state: { running?: object } }[] } }
    ).status.containerStatuses?.[0]
    if (status?.state.running === undefined || status.restartCount === count) return
    count = status.restartCount
    starts.push(p.clock.now())
  })
  await p.run(1_500_000)
  const pauses = starts.slice(1).map((at, index) => Math.round((at - starts[index]!) / 1000) - 1)
  t.strictSame(pauses.slice(0, 9), [0, 10, 20, 40, 80, 160, 300, 300, 300])
  t.match(p.get('pods', 'crash').status.containerStatuses![0], {
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: { exitCode: 1 } }
  })
})

t.test('probes by annotation: readiness comes and goes, a failed liveness restarts', async t => {
  const p = plane(t)
  p.apply(pod('web', { annotations: { 'muster.dev/simulated-ready-delay': '2s' } }))
  await p.run(1000)
  t.notOk(isReady(p, 'web'))
  await p.run(2000)
  t.ok(isReady(p, 'web'))
  annotate(p, 'web', { 'muster.dev/simulated-ready': 'false' })
  await p.run()
  t.notOk(isReady(p, 'web'))
  annotate(p, 'web', {
    'muster.dev/simulated-ready': null,
    'muster.dev/simulated-ready-delay': null,
    'muster.dev/simulated-live': 'false'
  })
  await p.run()
  t.match(p.get('pods', 'web').status.containerStatuses, [{ lastState: { terminated: { exitCode: 137 } } }])
  annotate(p, 'web', { 'muster.dev/simulated-live': null })
  await p.run(20_000)
  t.ok(isReady(p, 'web'))
})

t.test('a deleted pod is gone when it has stopped; finalizers keep it as Failed', async t => {
  const p = plane(t)
  p.apply(pod('quick'))
  p.apply(pod('slow', { annotations: { 'muster.dev/simulated-stop-duration': '5s' } }))
  p.apply(
    pod('stubborn', {
      annotations: { 'muster.dev/simulated-stop-duration': '1h' },
      spec: { terminationGracePeriodSeconds: 3 }
    })
  )
  p.apply(pod('held', { finalizers: ['example.com/hold'] }))
  await p.run()
  for (const name of ['quick', 'slow', 'stubborn', 'held']) p.api.delete(reference(name))
  await p.run(1000)
  t.strictSame(
    p.pods().map(each => each.metadata.name),
    ['held', 'slow', 'stubborn']
  )
  t.equal(p.get('pods', 'held').status.phase, 'Failed')
  await p.run(3000)
  t.strictSame(
    p.pods().map(each => each.metadata.name),
    ['held', 'slow'],
    'no longer than its grace period'
  )
  await p.run(2000)
  p.api.patch(reference('held'), { metadata: { finalizers: null } })
  await p.run()
  t.strictSame(p.pods(), [])
})

t.test('init containers are done when the pod runs', async t => {
  const p = plane(t)
  p.apply(pod('web', { spec: { initContainers: [{ name: 'first', image: 'none' }] } }))
  await p.run()
  t.match(p.get('pods', 'web').status.initContainerStatuses, [
    { name: 'first', ready: true, state: { terminated: { exitCode: 0 } } }
  ])
})

t.test('nodes register with what they have and a Ready condition', async t => {
  const p = plane(t, {
    nodes: [
      { name: 'big', labels: { zone: 'a' }, allocatable: { cpu: '64' }, taints: [{ key: 'own', effect: 'NoSchedule' }] }
    ]
  })
  await p.run()
  const node = p.api.get({ resource: 'nodes', name: 'big' }) as unknown as ReturnType<Plane['get']>
  t.match(node.metadata.labels, { zone: 'a', 'kubernetes.io/hostname': 'big' })
  t.match(node.status, { allocatable: { cpu: '64', memory: '32Gi', pods: '110' }, capacity: { cpu: '64' } })
  t.match(
    node.status.conditions!.find(({ type }) => type === 'Ready'),
    { status: 'True', reason: 'KubeletReady' }
  )
  t.match(node.spec.taints, [{ key: 'own', effect: 'NoSchedule' }])
})

t.test('pods on nodes of others are not its business', async t => {
  const p = plane(t)
  p.apply(pod('far', { spec: { nodeName: 'elsewhere' } }))
  await p.run(2000)
  t.equal(p.get('pods', 'far').status.phase, 'Pending')
})

t.test('pods that want nothing cost no timer each', async t => {
  const p = plane(t)
  await p.run(100)
  const before = p.clock.pending
  for (let index = 0; index < 500; index++) p.apply(pod(`p-${index}`))
  await p.run(500)
  t.equal(p.pods().filter(each => each.status?.phase === 'Running').length, 500)
  t.ok(p.clock.pending - before <= 3, `${p.clock.pending - before} timers more`)
  for (let index = 0; index < 500; index++)
    annotate(p, `p-${index}`, { 'muster.dev/simulated-duration': `${60 + index}s` })
  await p.run(500)
  t.ok(p.clock.pending - before <= 4, `${p.clock.pending - before} timers more, for 500 deadlines`)
})

t.test('a log says that nothing runs', async t => {
  const p = plane(t)
  p.apply(pod('web'))
  await p.run()
  t.match(p.kubelet.logs({ name: 'web' }), [{ text: /simulated/ }])
  t.equal(p.kubelet.logs({ name: 'web' }, { container: 'other' }), undefined)
  t.equal(p.kubelet.logs({ name: 'nobody' }), undefined)
})
