import t from 'tap'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { counting, deployment, type Plane, plane, replicaSet, silence, template } from './parts.ts'

const service = (name: string, more: { glob?: string; selector?: Record<string, string>; ports?: object[] }) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', ...(more.glob && { annotations: { 'k4s/selector': more.glob } }) },
  spec: { ports: more.ports ?? [{ port: 80 }], ...(more.selector && { selector: more.selector }) }
})
const ordinal = { metadata: { annotations: { 'k4s/ordinal-names': 'true' } } }
type Slice = KubeObject & {
  endpoints: { targetRef: { name: string }; conditions: object; addresses: string[] }[]
  ports: object[]
}
const endpoints = (p: Plane): Slice['endpoints'] =>
  (p.api.list('endpointslices.discovery.k8s.io').items as Slice[]).flatMap(slice => slice.endpoints ?? [])
const targets = (p: Plane): string[] => endpoints(p).map(each => each.targetRef.name)
const warnings = (p: Plane): unknown[] =>
  p.api.list('events').items.filter(event => event['reason'] === 'NoMatchingPods')

t.test('S4.11 a Service knows the containers that its selector matches, by labels', async t => {
  const p = plane(t)
  p.apply(service('web', { selector: { app: 'web' } }))
  p.apply(replicaSet('web', 2))
  p.apply(replicaSet('other', 1))
  await p.run()
  t.strictSame(
    targets(p).toSorted(),
    p
      .pods()
      .map(pod => pod.metadata.name)
      .filter(name => name.startsWith('web'))
  )
  t.ok(endpoints(p).every(({ addresses }) => addresses[0]!.startsWith('127.')))
  t.match(endpoints(p)[0]!.conditions, { ready: true, serving: true, terminating: false })
})

t.test('S4.11 S4.19 … or by a glob over their names', async t => {
  const cases = {
    'echo-*': ['echo-0', 'echo-1', 'echo-2'],
    'echo-?': ['echo-0', 'echo-1', 'echo-2'],
    'echo-[!0]': ['echo-1', 'echo-2'],
    'echo-1': ['echo-1']
  }
  for (const [glob, want] of Object.entries(cases)) {
    const p = plane(t)
    p.apply(replicaSet('echo', 3, ordinal))
    p.apply(service('echo', { glob }))
    await p.run()
    t.strictSame(targets(p), want, glob)
  }
})

t.test('S4.12 a selector that matches nothing is warned of, once', async t => {
  const p = plane(t)
  p.apply(service('lost', { glob: 'nobody-*' }))
  p.apply(service('found', { selector: { app: 'web' } }))
  p.apply(replicaSet('web', 1))
  await p.run(5000)
  const about = warnings(p) as { involvedObject: { name: string }; type: string; message: string; count: number }[]
  const lost = about.filter(event => event.involvedObject.name === 'lost')
  t.match(lost, [{ type: 'Warning', message: /nobody-\*/, count: 1 }])
})

t.test('S4.21 new replicas join a Service, removed ones leave', async t => {
  const p = plane(t)
  p.apply(service('echo', { glob: 'echo-*' }))
  p.apply(replicaSet('echo', 1, ordinal))
  await p.run()
  for (const replicas of [3, 1]) {
    p.api.patch({ resource: 'replicasets.apps', namespace: 'default', name: 'echo' }, { spec: { replicas } })
    await p.run()
    t.equal(targets(p).length, replicas)
  }
})

t.test('a pod that is not ready is told of, but not as ready; one that is leaves as terminating', async t => {
  const p = plane(t)
  p.apply(service('web', { selector: { app: 'web' } }))
  const annotations = { 'muster.dev/simulated-ready': 'false', 'muster.dev/simulated-stop-duration': '5s' }
  p.apply(replicaSet('web', 1, { annotations }))
  await p.run()
  t.match(endpoints(p), [{ conditions: { ready: false } }])
  const [pod] = p.pods()
  const reference = { resource: 'pods', namespace: 'default', name: pod!.metadata.name }
  p.api.patch(reference, { metadata: { annotations: { 'muster.dev/simulated-ready': 'true' } } })
  await p.run()
  t.match(endpoints(p), [{ conditions: { ready: true } }])
  p.api.delete(reference)
  await p.run()
  t.ok(endpoints(p).some(({ conditions }) => (conditions as { terminating: boolean }).terminating))
})

t.test('target ports are found by name', async t => {
  const p = plane(t)
  const containers = [{ name: 'main', image: 'none', ports: [{ name: 'http', containerPort: 8080 }] }]
  p.apply(replicaSet('web', 1, { spec: { containers } }))
  p.apply(service('web', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http', name: 'web' }] }))
  await p.run()
  const [slice] = p.api.list('endpointslices.discovery.k8s.io').items as Slice[]
  t.match(slice!.ports, [{ name: 'web', port: 8080, protocol: 'TCP' }])
})

t.test('S4.25 a second pass over Services and budgets writes nothing', async t => {
  const p = plane(t)
  p.apply(service('web', { selector: { app: 'web' } }))
  p.apply(service('lost', { glob: 'nobody-*' }))
  p.apply(budget({ minAvailable: 1 }))
  p.apply(deployment('web', 2))
  await p.run(2000)
  const settled = p.writes.length
  await p.run(10_000)
  t.strictSame(p.writes.slice(settled), [])
  const { startControllers } = await import('../../extender/embedded/controllers/start.ts')
  await p.stop()
  const { client, writes } = counting(p.api)
  const again = startControllers({ client, clock: p.clock, random: Math.random, log: silence })
  await p.run(3000)
  again.stop()
  t.strictSame(writes, [], 'nor does a controller that starts anew')
})

const budget = (spec: object) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec }
})

t.test('a budget says how many of its pods may go now', async t => {
  const cases = {
    'minAvailable 2 of 3': {
      spec: { minAvailable: 2 },
      want: { disruptionsAllowed: 1, desiredHealthy: 2, currentHealthy: 3, expectedPods: 3 }
    },
    'minAvailable 50%, rounded up': {
      spec: { minAvailable: '50%' },
      want: { disruptionsAllowed: 1, desiredHealthy: 2 }
    },
    'maxUnavailable 2': { spec: { maxUnavailable: 2 }, want: { disruptionsAllowed: 2, desiredHealthy: 1 } },
    'minAvailable 3': { spec: { minAvailable: 3 }, want: { disruptionsAllowed: 0 } },
    'more than there are': { spec: { minAvailable: 9 }, want: { disruptionsAllowed: 0, desiredHealthy: 9 } }
  }
  for (const [name, { spec, want }] of Object.entries(cases)) {
    const p = plane(t)
    p.apply(deployment('web', 3))
    p.apply(budget(spec))
    await p.run(1000)
    t.match(p.get('poddisruptionbudgets.policy', 'web').status, want, name)
  }
})

t.test('a budget whose pods are not ready allows nothing', async t => {
  const p = plane(t)
  const annotations = { 'muster.dev/simulated-ready': 'false' }
  p.apply(deployment('web', 3, { template: template({ app: 'web' }, { annotations }) }))
  p.apply(budget({ maxUnavailable: 1 }))
  await p.run(1000)
  t.match(p.get('poddisruptionbudgets.policy', 'web').status, { disruptionsAllowed: 0, currentHealthy: 0 })
})
