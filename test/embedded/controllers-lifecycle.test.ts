import t from 'tap'
import type { Node } from '../../extender/embedded/kinds.ts'
import { deployment, job, namesOf, plane, replicaSet } from './parts.ts'

const web = { resource: 'deployments.apps', namespace: 'default', name: 'web' }
const taintsOf = (node: object): string[] =>
  ((node as Node).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`)
const owner = (kind: string, name: string, apiVersion = 'v1', uid = 'none') => ({ apiVersion, kind, name, uid })
const inTeam = (object: object) => {
  const { metadata, ...rest } = object as { metadata: object }
  return { ...rest, metadata: { ...metadata, namespace: 'team' } }
}
const tolerations = (seconds: number) => [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds }
]

t.test('what belongs to a deleted owner goes after it', async t => {
  const p = plane(t)
  p.apply(deployment('web', 3))
  await p.run()
  p.api.delete(web, { propagationPolicy: 'Background' })
  t.notOk(p.get('deployments.apps', 'web'), 'the owner goes at once')
  await p.run(1000)
  t.strictSame([p.api.list('replicasets.apps').items.length, p.pods().length], [0, 0])
})

t.test('foreground: the owner goes last', async t => {
  const p = plane(t)
  p.apply(deployment('web', 2))
  await p.run()
  const gone: string[] = []
  for (const resource of ['pods', 'replicasets.apps', 'deployments.apps'])
    p.api.watch(resource, ({ type, object }) => type === 'DELETED' && gone.push(object.kind))
  p.api.delete(web, { propagationPolicy: 'Foreground' })
  await p.run(1000)
  t.strictSame(gone, ['Pod', 'Pod', 'ReplicaSet', 'Deployment'])
})

t.test('orphan: the dependents stay, without an owner', async t => {
  const p = plane(t)
  p.apply(replicaSet('web', 2))
  await p.run()
  p.api.delete({ resource: 'replicasets.apps', namespace: 'default', name: 'web' }, { propagationPolicy: 'Orphan' })
  await p.run(1000)
  t.notOk(p.get('replicasets.apps', 'web'))
  t.equal(p.pods().length, 2)
  t.ok(p.pods().every(pod => !pod.metadata.ownerReferences?.length))
})

t.test('an owner of an unknown kind counts as there; one of two that is gone is forgotten', async t => {
  const p = plane(t)
  const map = p.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner', namespace: 'default' } })
  const there = owner('ConfigMap', 'owner', 'v1', map.metadata.uid)
  const of = (name: string, ownerReferences: object[]) =>
    p.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', ownerReferences } })
  of('unknown', [owner('Wonder', 'x', 'example.com/v1')])
  of('orphaned', [owner('ConfigMap', 'nobody')])
  of('both', [owner('ConfigMap', 'nobody'), there])
  await p.run(1000)
  t.ok(p.get('configmaps', 'unknown'))
  t.notOk(p.get('configmaps', 'orphaned'))
  t.strictSame(p.get('configmaps', 'both').metadata.ownerReferences, [there])
})

t.test('a namespace is emptied before it goes', async t => {
  const p = plane(t)
  p.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } })
  p.apply(inTeam(deployment('web', 2)))
  p.apply(inTeam(job('work', { completions: 2, parallelism: 2 })))
  await p.run()
  t.equal(p.pods('team').length, 4)
  p.api.delete({ resource: 'namespaces', name: 'team' })
  t.ok(p.api.get({ resource: 'namespaces', name: 'team' }), 'it is held while there is something in it')
  await p.run(3000)
  t.notOk(p.api.get({ resource: 'namespaces', name: 'team' }))
  t.strictSame([p.pods('team').length, p.api.list('jobs.batch').items.length], [0, 0])
})

const annotate = (name: string, value: string | null) => ({ metadata: { annotations: { [name]: value } } })

t.test('a node that is not ready is tainted, and its pods go when they tolerate it no longer', async t => {
  const p = plane(t, { nodes: ['n-0'] })
  for (const [name, seconds] of [
    ['brief', 2],
    ['long', 60]
  ] as const)
    p.api.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'main', image: 'none' }], tolerations: tolerations(seconds) }
    })
  await p.run()
  const node = { resource: 'nodes', name: 'n-0' }
  p.api.patch(node, annotate('muster.dev/simulated-ready', 'false'))
  await p.run()
  t.strictSame(taintsOf(p.api.get(node)!), [
    'node.kubernetes.io/not-ready:NoSchedule',
    'node.kubernetes.io/not-ready:NoExecute'
  ])
  t.match(
    p.get('pods', 'long').status.conditions!.find(({ type }) => type === 'Ready'),
    { status: 'False' }
  )
  await p.run(4000)
  t.strictSame(namesOf(p.pods()), ['long'])
  p.api.patch(node, annotate('muster.dev/simulated-ready', null))
  await p.run()
  t.strictSame(taintsOf(p.api.get(node)!), [])
})

t.test('a node whose heartbeats stop is Unknown after the grace; its pods are asked to go and cannot', async t => {
  const p = plane(t, { nodes: ['n-0'], timing: { nodeGraceMs: 10_000 } })
  p.apply(
    replicaSet('web', 1, { spec: { tolerations: [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }] } })
  )
  await p.run()
  const node = { resource: 'nodes', name: 'n-0' }
  p.api.patch(node, annotate('muster.dev/simulated-heartbeat', 'stopped'))
  await p.run(8000)
  t.strictSame(taintsOf(p.api.get(node)!), [])
  await p.run(4000)
  t.ok(taintsOf(p.api.get(node)!).includes('node.kubernetes.io/unreachable:NoExecute'))
  await p.run(8000)
  const [old] = p.pods().filter(pod => pod.metadata.deletionTimestamp !== undefined)
  t.ok(old, 'evicted, but nobody is there to stop it')
  p.api.patch(node, annotate('muster.dev/simulated-heartbeat', null))
  await p.run(2000)
  t.notOk(p.get('pods', old!.metadata.name), 'the kubelet is back')
  t.strictSame(taintsOf(p.api.get(node)!), [])
})

t.test('a cordoned node is tainted; taints of others stay', async t => {
  const p = plane(t, { nodes: ['n-0'] })
  const node = { resource: 'nodes', name: 'n-0' }
  const other = { key: 'example.com/own', effect: 'NoSchedule' }
  p.api.patch(node, { spec: { unschedulable: true, taints: [other] } })
  await p.run()
  t.strictSame(taintsOf(p.api.get(node)!), [
    'example.com/own:NoSchedule',
    'node.kubernetes.io/unschedulable:NoSchedule'
  ])
  p.api.patch(node, { spec: { unschedulable: null } })
  await p.run()
  t.strictSame(taintsOf(p.api.get(node)!), ['example.com/own:NoSchedule'])
})

t.test('pods of a node that is deleted go after a while, and are replaced', async t => {
  const p = plane(t, { nodes: ['n-0', 'n-1'], timing: { orphanGraceMs: 5000 } })
  p.apply(replicaSet('web', 2))
  await p.run()
  p.api.delete({ resource: 'nodes', name: 'n-0' })
  await p.run(2000)
  t.ok(p.pods().some(pod => pod.spec.nodeName === 'n-0'))
  await p.run(6000)
  t.strictSame(
    p.pods().map(pod => pod.spec.nodeName),
    ['n-1', 'n-1']
  )
})

t.test('S4.25 a second pass over nodes, owners and namespaces writes nothing', async t => {
  const p = plane(t)
  p.apply(deployment('web', 2))
  p.api.patch({ resource: 'nodes', name: 'n-1' }, annotate('muster.dev/simulated-ready', 'false'))
  await p.run(3000)
  const settled = p.writes.length
  await p.run(10_000)
  t.strictSame(p.writes.slice(settled), [])
})
