import t from 'tap'
import { compare, deployment, plane, template } from './parts.ts'

const reference = { resource: 'deployments.apps', namespace: 'default', name: 'web' }
const image = (name: string, annotations: Record<string, string> = {}) => ({
  template: { metadata: { labels: { app: 'web' }, annotations }, spec: { containers: [{ name: 'main', image: name }] } }
})

t.test('a Deployment makes a ReplicaSet named by its template, and tells of it in its status', async t => {
  const p = plane(t)
  p.apply(deployment('web', 3))
  await p.run()
  const [set] = p.api.list('replicasets.apps').items
  const hash = set!.metadata.labels!['pod-template-hash']!
  t.equal(set!.metadata.name, `web-${hash}`)
  t.ok(
    p
      .pods()
      .every(pod => pod.metadata.labels?.['pod-template-hash'] === hash && pod.metadata.name.startsWith(`web-${hash}-`))
  )
  const { status, metadata } = p.get('deployments.apps', 'web')
  t.match(status, { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3, observedGeneration: 1 })
  t.equal(status.unavailableReplicas, undefined)
  t.equal(metadata.annotations!['deployment.kubernetes.io/revision'], '1')
  t.match(status.conditions!.map(each => [each.type, each.status, each.reason]).toSorted(compare), [
    ['Available', 'True', 'MinimumReplicasAvailable'],
    ['Progressing', 'True', 'NewReplicaSetAvailable']
  ])
  const settled = p.writes.length
  await p.run(5000)
  t.equal(p.writes.length, settled, 'a second pass writes nothing')
})

t.test('S4.51 a rollout keeps within maxSurge and maxUnavailable at every moment', async t => {
  const p = plane(t, { nodes: Array.from({ length: 3 }, (_, index) => `n-${index}`) })
  const slow = { 'muster.dev/simulated-ready-delay': '300ms' }
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } }
  p.apply(deployment('web', 4, { spec: { strategy }, template: image('one', slow).template }))
  await p.run(1000)
  let [most, least] = [0, Infinity]
  const stop = p.api.watch('pods', () => {
    const all = p.pods().filter(pod => !pod.metadata.deletionTimestamp)
    most = Math.max(most, all.length)
    least = Math.min(
      least,
      all.filter(pod => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
        .length
    )
  })
  p.api.patch(reference, { spec: image('two', slow) })
  await p.run(5000)
  stop()
  t.strictSame([most, least], [5, 3])
  t.ok(p.pods().every(pod => pod.spec.containers[0]!.image === 'two'))
  t.equal(p.pods().length, 4)
  t.equal(p.get('deployments.apps', 'web').metadata.annotations!['deployment.kubernetes.io/revision'], '2')
  t.strictSame(
    p.api
      .list('replicasets.apps')
      .items.map(set => (set['spec'] as { replicas: number }).replicas)
      .toSorted(compare),
    [0, 4]
  )
})

t.test('an undo takes the old ReplicaSet up again under a new revision', async t => {
  const p = plane(t)
  p.apply(deployment('web', 2, image('one')))
  await p.run()
  p.api.patch(reference, { spec: image('two') })
  await p.run(2000)
  p.api.patch(reference, { spec: image('one') })
  await p.run(2000)
  t.equal(p.api.list('replicasets.apps').items.length, 2)
  t.equal(p.get('deployments.apps', 'web').metadata.annotations!['deployment.kubernetes.io/revision'], '3')
  t.ok(p.pods().every(pod => pod.spec.containers[0]!.image === 'one'))
})

t.test('Recreate removes all old pods before a new one comes', async t => {
  const p = plane(t)
  p.apply(deployment('web', 3, { spec: { strategy: { type: 'Recreate' } }, template: image('one').template }))
  await p.run()
  let mixed = false
  const stop = p.api.watch('pods', () => {
    mixed ||= new Set(p.pods().map(pod => pod.spec.containers[0]!.image)).size > 1
  })
  p.api.patch(reference, { spec: image('two') })
  await p.run(2000)
  stop()
  t.notOk(mixed)
  t.strictSame(
    p.pods().map(pod => pod.spec.containers[0]!.image),
    ['two', 'two', 'two']
  )
})

t.test('paused: it scales but does not roll out', async t => {
  const p = plane(t)
  p.apply(deployment('web', 2, image('one')))
  await p.run()
  p.api.patch(reference, { spec: { paused: true, replicas: 3, ...image('two') } })
  await p.run(2000)
  t.strictSame(
    p.pods().map(pod => pod.spec.containers[0]!.image),
    ['one', 'one', 'one']
  )
  p.api.patch(reference, { spec: { paused: false } })
  await p.run(2000)
  t.strictSame(
    p.pods().map(pod => pod.spec.containers[0]!.image),
    ['two', 'two', 'two']
  )
})

t.test('a rollout that does not go on is told of after its deadline', async t => {
  const p = plane(t)
  const never = { 'muster.dev/simulated-ready': 'false' }
  p.apply(
    deployment('web', 1, {
      spec: { progressDeadlineSeconds: 5 },
      template: template({ app: 'web' }, { annotations: never })
    })
  )
  await p.run(10_000)
  const progressing = p.get('deployments.apps', 'web').status.conditions!.find(each => each.type === 'Progressing')
  t.match(progressing, { status: 'False', reason: 'ProgressDeadlineExceeded' })
})

t.test('empty ReplicaSets beyond the history limit go', async t => {
  const p = plane(t)
  p.apply(deployment('web', 1, { spec: { revisionHistoryLimit: 1 }, template: image('v0').template }))
  await p.run(2000)
  for (const version of ['v1', 'v2', 'v3']) {
    p.api.patch(reference, { spec: image(version) })
    await p.run(2000)
  }
  t.equal(p.api.list('replicasets.apps').items.length, 2)
})
