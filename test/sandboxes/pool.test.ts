import t from 'tap'
import { labels } from '../../extender/sandboxes/labels.ts'
import { Launch, Reason, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { around } from './dying.ts'
import { full, fullRig, idle, only, plain, pooled, StillClock, untilCount } from './pool-rig.ts'
import { change, cluster, namespace, publisher, until, type Wrap } from './rig.ts'

const wish = { projectId: 'p1', template: 'plain' }

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

t.test('what cannot be served warm goes on the next path, and says why', async t => {
  const takesEnv = { ...plain, metadata: { annotations: { 'muster.dev/config-path': '/_config' } } }
  const told: Record<string, string>[] = []
  const { it } = await fullRig(t, {
    warmPool: { plain: 1, takes: 1, refuses: 3 },
    templates: { plain, takes: takesEnv, refuses: takesEnv, cold: plain },
    configure: async (url, env) => {
      told.push({ url, ...env })
      return env['SANDBOX_PROJECT'] === 'refused' ? 404 : 200
    }
  })
  const gang = { name: 'g', minMember: 1 }
  const table: Record<string, [object, string]> = {
    'no pool': [{ template: 'cold' }, 'template cold has no warm pool'],
    'a priority': [
      { template: 'plain', priority: 7 },
      'a warm pod has no priority of its own, and priority 7 was asked for'
    ],
    'a gang': [{ template: 'plain', gang }, 'members of a gang start together, and a warm pod runs already'],
    'env for what takes none': [
      { template: 'plain', env: { A: 'b' } },
      'a running sandbox of template plain takes no env'
    ],
    'variables that are not taken': [
      { template: 'refuses', projectId: 'refused' },
      'a warm pod did not take its variables: HTTP 404 at /_config'
    ]
  }
  for (const [name, [body, launchReason]] of Object.entries(table)) {
    const projectId = `p${Object.keys(table).indexOf(name)}`
    const { sandbox } = await it.sandboxes.createSandbox({ projectId, ...body })
    t.match(sandbox, { launch: Launch.COLD, launchReason }, name)
    t.match(await until(it, sandbox!.id, State.READY), { launchReason }, `${name}, and it is ready`)
  }
  t.equal(told.length, 2, 'an image that does not take its variables is not tried on all pods')
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'warm', template: 'takes', env: { A: 'b' } })
  t.match(sandbox, { launch: Launch.WARM, state: State.READY })
  t.match(told.at(-1), {
    ...{ url: `http://${sandbox?.podIp}:8080/_config`, A: 'b', SANDBOX_PROJECT: 'warm' },
    SANDBOX_ID: sandbox?.id
  })
})

t.test('a pool is drained when it is lowered, and given up when it is no more', async t => {
  const on = await cluster(t)
  const before = await pooled(t, on, { warmPool: { plain: 5 } })
  await full(before, { warmPool: { plain: 5 } })
  const { sandbox } = await before.sandboxes.createSandbox(wish)
  await full(before, { warmPool: { plain: 5 } })
  await before.close()
  const { clock } = before
  const lower = await pooled(t, on, { clock, warmPool: { plain: 2 } })
  await untilCount(lower, 'plain', 'ready', 5)
  t.equal(idle(on).length, 5, 'those that disagree do not undo each other’s work at once')
  clock.advance(31_000)
  await untilCount(lower, 'plain', 'ready', 2)
  await lower.close()
  const none = await pooled(t, on, { clock })
  await untilCount(none, 'plain', 'ready', 0)
  await untilTrue('all are gone but the sandbox', () => on.pods().length === 1)
  t.match((await none.sandboxes.getSandbox({ id: sandbox!.id })).sandbox, { state: State.READY, launch: Launch.WARM })
})

t.test('pods of an older make are replaced, and not given away', async t => {
  const on = await cluster(t)
  const before = await pooled(t, on, { warmPool: { plain: 2 } })
  await full(before, { warmPool: { plain: 2 } })
  await before.close()
  const newer = structuredClone(plain)
  newer.spec.containers[0]!.image = 'newer'
  const { clock } = before
  const after = await pooled(t, on, { clock, warmPool: { plain: 2 }, templates: { plain: newer } })
  await untilCount(after, 'plain', 'ready', 4)
  const { sandbox } = await after.sandboxes.createSandbox(wish)
  const pod = on.pods().find(({ metadata }) => metadata.name === sandbox?.pod)
  t.equal(pod.spec.containers[0].image, 'newer')
  clock.advance(31_000)
  await untilTrue('the old ones are gone', () => idle(on).every(({ spec }) => spec.containers[0].image === 'newer'))
  await untilCount(after, 'plain', 'ready', 2)
})

