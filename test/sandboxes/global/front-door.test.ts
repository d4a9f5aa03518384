import { Code, ConnectError } from '@connectrpc/connect'
import t from 'tap'
import { PlacementReason } from '../../../extender/sandboxes/proto/generated/sandbox/v1/placement_pb.js'
import { State } from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { FakeCluster } from './fake-cluster.ts'
import { entryOf, frontDoor, refused } from './front-door.ts'

t.test('S0.26 S0.27 creates go to the preferred cluster, and the answer says how it was chosen', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes, metric } = await frontDoor(t, [entryOf(a, { priority: 1 }), entryOf(b, { priority: 0 })])
  const { sandbox, created, placement } = await sandboxes.createSandbox({ projectId: 'shop' })
  t.equal(created, true)
  t.equal(sandbox?.cluster, 'b')
  t.match(placement, {
    cluster: 'b',
    tier: 0,
    reason: PlacementReason.WEIGHTED,
    considered: [
      { name: 'a', verdict: /turn of the clusters of priority 0/ },
      { name: 'b', verdict: '' }
    ]
  })
  t.strictSame([a.count('create'), b.count('create')], [0, 1])
  t.strictSame(await metric('muster_sandbox_placements_total'), [
    'muster_sandbox_placements_total{cluster="b",reason="WEIGHTED"} 1'
  ])
})

t.test('S0.26 S1.1 projects spread by weight', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes } = await frontDoor(t, [entryOf(a, { weight: 3 }), entryOf(b)])
  await Promise.all(Array.from({ length: 80 }, (_, at) => sandboxes.createSandbox({ projectId: `p${at}` })))
  t.equal(a.live.length + b.live.length, 80)
  t.ok(a.live.length > 48 && a.live.length < 72, `${a.live.length} of 80 are about three quarters`)
})

t.test('S0.26 where dice are to spread them, even keys of one project go to both clusters', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  let dice = 0
  const random = () => (dice = (dice + 0.618_033_988_75) % 1)
  const { sandboxes } = await frontDoor(t, [entryOf(a), entryOf(b)], { strategy: 'weighted-random', random })
  for (let at = 0; at < 20; at++) await sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: `k${at}` })
  t.ok(a.live.length > 3 && b.live.length > 3, `${a.live.length} and ${b.live.length}`)
  const again = await sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: 'k7' })
  t.strictSame([again.created, again.placement?.reason], [false, PlacementReason.STICKY], 'yet each key stays')
})

t.test('S0.28 S1.1 S1.2 S1.3 the whole life of a sandbox through the front door', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes } = await frontDoor(t, [entryOf(a), entryOf(b)])
  const first = await sandboxes.createSandbox({ projectId: 'shop' })
  const again = await sandboxes.createSandbox({ projectId: 'shop' })
  t.strictSame([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
  t.equal(again.placement?.reason, PlacementReason.STICKY)
  const { id = '' } = first.sandbox ?? {}
  t.equal((await sandboxes.getSandbox({ id })).sandbox?.uid, first.sandbox?.uid)
  t.equal((await sandboxes.getSandbox({ projectId: 'shop' })).sandbox?.uid, first.sandbox?.uid)
  t.equal((await sandboxes.touchSandbox({ id })).sandbox?.id, id)
  t.equal((await sandboxes.releaseSandbox({ id })).sandbox?.state, State.TERMINATED)
  const next = await sandboxes.createSandbox({ projectId: 'shop' })
  t.equal(next.created, true)
  t.not(next.sandbox?.uid, first.sandbox?.uid)
  t.equal(a.live.length + b.live.length, 1)
})

t.test('S0.51 retain and release reach the cluster that holds the sandbox, and no other', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes } = await frontDoor(t, [entryOf(a, { priority: 1 }), entryOf(b)])
  const { sandbox } = await sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: 'k1' })
  const { id = '' } = sandbox ?? {}
  t.equal((await sandboxes.retainSandbox({ id })).sandbox?.retainCount, 1)
  t.equal((await sandboxes.releaseSandbox({ id })).sandbox?.state, State.TERMINATED)
  t.strictSame([a.count('retain'), a.count('release'), b.count('retain'), b.count('release')], [0, 0, 1, 1])
})

t.test('S0.29 S0.51 without a shared memory, a restarted front door finds again what is there', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const before = await frontDoor(t, [entryOf(a), entryOf(b, { priority: 1 })])
  const first = await before.sandboxes.createSandbox({ projectId: 'shop' })
  const keyed = await before.sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: 'k1' })
  await before.server.close()
  // What was the second choice is the first one now.
  const { sandboxes } = await frontDoor(t, [entryOf(a, { priority: 1 }), entryOf(b)])
  const again = await sandboxes.createSandbox({ projectId: 'shop' })
  t.strictSame([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
  const { id = '' } = keyed.sandbox ?? {}
  t.equal((await sandboxes.retainSandbox({ id })).sandbox?.uid, keyed.sandbox?.uid)
  await sandboxes.releaseSandbox({ id })
  const replayed = await sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: 'k1' })
  t.match(replayed, { created: false, sandbox: { uid: keyed.sandbox?.uid, state: State.TERMINATED } })
  t.strictSame([a.live.length, b.sandboxes.size], [1, 0])
})

