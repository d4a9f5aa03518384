import { Code, type ConnectError } from '@connectrpc/connect'
import t, { type Test } from 'tap'
import { PlacementReason } from '../../../extender/sandboxes/proto/generated/sandbox/v1/placement_pb.js'
import { untilTrue } from '../../embedded/until.ts'
import { FakeCluster, type Manner } from './fake-cluster.ts'
import { entryOf, frontDoor, refused, type Said } from './front-door.ts'

/** Two clusters, `a` preferred, and a front door. */
async function two(t: Test, said: { readonly a?: Said; readonly b?: Said; readonly failoverAfterMs?: number } = {}) {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const entries = [entryOf(a, said.a), entryOf(b, { priority: 1, ...said.b })]
  const { failoverAfterMs = 300_000 } = said
  return { a, b, entries, ...(await frontDoor(t, entries, { failoverAfterMs })) }
}

const keyed = { projectId: 'shop', idempotencyKey: 'k1' }
const retryAfter = ({ metadata }: ConnectError) => Number(metadata.get('retry-after'))

t.test('S0.29 a killed cluster keeps its sandbox: the same key waits for it, other projects go on', async t => {
  const { a, b, sandboxes } = await two(t)
  const first = await sandboxes.createSandbox(keyed)
  await a.kill()
  const away = await refused(sandboxes.createSandbox(keyed))
  t.equal(away.code, Code.Unavailable)
  t.match(away.rawMessage, /^cluster a, which holds sandbox sbx-\w+, refused the connection$/)
  t.ok(retryAfter(away) >= 1)
  const other = await sandboxes.createSandbox({ projectId: 'blog' })
  t.match(other.placement, { cluster: 'b', reason: PlacementReason.SPILLOVER })
  t.match(other.placement?.considered, [
    { name: 'a', verdict: 'refused the connection' },
    { name: 'b', verdict: '' }
  ])
  await a.revive()
  const again = await sandboxes.createSandbox(keyed)
  t.strictSame([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
  t.equal(b.count('create shop'), 0)
})

t.test(
  'S0.29 S0.4 one sandbox for one key, though a cluster is killed under 40 clients that try until they get it',
  async t => {
    const { a, b, pass, sandboxes } = await two(t)
    a.manner = 'stalls'
    const got: (string | undefined)[] = []
    const client = async () => {
      for (let turn = 0; turn < 1_000; turn++) {
        const answer = await sandboxes.createSandbox(keyed).catch(() => undefined)
        if (answer) return void got.push(answer.sandbox?.uid)
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    const clients = Array.from({ length: 40 }, client)
    await untilTrue('a create is under way at a', () => a.stalled > 0)
    await a.kill()
    await Promise.all(clients)
    t.equal(got.length, 40)
    t.equal(new Set(got).size, 1)
    a.manner = 'serves'
    await a.revive()
    await pass(() => a.live.length === 0 && a.count('release') > 0, 500)
    t.strictSame([a.live.length, b.live.length], [0, 1])
  }
)

t.test('S0.29 done, but the answer was lost: it is looked up there, and that is the answer', async t => {
  const { a, b, sandboxes, metric } = await two(t)
  a.manner = 'does and resets'
  const { created, sandbox, placement } = await sandboxes.createSandbox(keyed)
  t.match([created, placement?.cluster, placement?.reason], [true, 'a', PlacementReason.WEIGHTED])
  a.manner = 'serves'
  const again = await sandboxes.createSandbox(keyed)
  t.strictSame([again.created, again.sandbox?.uid], [false, sandbox?.uid])
  t.strictSame([a.sandboxes.size, b.sandboxes.size, b.count('create')], [1, 0, 0])
  t.strictSame(await metric('muster_sandbox_cluster_failures_total'), [
    'muster_sandbox_cluster_failures_total{cluster="a",kind="unknown"} 1'
  ])
})

t.test('S0.29 the answer of the holder was lost: it is looked up there too', async t => {
  const { a, sandboxes } = await two(t)
  const first = await sandboxes.createSandbox(keyed)
  a.manner = 'does and resets'
  const again = await sandboxes.createSandbox(keyed)
  t.strictSame([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
})

t.test('S0.29 an answer that comes after the front door gave up leaves no second sandbox', async t => {
  const { a, b, pass, sandboxes, metric, lines } = await two(t)
  a.manner = 'stalls'
  const creating = sandboxes.createSandbox(keyed)
  await untilTrue('the create is under way at a', () => a.stalled > 0)
  await pass(() => b.count('create') > 0, 1_000, 1)
  const { placement, sandbox } = await creating
  t.match(placement, { cluster: 'b', reason: PlacementReason.SPILLOVER })
  t.match(placement?.considered[0]?.verdict, /^failed: no answer within 10 s$/)
  t.match(await metric('muster_sandbox_releases_owed'), ['muster_sandbox_releases_owed 1'])
  a.proceed()
  await untilTrue('a has made it all the same', () => a.live.length === 1)
  await pass(() => a.live.length === 0, 500)
  t.equal(b.live.length, 1)
  const again = await sandboxes.createSandbox(keyed)
  t.strictSame([again.created, again.sandbox?.uid], [false, sandbox?.uid])
  t.ok(lines.some(({ msg, cluster }) => cluster === 'a' && msg.startsWith('released what a call')))
  const before = a.count('release')
  await pass(() => a.count('release') > before, 5_000)
  await untilTrue('nothing is owed any more', () => a.count('release') === before + 1)
})

t.test('S0.29 nothing was done, and there is nobody to ask: what may be left is released when there is', async t => {
  const { a, b, pass, sandboxes } = await two(t)
  a.manner = 'stalls'
  const creating = sandboxes.createSandbox(keyed)
  await untilTrue('the create is under way at a', () => a.stalled > 0)
  a.proceed()
  a.manner = 'breaks'
  await a.kill()
  const { placement } = await creating
  t.match([placement?.cluster, b.live.length], ['b', 1])
  a.manner = 'serves'
  await a.revive()
  await pass(() => a.count('release') > 0, 500)
  await untilTrue('it is ended there', () => a.live.length === 0)
  t.equal(b.live.length, 1)
})

const failures: Record<string, { readonly manner: Manner; readonly verdict: RegExp; readonly releases: boolean }> = {
  'S0.29 a reset before anything was done': { manner: 'resets', verdict: /^broke off the call: /, releases: true },
  'a cluster that cannot': { manner: 'unavailable', verdict: /^failed: no API server$/, releases: true },
  'S0.26 a cluster that takes no more': { manner: 'saturated', verdict: /^is saturated: the quota/, releases: false }
}
for (const [name, { manner, verdict, releases }] of Object.entries(failures)) {
  t.test(`${name}: the next one is asked`, async t => {
    const { a, b, pass, sandboxes, metric } = await two(t)
    a.manner = manner
    const { placement } = await sandboxes.createSandbox(keyed)
    t.match(placement, { cluster: 'b', reason: PlacementReason.SPILLOVER, considered: [{ name: 'a', verdict }] })
    t.match((await metric('muster_sandbox_releases_owed')).length, releases ? 1 : 0)
    a.manner = 'serves'
    if (releases) await pass(() => a.count('release') > 0, 500)
    t.strictSame([a.live.length, b.live.length], [0, 1])
  })
}

t.test('S0.26 a saturated cluster is asked again when it said', async t => {
  const { a, clock, sandboxes } = await two(t)
  a.manner = 'saturated'
  await sandboxes.createSandbox({ projectId: 'p1' })
  a.manner = 'serves'
  clock.advance(6_900)
  const soon = await sandboxes.createSandbox({ projectId: 'p2' })
  t.match(soon.placement, { cluster: 'b', considered: [{ name: 'a', verdict: /^saturated/ }] })
  clock.advance(200)
  t.equal((await sandboxes.createSandbox({ projectId: 'p3' })).placement?.cluster, 'a')
})

t.test('S0.29 a saturated holder says so itself; only where nothing is left there another takes over', async t => {
  const { a, b, sandboxes } = await two(t)
  const first = await sandboxes.createSandbox({ projectId: 'shop' })
  a.manner = 'saturated'
  const full = await refused(sandboxes.createSandbox({ projectId: 'shop' }))
  t.match([full.code, full.rawMessage, retryAfter(full)], [Code.ResourceExhausted, 'the quota is used up', 7])
  t.equal(b.count('create'), 0)
  await sandboxes.releaseSandbox({ id: first.sandbox?.id ?? '' })
  t.equal((await sandboxes.createSandbox({ projectId: 'shop' })).placement?.cluster, 'b')
  t.strictSame([a.live.length, b.live.length], [0, 1])
})

t.test('S0.26 a full cluster gets nothing more', async t => {
  const { a, sandboxes } = await two(t, { a: { capacity: 2 } })
  const clusters: (string | undefined)[] = []
  for (const projectId of ['p1', 'p2', 'p3'])
    clusters.push((await sandboxes.createSandbox({ projectId })).placement?.cluster)
  t.strictSame(clusters, ['a', 'a', 'b'])
  t.equal(a.live.length, 2)
})

t.test('all down: one sentence that names each, and when to ask again', async t => {
  const { a, b, pass, ask, sandboxes } = await two(t)
  await Promise.all([a.kill(), b.kill()])
  const refusal = await refused(sandboxes.createSandbox(keyed))
  t.match(refusal.rawMessage, /^no cluster can take .* of project shop now: a: refused the connection; b: refused/)
  t.ok(retryAfter(refusal) >= 1)
  const plain = await ask('POST', '/v1/sandboxes', keyed)
  t.match(plain, { status: 503, body: { code: 'unavailable', details: [{ debug: { reason: 'no_cluster' } }] } })
  t.ok(Number(plain.headers['retry-after']) >= 1)
  const isLost = async () =>
    (await ask('GET', '/v1/clusters')).body.clusters.every((each: object) => !('healthy' in each))
  await pass(isLost, 5_000)
  const panic = await refused(sandboxes.createSandbox(keyed))
  t.match(panic.rawMessage, /a: refused the connection; b: not healthy$/, 'in panic one is tried')
  await a.revive()
  t.match((await sandboxes.createSandbox(keyed)).placement, { cluster: 'a', reason: PlacementReason.PANIC })
})

t.test(
  'S0.29 a cluster that is lost for too long loses its sandboxes, and what comes back with it is released',
  async t => {
    const { a, b, clock, ask, sandboxes, pass } = await two(t, { failoverAfterMs: 120_000 })
    const first = await sandboxes.createSandbox(keyed)
    await a.kill()
    t.equal((await refused(sandboxes.createSandbox(keyed))).code, Code.Unavailable)
    const reasons = async () => (await ask('GET', '/v1/clusters')).body.clusters[0].reason ?? ''
    await pass(async () => (await reasons()) !== '', 5_000)
    t.match(await reasons(), /^no answer to \/readyz: .*ECONNREFUSED/)
    t.equal((await refused(sandboxes.createSandbox(keyed))).code, Code.Unavailable, 'not yet')
    clock.advance(120_000)
    const moved = await sandboxes.createSandbox(keyed)
    t.match([moved.placement?.cluster, moved.created], ['b', true])
    t.not(moved.sandbox?.uid, first.sandbox?.uid)
    await a.revive()
    await pass(() => a.live.length === 0, 1_000)
    t.strictSame([a.live.length, b.live.length], [0, 1])
  }
)

t.test('S0.26 five failures in a row set a cluster aside for 30 seconds, with nothing asked of it', async t => {
  const { a, clock, sandboxes, placements } = await two(t)
  a.manner = 'unavailable'
  for (const projectId of ['p1', 'p2', 'p3', 'p4', 'p5']) await sandboxes.createSandbox({ projectId })
  t.equal(a.count('create'), 5)
  t.match((await sandboxes.createSandbox({ projectId: 'p6' })).placement, {
    cluster: 'b',
    considered: [{ name: 'a', verdict: 'set aside after failures in a row' }, { name: 'b' }]
  })
  t.equal(a.count('create'), 5)
  a.manner = 'serves'
  clock.advance(30_001)
  t.equal((await placements.getPlacement({ projectId: 'p7' })).placement?.cluster, 'a')
})

t.test('S0.29 a client that gives up and asks again gets what its first request made', async t => {
  const { a, b, sandboxes } = await two(t)
  a.manner = 'stalls'
  const gone = new AbortController()
  const first = refused(sandboxes.createSandbox(keyed, { signal: gone.signal }))
  await untilTrue('the create is under way at a', () => a.stalled > 0)
  gone.abort()
  t.equal((await first).code, Code.Canceled)
  a.manner = 'serves'
  const second = sandboxes.createSandbox(keyed)
  a.proceed()
  t.equal((await second).created, false)
  t.strictSame([a.sandboxes.size, b.sandboxes.size], [1, 0])
})

t.test('a front door is ready while one active cluster is healthy', async t => {
  const { a, b, ask, pass } = await two(t, { b: { state: 'draining' } })
  t.match(await ask('GET', '/readyz'), { status: 200, body: '[+] clusters ok\n' })
  await a.kill()
  await pass(async () => (await ask('GET', '/readyz')).status === 503, 5_000)
  t.match(await ask('GET', '/readyz'), { body: '[-] clusters: none of the active ones is healthy\n' })
  t.equal(b.count('create'), 0)
})

t.test('a disabled cluster is asked for nothing', async t => {
  const { a, b, sandboxes, ask } = await two(t, { a: { state: 'disabled' } })
  await sandboxes.createSandbox(keyed)
  await sandboxes.getSandbox({ projectId: 'shop' }).catch(() => undefined)
  t.equal((await ask('GET', '/v1/sandboxes')).body.sandboxes.length, 1)
  t.strictSame([a.calls, b.live.length], [[], 1])
})
