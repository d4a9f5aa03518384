import { timestampMs } from '@bufbuild/protobuf/wkt'
import { Code, type ConnectError } from '@connectrpc/connect'
import t from 'tap'
import {
  Reason,
  RefusalSchema,
  type Sandbox,
  State
} from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import type { Kubernetes } from '../../extender/sandboxes/scheduler/ports.ts'
import { untilTrue } from '../embedded/until.ts'
import { cleared, cluster, rig, type Service, service, until } from './rig.ts'

const minute = 60_000
const seconds = (count: number) => ({ seconds: BigInt(count) })
const lifeOf = ({ createdAt, expiresAt }: Sandbox): number => timestampMs(expiresAt!) - timestampMs(createdAt!)

async function made(it: Service, wish: object = {}): Promise<Sandbox> {
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1', ...wish })
  return until(it, sandbox!.id, State.READY)
}

const refused = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => t.fail('done'),
    error => error
  )

t.test('S0.8 S0.10 a lifetime is the request’s, or the service’s, and can be read', async t => {
  const on = await cluster(t)
  const [usual, short] = [await service(t, on), await service(t, on, { sandboxTtl: 5 * minute })]
  t.equal(lifeOf(await made(usual)), 15 * minute)
  t.equal(lifeOf(await made(short, { projectId: 'p2' })), 5 * minute)
  t.equal(lifeOf(await made(short, { projectId: 'p3', ttl: seconds(42) })), 42_000)
  t.equal(
    lifeOf(await made(usual, { projectId: 'p4', maxLifetime: seconds(60) })),
    minute,
    'no longer than it may live'
  )
})

t.test('S0.9 S1.7 S0.16 at its end it goes by itself, with its pod and its Service', async t => {
  const { on, it } = await rig(t)
  const { id } = await made(it)
  it.clock.advance(15 * minute - 5_000)
  t.equal((await it.sandboxes.getSandbox({ id })).sandbox?.state, State.READY)
  it.clock.advance(5_000)
  await cleared(on)
  const { sandbox } = await it.sandboxes.getSandbox({ id })
  t.match(sandbox, { state: State.TERMINATED, reason: Reason.EXPIRED })
  t.equal(sandbox?.failure, undefined)
  t.equal(await it.metric('muster_sandbox_terminated_total{reason="EXPIRED",code=""}'), 1)
})

t.test('S0.10 expirations outlive the service: one that is past is carried out, one to come still comes', async t => {
  const on = await cluster(t)
  const before = await service(t, on)
  const past = await made(before, { projectId: 'past', ttl: seconds(60) })
  const later = await made(before, { projectId: 'later', ttl: seconds(600) })
  await before.close()
  const { clock } = before
  clock.advance(2 * minute)
  const after = await service(t, on, { clock })
  await untilTrue('the past one is gone', () => on.service(past.id) === undefined)
  const { sandbox } = await after.sandboxes.getSandbox({ id: later.id })
  t.equal(sandbox?.state, State.READY)
  t.strictSame(sandbox?.expiresAt, later.expiresAt)
  clock.advance(8 * minute)
  await cleared(on)
})

t.test('S0.11 retain: a lifetime from now, never less than before, never beyond the longest life', async t => {
  const { on, it } = await rig(t)
  const sandbox = await made(it, { maxLifetime: seconds(1_800) })
  const { id } = sandbox
  it.clock.advance(10 * minute)
  const now = it.clock.wall()
  const first = (await it.sandboxes.retainSandbox({ id })).sandbox!
  const from = timestampMs(first.expiresAt!) - 15 * minute
  t.ok(from >= now && from <= it.clock.wall(), 'its own lifetime, from now on')
  const shorter = (await it.sandboxes.retainSandbox({ projectId: 'p1', ttl: seconds(1) })).sandbox!
  t.strictSame(shorter.expiresAt, first.expiresAt)
  t.equal(shorter.retainCount, 2)
  const longer = (await it.sandboxes.retainSandbox({ id, ttl: seconds(3_600) })).sandbox!
  t.equal(lifeOf(longer), 30 * minute)
  it.clock.advance(21 * minute)
  await cleared(on)
  t.equal((await it.sandboxes.getSandbox({ id })).sandbox?.reason, Reason.EXPIRED)
})

t.test('retain never revives: at the deadline it is over, whether anybody has noticed or not', async t => {
  const on = await cluster(t)
  const slow = await service(t, on, { wrap: deaf })
  const { sandbox } = await slow.sandboxes.createSandbox({ projectId: 'p1', ttl: seconds(60) })
  slow.clock.advance(minute)
  const error = await refused(slow.sandboxes.retainSandbox({ id: sandbox!.id }))
  t.equal(error.code, Code.FailedPrecondition)
  t.equal(error.findDetails(RefusalSchema)[0]?.reason, 'terminated')
  await cleared(on)
  const after = await refused(slow.sandboxes.retainSandbox({ id: sandbox!.id }))
  t.equal(after.findDetails(RefusalSchema)[0]?.reason, 'terminated')
})

/** Hears nothing of the cluster, so that all it knows is what it did itself. */
const deaf = (kubernetes: Kubernetes): Kubernetes => ({
  ...bound(kubernetes),
  follow: () => ({ synced: false, stop: async () => {} })
})