t.test('S0.29 one key is one sandbox, though 50 ask at once', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes } = await frontDoor(t, [entryOf(a), entryOf(b)])
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: 'k1' }))
  )
  t.equal(new Set(answers.map(({ sandbox }) => sandbox?.uid)).size, 1)
  t.equal(answers.filter(({ created }) => created).length, 1)
  t.equal(a.sandboxes.size + b.sandboxes.size, 1)
})

t.test('a sandbox with a key goes near the others of its project', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  a.manner = 'saturated'
  const { sandboxes, clock } = await frontDoor(t, [entryOf(a), entryOf(b, { priority: 1 })])
  t.equal((await sandboxes.createSandbox({ projectId: 'shop' })).placement?.reason, PlacementReason.SPILLOVER)
  a.manner = 'serves'
  clock.advance(10_000)
  const { placement } = await sandboxes.createSandbox({ projectId: 'shop', idempotencyKey: 'k1' })
  t.match(placement, { cluster: 'b', reason: PlacementReason.STICKY })
  t.equal((await sandboxes.createSandbox({ projectId: 'blog' })).placement?.cluster, 'a')
})

t.test('a draining cluster serves what it has and gets nothing new', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const before = await frontDoor(t, [entryOf(a), entryOf(b, { priority: 1 })])
  const first = await before.sandboxes.createSandbox({ projectId: 'shop' })
  await before.server.close()
  const { sandboxes } = await frontDoor(t, [entryOf(a, { state: 'draining' }), entryOf(b, { priority: 1 })])
  const again = await sandboxes.createSandbox({ projectId: 'shop' })
  t.strictSame([again.created, again.sandbox?.uid], [false, first.sandbox?.uid])
  t.equal((await sandboxes.createSandbox({ projectId: 'blog' })).placement?.cluster, 'b')
  await sandboxes.releaseSandbox({ projectId: 'shop' })
  const next = await sandboxes.createSandbox({ projectId: 'shop' })
  t.match([next.created, next.placement?.cluster], [true, 'b'], 'and what has ended begins anew elsewhere')
})

t.test('S0.28 lists go over all clusters, page by page, and say whom they could not ask', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes, ask } = await frontDoor(t, [entryOf(a), entryOf(b)])
  await Promise.all(Array.from({ length: 25 }, (_, at) => sandboxes.createSandbox({ projectId: `p${at}` })))
  const seen = new Set<string>()
  let [pages, pageToken] = [0, '']
  do {
    const page = await sandboxes.listSandboxes({ pageSize: 4, pageToken })
    t.ok(page.sandboxes.length <= 4)
    for (const { id } of page.sandboxes) seen.add(id)
    pageToken = page.nextPageToken
    pages += 1
  } while (pageToken !== '')
  t.equal(seen.size, 25)
  t.ok(pages >= 7 && pages <= 8, `${pages} pages`)
  await b.kill()
  const partial = await ask('GET', '/v1/sandboxes?page_size=1000')
  t.equal(partial.body.sandboxes.length, a.live.length)
  t.equal(partial.headers['muster-clusters-unreachable'], 'b')
  await a.kill()
  t.match(await ask('GET', '/v1/sandboxes'), { status: 503, body: { message: /^no cluster can be asked/ } })
  const broken = await refused(sandboxes.listSandboxes({ pageToken: 'what' }))
  t.match(broken.rawMessage, /page_token is none that this service gave/)
})

t.test('S1.6 a watch tells what is on all clusters', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes } = await frontDoor(t, [entryOf(a), entryOf(b)])
  await Promise.all(Array.from({ length: 10 }, (_, at) => sandboxes.createSandbox({ projectId: `p${at}` })))
  t.ok(a.live.length > 0 && b.live.length > 0)
  const seen = new Set<string>()
  for await (const { sandbox } of sandboxes.watchSandboxes({})) {
    if (sandbox) seen.add(sandbox.projectId)
    if (seen.size === 10) break
  }
  t.equal(seen.size, 10)
})

