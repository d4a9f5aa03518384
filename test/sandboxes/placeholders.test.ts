import t from 'tap'
import { labels } from '../../extender/sandboxes/labels.ts'
import { Launch, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { musterCluster } from './muster-rig.ts'
import { full, fullRig, idle, only, pooled, StillClock, untilCount } from './pool-rig.ts'
import { type Cluster, cluster, namespace, until } from './rig.ts'
import type { Loose } from './serve.ts'

const wish = { projectId: 'p1', template: 'plain' }
/** Nodes have five slots each: a sandbox of `plain` takes one. */
const nodes = { nodes: 2, cpu: '500m' }

const isBound = ({ spec }: Loose): boolean => spec.nodeName !== undefined
const named = (on: Cluster, prefix: string): readonly Loose[] =>
  on.pods().filter(({ metadata }) => metadata.name.startsWith(prefix))

/** Pods that ask for a slot each; `size` makes them a gang. */
function work(on: Cluster, name: string, count: number, size?: number) {
  const annotations = { 'muster.dev/gang': name, 'muster.dev/min-member': String(size) }
  for (let index = 0; index < count; index++)
    on.client.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${name}-${index}`, namespace, ...(size !== undefined && { annotations }) },
      spec: {
        schedulerName: 'muster',
        ...(size !== undefined && { schedulingGates: [{ name: 'muster.dev/gang' }] }),
        containers: [{ name: 'main', image: 'x', resources: { requests: { cpu: '100m' } } }]
      }
    })
  return untilTrue(`${name} is bound`, () => named(on, name).filter(isBound).length === count, 30_000)
}

t.test('on a full cluster a sandbox takes the room of a placeholder, past the real muster, in four writes', async t => {
  const on = await musterCluster(t, nodes)
  const pools = { placeholders: { plain: 4 } }
  const it = await pooled(t, on, pools)
  await full(it, pools)
  await work(on, 'other', 6)
  const places = new Map(idle(on, 'placeholder').map(({ metadata, spec }) => [metadata.uid, spec.nodeName]))
  const before = on.writes().length
  const { sandbox } = await it.sandboxes.createSandbox(wish)
  // The Binding is muster's.
  const writes = on.writes().slice(before)
  t.strictSame(
    writes.filter(write => write !== 'create pods/binding 201'),
    ['create services 201', 'delete pods 200', 'create pods 201', 'patch services 200']
  )
  const launchReason = 'template plain has no warm pool'
  t.match(sandbox, { launch: Launch.PLACEHOLDER, launchReason })
  const ready = await until(it, sandbox!.id, State.READY)
  for (const { metadata } of idle(on, 'placeholder')) places.delete(metadata.uid)
  t.strictSame([...places.values()], [ready.node], 'on the node where one was')
  await untilCount(it, 'plain', 'placeholder_starting', 1)
  t.equal(await it.metric('muster_sandbox_launches_total{launch="PLACEHOLDER"}'), 1)
  await it.sandboxes.releaseSandbox({ id: ready.id })
  await full(it, pools)
})

t.test('two replicas take each placeholder once, and who comes too late is cold and says so', async t => {
  const on = await cluster(t)
  const pools = { placeholders: { plain: 5 }, clock: new StillClock() }
  const [a, b] = [await pooled(t, on, pools), await pooled(t, on, pools)]
  await full(a, pools)
  await full(b, pools)
  t.equal(idle(on, 'placeholder').length, 5)
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? a : b).sandboxes.createSandbox({ projectId: `p${index}`, template: 'plain' })
    )
  )
  const taken = all.filter(({ sandbox }) => sandbox?.launch === Launch.PLACEHOLDER).length
  t.ok(taken >= 5, 'all that were there')
  t.equal(on.writes().filter(write => write === 'delete pods 200').length, taken, 'each went for one sandbox')
  const cold = all.flatMap(({ sandbox }) => (sandbox?.launch === Launch.COLD ? [sandbox] : []))
  t.equal(taken + cold.length, 20)
  for (const { launchReason } of cold)
    t.equal(launchReason, 'template plain has no warm pool; no placeholder of template plain was there')
  await full(a, pools)
})

t.test('a member of a gang takes no placeholder', async t => {
  const { it } = await fullRig(t, { placeholders: { plain: 1 } })
  const { sandbox } = await it.sandboxes.createSandbox({ ...wish, gang: { name: 'g', minMember: 1 } })
  t.match(sandbox, { launch: Launch.COLD, launchReason: /; the room of a gang is planned as a whole$/ })
})

t.test('other work takes placeholders first, then idle warm pods, never a sandbox', async t => {
  const on = await musterCluster(t, nodes)
  const pools = { warmPool: { plain: 3 }, placeholders: { plain: 2 } }
  const it = await pooled(t, on, pools)
  await full(it, pools)
  await work(on, 'other', 4)
  const { sandbox } = await it.sandboxes.createSandbox(wish)
  t.equal(sandbox?.launch, Launch.WARM)
  await untilCount(it, 'plain', 'ready', 3)
  t.equal(on.pods().filter(isBound).length, 10, 'every slot is taken')
  await work(on, 'gang', 2, 2)
  t.equal(idle(on, 'placeholder').filter(isBound).length, 0)
  t.equal(idle(on).filter(isBound).length, 3)
  await work(on, 'more', 3, 3)
  t.equal(idle(on).filter(isBound).length, 0)
  t.equal(named(on, 'gang').filter(isBound).length, 2, 'equals stay')
  const { sandbox: there } = await it.sandboxes.getSandbox({ id: sandbox!.id })
  t.match(there, { state: State.READY, pod: sandbox!.pod })
  const [own] = on.pods().filter(({ metadata }) => metadata.labels?.[labels.id] !== undefined)
  t.equal(own.spec.priority, -10, 'it was as cheap as the others, and is protected')
  const next = await it.sandboxes.createSandbox({ projectId: 'p2', template: 'plain' })
  t.match(next.sandbox, {
    launch: Launch.COLD,
    launchReason: 'no warm pod of template plain was ready; no placeholder of template plain was there'
  })
})

t.test('placeholders are drained when there is to be none', async t => {
  const on = await cluster(t)
  const before = await pooled(t, on, { placeholders: { plain: 3 } })
  await full(before, { placeholders: { plain: 3 } })
  await before.close()
  const { clock } = before
  const after = await pooled(t, on, { clock, placeholders: { plain: 0 } })
  clock.advance(31_000)
  await untilCount(after, 'plain', 'placeholder', 0)
  await only(on, 0)
})
