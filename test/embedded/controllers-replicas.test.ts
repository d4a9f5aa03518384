import t from 'tap'
import { StatusError } from '../../extender/embedded/store/objects.ts'
import { namesOf, plane, replicaSet, template } from './parts.ts'

const ordinal = { metadata: { annotations: { 'k4s/ordinal-names': 'true' } } }

t.test('S4.8 a ReplicaSet creates the replicas that are missing, with random names as upstream', async t => {
  const p = plane(t)
  p.apply(replicaSet('web', 3))
  await p.run()
  t.equal(p.pods().length, 3)
  for (const pod of p.pods()) t.match(pod.metadata.name, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  t.match(p.get('replicasets.apps', 'web').status, { replicas: 3, readyReplicas: 3, availableReplicas: 3 })
})

t.test('S4.9 it removes what is too much', async t => {
  const p = plane(t)
  p.apply(replicaSet('web', 5))
  await p.run()
  p.api.patch({ resource: 'replicasets.apps', namespace: 'default', name: 'web' }, { spec: { replicas: 2 } })
  await p.run()
  t.equal(p.pods().length, 2)
  t.match(p.get('replicasets.apps', 'web').status, { replicas: 2, observedGeneration: 2 })
})

t.test(
  'S4.10 replicas are named name-0, name-1, … where asked for; the highest go first, holes are filled',
  async t => {
    const p = plane(t)
    p.apply(replicaSet('echo', 4, ordinal))
    await p.run()
    t.strictSame(namesOf(p.pods()), ['echo-0', 'echo-1', 'echo-2', 'echo-3'])
    p.api.delete({ resource: 'pods', namespace: 'default', name: 'echo-1' })
    p.api.patch({ resource: 'replicasets.apps', namespace: 'default', name: 'echo' }, { spec: { replicas: 3 } })
    await p.run()
    t.strictSame(namesOf(p.pods()), ['echo-0', 'echo-1', 'echo-2'])
  }
)

t.test('S4.22 S4.23 scaling is a new number in the ReplicaSet; the controllers converge without more', async t => {
  const p = plane(t)
  p.apply(replicaSet('web', 1, ordinal))
  for (const replicas of [4, 0, 2]) {
    p.api.patch(
      { resource: 'replicasets.apps', namespace: 'default', name: 'web' },
      { spec: { replicas } },
      { subresource: 'scale' }
    )
    await p.run()
    t.equal(p.pods().filter(pod => pod.status?.phase === 'Running').length, replicas)
  }
})

t.test('S4.24 what no watch told of is found by the look once a second', async t => {
  const p = plane(t, { timing: { resyncMs: 1000 } })
  p.apply(replicaSet('web', 1))
  await p.run(3000)
  const before = p.writes.length
  await p.run(10_000)
  t.equal(p.writes.length, before, 'ten looks at what is as it should be write nothing')
})

t.test('S4.25 the actions are minimal, and a second pass does nothing', async t => {
  const p = plane(t)
  p.apply(replicaSet('web', 2))
  await p.run()
  const writes = Object.entries(Object.groupBy(p.writes, write => write)).map(([write, all]) => [write, all!.length])
  t.strictSame(
    writes.filter(([write]) => String(write).startsWith('create pods')),
    [['create pods', 2]]
  )
  t.strictSame(
    writes.filter(([write]) => String(write).startsWith('bind')),
    [['bind pods', 2]]
  )
  t.strictSame(
    writes.filter(([write]) => write === 'update pods'),
    [['update pods', 2]],
    'one status each'
  )
  const settled = p.writes.length
  await p.run(5000)
  t.equal(p.writes.length, settled)
})

t.test('S4.25 controllers that start anew over what is there write nothing', async t => {
  const p = plane(t)
  p.apply(replicaSet('web', 3))
  await p.run()
  const { startControllers } = await import('../../extender/embedded/controllers/start.ts')
  const { counting, silence } = await import('./parts.ts')
  await p.stop()
  const { client, writes } = counting(p.api)
  const again = startControllers({ client, clock: p.clock, random: Math.random, log: silence })
  await p.run(5000)
  again.stop()
  t.strictSame(writes, [])
})

t.test('pods that fit the selector are adopted, those that do not any more are let go', async t => {
  const p = plane(t)
  p.api.create('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    ...template({ app: 'web' }),
    metadata: { name: 'stray', labels: { app: 'web' } }
  })
  await p.run()
  p.apply(replicaSet('web', 2))
  await p.run()
  t.equal(p.pods().length, 2)
  t.equal(p.get('pods', 'stray').metadata.ownerReferences![0]!.name, 'web')
  p.api.patch({ resource: 'pods', namespace: 'default', name: 'stray' }, { metadata: { labels: { app: 'other' } } })
  await p.run()
  t.equal(p.pods().length, 3)
  t.strictSame(p.get('pods', 'stray').metadata.ownerReferences ?? [], [])
})

t.test('a pod that cannot be created is told of in a condition and an event, and tried again with backoff', async t => {
  const p = plane(t)
  const bad = replicaSet('web', 1)
  const refuse = p.api.create.bind(p.api)
  let refused = 0
  p.api.create = (resource, object, options) => {
    if (resource === 'pods' && refused++ < 3) {
      throw new StatusError(403, 'Forbidden', 'no quota')
    }
    return refuse(resource, object, options)
  }
  p.apply(bad)
  await p.run(3)
  t.match(p.get('replicasets.apps', 'web').status.conditions, [
    { type: 'ReplicaFailure', status: 'True', message: 'no quota' }
  ])
  await p.run(2000)
  t.equal(p.pods().length, 1)
  t.notOk(p.get('replicasets.apps', 'web').status.conditions)
  t.ok(p.api.list('events').items.some(event => event['reason'] === 'FailedCreate'))
})

t.test('it deletes by rank: pending before running, cheap before dear', async t => {
  const p = plane(t, { nodes: [{ name: 'n-0', allocatable: { pods: '3' } }] })
  p.apply(replicaSet('web', 4))
  await p.run()
  const [first, second] = p.pods().filter(pod => pod.spec.nodeName !== undefined)
  const cost = { 'controller.kubernetes.io/pod-deletion-cost': '-5' }
  p.api.patch(
    { resource: 'pods', namespace: 'default', name: second!.metadata.name },
    { metadata: { annotations: cost } }
  )
  p.api.patch({ resource: 'replicasets.apps', namespace: 'default', name: 'web' }, { spec: { replicas: 2 } })
  await p.run()
  t.ok(namesOf(p.pods()).includes(first!.metadata.name))
  t.notOk(namesOf(p.pods()).includes(second!.metadata.name))
  t.ok(p.pods().every(pod => pod.status?.phase === 'Running'))
})
