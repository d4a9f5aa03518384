import t from 'tap'
import { labels } from '../../extender/sandboxes/labels.ts'
import { Launch, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { full, fullRig, idle, pooled, untilCount } from './pool-rig.ts'
import { cluster, until } from './rig.ts'
import { SkewedClock } from './skewed-clock.ts'

const wish = { projectId: 'p1', template: 'plain' }

/** No time passes for claims, so that nobody takes over what takes long on a busy machine. */
class StillClock extends SkewedClock {
  readonly #start = super.wall()

  override wall(): number {
    return this.#start
  }
}

t.test('a warm sandbox is a running pod that is given away by one patch: three writes in all', async t => {
  const { on, it } = await fullRig(t, { warmPool: { plain: 1 } })
  const [ready] = idle(on)
  const before = on.writes().length
  const { sandbox, created } = await it.sandboxes.createSandbox(wish)
  const writes = on.writes().slice(before)
  t.strictSame(writes.slice(0, 3), ['create services 201', 'patch pods 200', 'patch services 200'])
  t.equal(created, true)
  t.match(sandbox, { state: State.READY, launch: Launch.WARM, launchReason: '', pod: ready.metadata.name, podIp: /\d/ })
  const pod = on.pods().find(({ metadata }) => metadata.uid === ready.metadata.uid)
  t.match(pod.metadata, {
    labels: { [labels.id]: sandbox!.id, [labels.project]: 'p1' },
    annotations: { 'muster.dev/min-runtime': /^864\d\ds$/ },
    ownerReferences: [{ kind: 'Service', uid: sandbox!.uid }]
  })
  t.ok(pod.spec.activeDeadlineSeconds >= 86_400, 'a backstop for the time when nobody is there to end it')
  const { spec } = on.service(sandbox!.id)
  for (const [label, value] of Object.entries(spec.selector)) t.equal(pod.metadata.labels[label], value, label)
  const { sandbox: asked } = await it.sandboxes.getSandbox({ id: sandbox!.id })
  t.strictSame(asked, sandbox)
  await untilCount(it, 'plain', 'ready', 1)
  t.equal(
    on
      .writes()
      .slice(before)
      .filter(write => write === 'create pods 201').length,
    1,
    'the pool is filled again'
  )
  t.equal(await it.metric('muster_sandbox_launches_total{launch="WARM"}'), 1)
})

t.test('100 at once before two replicas and a pool of 20: 20 are warm, no pod is given away twice', async t => {
  const on = await cluster(t)
  const pools = { warmPool: { plain: 20 } }
  const clock = new StillClock()
  const [a, b] = [await pooled(t, on, { ...pools, clock }), await pooled(t, on, { ...pools, clock })]
  await full(a, pools)
  await full(b, pools)
  t.equal(idle(on).length, 20, 'two replicas do not fill it twice')
  const names = new Set(idle(on).map(({ metadata }) => metadata.name))
  const all = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      (index % 2 === 0 ? a : b).sandboxes.createSandbox({ projectId: `p${index}`, template: 'plain' })
    )
  )
  const warm = all.flatMap(({ sandbox }) => (sandbox?.launch === Launch.WARM ? [sandbox] : []))
  const first = warm.filter(({ pod }) => names.has(pod))
  t.equal(first.length, 20, 'each of the pool went to somebody')
  t.equal(new Set(all.map(({ sandbox }) => sandbox?.pod)).size, 100, 'and to nobody else')
  for (const { sandbox } of all)
    if (sandbox?.launch !== Launch.WARM)
      t.match(sandbox, { launch: Launch.COLD, launchReason: 'no warm pod of template plain was ready' })
  for (const { sandbox } of all) await until(a, sandbox!.id, State.READY)
  await full(a, pools)
  await full(b, pools)
  t.equal(idle(on).length, 20, 'full again')
  t.equal(on.pods().length, 120)
})
