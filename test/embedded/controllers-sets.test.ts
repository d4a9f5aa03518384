import t from 'tap'
import { namesOf, plane, template } from './parts.ts'

const daemons = (spec: object = {}, pod: { annotations?: Record<string, string>; spec?: object } = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'agent' } }, template: template({ app: 'agent' }, pod), ...spec }
})
const stateful = (replicas: number, spec: object = {}, annotations: Record<string, string> = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'default' },
  spec: {
    replicas,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: template({ app: 'db' }, { annotations }),
    ...spec
  }
})
const nodesOf = (p: ReturnType<typeof plane>): string[] =>
  p
    .pods()
    .map(pod => pod.spec.nodeName ?? '')
    .toSorted()

t.test('S4.51 a DaemonSet has one pod on each node that fits, new ones included', async t => {
  const gpu = { name: 'gpu', labels: { gpu: 'yes' } }
  const p = plane(t, { nodes: ['n-0', 'n-1', gpu] })
  p.apply(daemons())
  await p.run()
  t.strictSame(nodesOf(p), ['gpu', 'n-0', 'n-1'])
  t.match(p.get('daemonsets.apps', 'agent').status, { desiredNumberScheduled: 3, numberReady: 3, numberAvailable: 3 })
  p.kubelet.addNode({ name: 'n-2' })
  await p.run()
  t.strictSame(nodesOf(p), ['gpu', 'n-0', 'n-1', 'n-2'])
  p.api.patch(
    { resource: 'daemonsets.apps', namespace: 'default', name: 'agent' },
    { spec: { template: { spec: { nodeSelector: { gpu: 'yes' } } } } }
  )
  await p.run(2000)
  t.strictSame(nodesOf(p), ['gpu'])
  const settled = p.writes.length
  await p.run(5000)
  t.equal(p.writes.length, settled)
})

t.test('a DaemonSet stays off tainted nodes, and on cordoned ones', async t => {
  const tainted = { name: 'n-1', taints: [{ key: 'own', effect: 'NoSchedule' }] }
  const p = plane(t, { nodes: ['n-0', tainted, 'n-2'] })
  p.api.patch({ resource: 'nodes', name: 'n-2' }, { spec: { unschedulable: true } })
  await p.run()
  p.apply(daemons())
  await p.run()
  t.strictSame(nodesOf(p), ['n-0', 'n-2'])
})

t.test('a new template replaces daemons one node at a time', async t => {
  const p = plane(t, { nodes: ['n-0', 'n-1', 'n-2'] })
  p.apply(daemons({}, { annotations: { 'muster.dev/simulated-ready-delay': '200ms' } }))
  await p.run(1000)
  let least = 3
  p.api.watch('pods', () => {
    const ready = p
      .pods()
      .filter(pod => pod.status?.conditions?.some(each => each.type === 'Ready' && each.status === 'True'))
    least = Math.min(least, ready.length)
  })
  const metadata = { annotations: { 'muster.dev/simulated-ready-delay': '300ms' } }
  p.api.patch(
    { resource: 'daemonsets.apps', namespace: 'default', name: 'agent' },
    { spec: { template: { metadata } } }
  )
  await p.run(5000)
  t.equal(least, 2)
  t.match(p.get('daemonsets.apps', 'agent').status, { updatedNumberScheduled: 3, numberAvailable: 3 })
})

t.test('a StatefulSet starts its pods one after the other, and stops them from the end', async t => {
  const p = plane(t)
  p.apply(stateful(3, {}, { 'muster.dev/simulated-ready-delay': '1s' }))
  const seen: string[] = []
  p.api.watch('pods', ({ type, object }) => type !== 'MODIFIED' && seen.push(`${type} ${object.metadata.name}`))
  await p.run(900)
  t.strictSame(namesOf(p.pods()), ['db-0'], 'db-1 waits until db-0 is ready')
  await p.run(4000)
  t.strictSame(namesOf(p.pods()), ['db-0', 'db-1', 'db-2'])
  t.match(p.get('statefulsets.apps', 'db').status, { replicas: 3, readyReplicas: 3 })
  p.api.patch({ resource: 'statefulsets.apps', namespace: 'default', name: 'db' }, { spec: { replicas: 1 } })
  await p.run(4000)
  t.strictSame(seen.slice(-2), ['DELETED db-2', 'DELETED db-1'])
  t.match(p.pods()[0]!.metadata.labels, {
    'statefulset.kubernetes.io/pod-name': 'db-0',
    'apps.kubernetes.io/pod-index': '0'
  })
})

t.test('Parallel: all at once; a new template replaces them from the end', async t => {
  const p = plane(t)
  p.apply(stateful(3, { podManagementPolicy: 'Parallel' }, { 'muster.dev/simulated-ready-delay': '1s' }))
  await p.run(500)
  t.equal(p.pods().length, 3)
  await p.run(2000)
  const gone: string[] = []
  p.api.watch('pods', ({ type, object }) => type === 'DELETED' && gone.push(object.metadata.name))
  const annotations = { 'muster.dev/simulated-ready-delay': '100ms' }
  p.api.patch(
    { resource: 'statefulsets.apps', namespace: 'default', name: 'db' },
    { spec: { template: { metadata: { annotations } } } }
  )
  await p.run(8000)
  t.strictSame(gone, ['db-2', 'db-1', 'db-0'])
  t.match(p.get('statefulsets.apps', 'db').status, { updatedReplicas: 3, readyReplicas: 3 })
  const settled = p.writes.length
  await p.run(5000)
  t.equal(p.writes.length, settled)
})