t.test('S1.6 a watch outlives the process of a scheduler', async t => {
  const a = await FakeCluster.start(t, 'a')
  const { sandboxes, pass } = await frontDoor(t, [entryOf(a)])
  await sandboxes.createSandbox({ projectId: 'shop' })
  const seen: (string | undefined)[] = []
  const gone = new AbortController()
  const watching = (async () => {
    for await (const { sandbox } of sandboxes.watchSandboxes({}, { signal: gone.signal })) seen.push(sandbox?.projectId)
  })()
  const ended = watching.catch((error: unknown) => error)
  // The watch itself is a call that is not answered.
  await pass(() => seen.length === 1, 0, 1)
  await a.kill()
  await a.revive()
  await pass(() => seen.length === 2, 500, 1)
  t.strictSame(seen, ['shop', 'shop'], 'and tells again what is there')
  gone.abort()
  t.equal(((await ended) as ConnectError).code, Code.Canceled)
})

t.test('S0.28 the same over plain HTTP: durations as people write them, 201 and 200, one sentence', async t => {
  const a = await FakeCluster.start(t, 'a')
  const { ask } = await frontDoor(t, [entryOf(a)])
  const key = { 'idempotency-key': 'k1' }
  const made = await ask('POST', '/v1/sandboxes', { projectId: 'shop', ttl: '15m' }, key)
  t.match(made, { status: 201, body: { created: true, placement: { cluster: 'a' } } })
  const again = await ask('POST', '/v1/sandboxes', { projectId: 'shop', ttl: '15m' }, key)
  t.equal(again.status, 200)
  t.equal(again.headers['idempotent-replayed'], 'true')
  const { id } = made.body.sandbox
  t.equal((await ask('GET', `/v1/sandboxes/${id}`)).body.sandbox.id, id)
  t.equal((await ask('POST', `/v1/sandboxes/${id}/retain`, { ttl: '1h30m' })).body.sandbox.retainCount, 1)
  t.equal((await ask('DELETE', `/v1/sandboxes/${id}`)).body.sandbox.state, 'STATE_TERMINATED')
  const table = {
    'a bad duration': [{ projectId: 'shop', ttl: 'soon' }, 400, /^ttl "soon" must be a duration/],
    'an unknown field': [{ projectId: 'shop', tttl: '15m' }, 400, /"tttl" is unknown/],
    'no project': [{}, 400, /^project_id is missing/],
    'a list': ['[]', 400, /^the body must be a JSON object$/]
  } as const
  for (const [name, [body, status, message]] of Object.entries(table))
    t.match(await ask('POST', '/v1/sandboxes', body), { status, body: { message } }, name)
  t.match(await ask('GET', '/v1/sandboxes/sbx-none'), { status: 404, body: { message: /on any cluster$/ } })
  const two = { ...key, 'content-type': 'application/json' }
  const differing = await ask('POST', '/v1/sandboxes', { projectId: 'shop', idempotencyKey: 'k2' }, two)
  t.match(differing, { status: 400, body: { message: /Idempotency-Key is empty or differs/ } })
})

t.test('S0.26 a dry run says where a project would go, and places nothing', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const eu = new Map([['region', 'eu']])
  const { ask, placements } = await frontDoor(t, [entryOf(a), entryOf(b, { priority: 1, labels: eu })])
  t.match(await ask('GET', '/v1/placement?project=shop'), {
    status: 200,
    body: {
      placement: { cluster: 'a', reason: 'PLACEMENT_REASON_WEIGHTED', considered: [{ name: 'a' }, { name: 'b' }] }
    }
  })
  t.match((await ask('GET', '/v1/placement?project=shop&labels=region%3Deu')).body, { placement: { cluster: 'b' } })
  t.match(await ask('GET', '/v1/placement?project=shop&labels=region'), { status: 400 })
  t.match(await ask('GET', '/v1/placement?projekt=shop'), { status: 400, body: { message: /^"projekt" is unknown/ } })
  t.strictSame([a.count('create'), b.count('create')], [0, 0])
  const inEu = await ask('POST', '/v1/sandboxes', { projectId: 'shop' }, { 'muster-cluster-labels': 'region=eu' })
  t.equal(inEu.body.placement.cluster, 'b', 'and a create says by a header which clusters will do')
  const { clusters } = await placements.listClusters({})
  t.match(clusters, [
    { name: 'a', endpoint: a.url, healthy: true, reason: '' },
    { name: 'b', priority: 1, state: 'active' }
  ])
})

t.test('what a cluster decides is passed on, and nobody else is asked', async t => {
  const [a, b] = [await FakeCluster.start(t, 'a'), await FakeCluster.start(t, 'b')]
  const { sandboxes } = await frontDoor(t, [entryOf(a), entryOf(b)])
  const error = await refused(sandboxes.getSandbox({ id: 'sbx-none' }))
  t.equal(error.code, Code.NotFound)
  const nameless = await refused(sandboxes.getSandbox({}))
  t.match(nameless.rawMessage, /^id is missing/)
  t.ok(nameless instanceof ConnectError)
})