function bound(kubernetes: Kubernetes): Kubernetes {
  return {
    create: (...args) => kubernetes.create(...args),
    get: (...args) => kubernetes.get(...args),
    patch: (...args) => kubernetes.patch(...args),
    remove: (...args) => kubernetes.remove(...args),
    follow: (...args) => kubernetes.follow(...args),
    note: (...args) => kubernetes.note(...args)
  }
}

t.test(
  'a retain that was answered counts, though the timer has fired meanwhile: no stale sweep deletes it',
  async t => {
    // The service that sweeps has an old view: it hears of nothing, and another replica retains.
    const on = await cluster(t)
    // It does not see the pod become ready, which must not count against it here.
    const sweeper = await service(t, on, { wrap: deaf, startTimeout: 24 * 60 * minute })
    const { sandbox } = await sweeper.sandboxes.createSandbox({ projectId: 'p1', ttl: seconds(60) })
    const other = await service(t, on)
    const { id } = sandbox!
    const retained = await other.sandboxes.retainSandbox({ id, ttl: seconds(3_600) })
    const patches = () => on.writes().filter(write => write.startsWith('patch services 409')).length
    sweeper.clock.advance(1.5 * minute)
    await untilTrue('the sweep has met the newer version', () => patches() === 1)
    const { sandbox: there } = await other.sandboxes.getSandbox({ id })
    t.equal(there?.uid, sandbox?.uid)
    t.not(there?.state, State.TERMINATED)
    t.strictSame(there?.expiresAt, retained.sandbox?.expiresAt)
    // And it is not immortal either: the new end is watched for.
    sweeper.clock.advance(60 * minute)
    await cleared(on)
  }
)

t.test('an idle sandbox ends; use keeps it, asking about it does not', async t => {
  const { on, it } = await rig(t)
  const { id, uid } = await made(it, { idleTimeout: seconds(60) })
  for (let turn = 0; turn < 3; turn++) {
    it.clock.advance(40_000)
    await it.sandboxes.touchSandbox({ id, uid })
  }
  t.equal((await it.sandboxes.getSandbox({ id })).sandbox?.state, State.READY, 'it is used')
  const touches = () => on.writes().filter(write => write === 'patch services 200').length
  const before = touches()
  await it.sandboxes.touchSandbox({ id })
  t.equal(touches(), before, 'a use right after another is not written')
  it.clock.advance(40_000)
  for (let turn = 0; turn < 5; turn++) await it.sandboxes.getSandbox({ id })
  it.clock.advance(21_000)
  await cleared(on)
  t.match((await it.sandboxes.getSandbox({ id })).sandbox, { state: State.TERMINATED, reason: Reason.EXPIRED })
  t.equal((await refused(it.sandboxes.touchSandbox({ id, uid }))).code, Code.FailedPrecondition)
})

t.test('a new sandbox of a project does not idle by the uses of the one before', async t => {
  const { on, it } = await rig(t)
  const first = await made(it, { idleTimeout: seconds(60) })
  it.clock.advance(61_000)
  await cleared(on)
  const second = await made(it, { idleTimeout: seconds(60) })
  t.equal(second.id, first.id)
  it.clock.advance(50_000)
  t.equal((await it.sandboxes.getSandbox({ id: second.id })).sandbox?.state, State.READY)
  const stale = await refused(it.sandboxes.touchSandbox({ id: first.id, uid: first.uid }))
  t.equal(stale.code, Code.FailedPrecondition, 'a use of the first is none of the second')
})

t.test('S0.7 after its time a key is free, even while its sandbox lives on', async t => {
  const { on, it } = await rig(t, { idempotenceTtl: minute })
  const wish = { projectId: 'p1', idempotencyKey: 'k1' }
  const first = await it.sandboxes.createSandbox(wish)
  it.clock.advance(59_000)
  t.equal((await it.sandboxes.createSandbox(wish)).created, false)
  it.clock.advance(2_000)
  const second = await it.sandboxes.createSandbox({ ...wish, projectId: 'p2' })
  t.equal(second.created, true)
  t.not(second.sandbox?.id, first.sandbox?.id)
  await untilTrue('both live', () => on.pods().length === 2)
  t.equal((await it.sandboxes.createSandbox({ ...wish, projectId: 'p2' })).sandbox?.uid, second.sandbox?.uid)
  it.clock.advance(15 * minute)
  await cleared(on)
  const third = await it.sandboxes.createSandbox(wish)
  t.match(third, { created: true, sandbox: { id: first.sandbox!.id } })
})

t.test('the first end counts: of a release and an expiry at once, one', async t => {
  const on = await cluster(t)
  const [a, b] = [await service(t, on), await service(t, on)]
  const { id } = await made(a, { ttl: seconds(60) })
  await until(b, id, State.READY)
  const released = a.sandboxes.releaseSandbox({ id })
  b.clock.advance(minute)
  const { sandbox } = await released
  t.equal(sandbox?.state, State.TERMINATED)
  await cleared(on)
  const ends = await Promise.all(
    [a, b].flatMap(each =>
      ['RELEASED', 'EXPIRED'].map(reason => each.metric(`muster_sandbox_terminated_total{reason="${reason}",code=""}`))
    )
  )
  t.equal(
    ends.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    1
  )
})