t.test('what is deleted by hand, breaks or turns unready is no candidate, and is made up for', async t => {
  const { on, it } = await fullRig(t, { warmPool: { plain: 3 } })
  const [gone, broken, unready] = idle(on).map(({ metadata }) => metadata)
  on.client.delete({ resource: 'pods', namespace, name: gone.name })
  change(on, 'pods', broken.name, { status: { phase: 'Failed' } }, 'status')
  change(on, 'pods', unready.name, { metadata: { annotations: { 'muster.dev/simulated-ready': 'false' } } })
  await untilTrue('the broken one is gone', () => on.pods().every(({ metadata }) => metadata.uid !== broken.uid))
  await untilCount(it, 'plain', 'starting', 1)
  await untilCount(it, 'plain', 'ready', 2)
  t.equal(
    await it.metric('muster_sandbox_pool_errors_total{template="plain"}'),
    1,
    'one that ends by itself is told of'
  )
  const uids = new Set<string>()
  for (const projectId of ['p1', 'p2']) {
    const { sandbox } = await it.sandboxes.createSandbox({ projectId, template: 'plain' })
    t.equal(sandbox?.launch, Launch.WARM)
    uids.add(on.pods().find(({ metadata }) => metadata.name === sandbox?.pod).metadata.uid)
  }
  for (const { uid } of [gone, broken, unready]) t.notOk(uids.has(uid))
})

t.test('a warm pod that dies between look and patch is none: the next one is, else a cold one', async t => {
  const on = await cluster(t)
  const state = { kill: 0 }
  const wrap: Wrap = kubernetes => ({
    ...around(kubernetes, (_, call) => call()),
    patch(kind, name, patch) {
      if (kind === 'pods' && state.kill-- > 0) on.client.delete({ resource: 'pods', namespace, name })
      return kubernetes.patch(kind, name, patch)
    },
    follow: (...args) => kubernetes.follow(...args),
    note: note => kubernetes.note(note)
  })
  const it = await pooled(t, on, { wrap, warmPool: { plain: 3 } })
  await full(it, { warmPool: { plain: 3 } })
  state.kill = 1
  const next = await it.sandboxes.createSandbox(wish)
  t.match(next.sandbox, { launch: Launch.WARM, state: State.READY })
  state.kill = 1_000
  const none = await it.sandboxes.createSandbox({ projectId: 'p2', template: 'plain' })
  state.kill = 0
  t.match(none.sandbox, { launch: Launch.COLD, launchReason: 'no warm pod of template plain was ready' })
  await until(it, none.sandbox!.id, State.READY)
})

t.test('the end of an adopted pod is the end of its sandbox, and told once like any other', async t => {
  const { publish, events } = publisher(t)
  const { on, it } = await fullRig(t, { warmPool: { plain: 2 }, enableEvents: true, publisher: { publish } })
  const first = await it.sandboxes.createSandbox(wish)
  t.equal(first.sandbox?.launch, Launch.WARM)
  on.client.delete({ resource: 'pods', namespace, name: first.sandbox!.pod })
  await untilTrue('its end is told', () => events.length === 1)
  t.match(events[0]?.sandbox, { id: first.sandbox!.id, reason: Reason.FAILED, launch: Launch.WARM })
  const second = await it.sandboxes.createSandbox({ projectId: 'p2', template: 'plain' })
  await it.sandboxes.releaseSandbox({ id: second.sandbox!.id })
  await untilTrue('that of the other, too', () => events.length === 2)
  t.match(events[1]?.sandbox, { id: second.sandbox!.id, reason: Reason.RELEASED })
  await only(on, 2)
  t.equal(events.length, 2)
})

t.test('a warm pod that ends while it stands ready is nobody’s end', async t => {
  const { publish, events } = publisher(t)
  const { on, it } = await fullRig(t, { warmPool: { plain: 2 }, enableEvents: true, publisher: { publish } })
  const uids = idle(on).map(({ metadata }) => metadata.uid)
  for (const { metadata } of idle(on)) on.client.delete({ resource: 'pods', namespace, name: metadata.name })
  await untilTrue('others stand there', () => idle(on).every(({ metadata }) => !uids.includes(metadata.uid)))
  await full(it, { warmPool: { plain: 2 } })
  t.strictSame([events.length, on.services().length], [0, 0])
})
