import t from 'tap'
import { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { cleared, rig, until } from './rig.ts'
import type { Loose } from './serve.ts'

t.test('S0.2 S0.11 S0.12 the whole of a sandbox’s life with plain HTTP, durations as Go writes them', async t => {
  const { on, it } = await rig(t)
  const body = { project_id: 'p1', ttl: '15m', idleTimeout: '1h30m', env: { A: 'b' } }
  const made = await it.ask('POST', '/v1/sandboxes', body, { 'idempotency-key': 'k1' })
  t.match(made, {
    status: 201,
    body: { created: true, sandbox: { projectId: 'p1', ttl: '900s', idleTimeout: '5400s' } }
  })
  const again = await it.ask('POST', '/v1/sandboxes', { ...body, ttl: '900s' }, { 'idempotency-key': 'k1' })
  t.match(again, { status: 200, body: { created: false }, headers: { 'idempotent-replayed': 'true' } })
  t.strictSame(
    it.lines.filter(({ msg }) => msg === 'answered').map(line => line['replayed']),
    [false, true],
    'the log says so too'
  )
  const { id } = made.body.sandbox
  await until(it, id, State.READY)
  t.match(await it.ask('GET', `/v1/sandboxes/${id}`), { status: 200, body: { sandbox: { state: 'STATE_READY' } } })
  const retained = await it.ask('POST', `/v1/sandboxes/${id}/retain`, { ttl: '2h' })
  t.match(retained, { status: 200, body: { sandbox: { retainCount: 1 } } })
  t.match(await it.ask('POST', `/v1/sandboxes/${id}/touch`), { status: 200 })
  t.match(await it.ask('DELETE', `/v1/sandboxes/${id}`), {
    status: 200,
    body: { sandbox: { reason: 'REASON_RELEASED' } }
  })
  await cleared(on)
  t.match(await it.ask('GET', `/v1/sandboxes/${id}`), { body: { sandbox: { state: 'STATE_TERMINATED' } } })
  t.match(await it.ask('POST', `/v1/sandboxes/${id}/retain`), { status: 400, body: { message: /has ended/ } })
})

t.test('a project’s own sandbox has a path of its own', async t => {
  const { it } = await rig(t)
  t.match(await it.ask('GET', '/v1/projects/p1/sandbox'), {
    status: 404,
    body: { message: /^there is no sandbox sbx-/ }
  })
  await it.ask('POST', '/v1/sandboxes', { projectId: 'p1' })
  t.match(await it.ask('GET', '/v1/projects/p1/sandbox'), { body: { sandbox: { projectId: 'p1' } } })
  t.match(await it.ask('POST', '/v1/projects/p1/sandbox/retain', {}), { body: { sandbox: { retainCount: 1 } } })
  t.match(await it.ask('DELETE', '/v1/projects/p1/sandbox'), { body: { sandbox: { state: 'STATE_TERMINATED' } } })
})

t.test('what plain HTTP gets wrong is said in one sentence', async t => {
  const { it } = await rig(t)
  const table: Record<string, [string, string, string | undefined, RegExp]> = {
    'a duration of nobody': [
      'POST',
      '/v1/sandboxes',
      '{"projectId":"p","ttl":"soon"}',
      /^ttl "soon" must be a duration/
    ],
    'a field of nobody': ['POST', '/v1/sandboxes', '{"project":"p"}', /"project" is unknown/],
    'a list': ['POST', '/v1/sandboxes', '[]', /^the body must be a JSON object$/],
    'a type that is wrong': ['POST', '/v1/sandboxes', '{"projectId":7}', /project_id/],
    'a page of nobody': ['GET', '/v1/sandboxes?page=2', undefined, /"page" is unknown/],
    'a page that is too long': ['GET', '/v1/sandboxes?page_size=1001', undefined, /^page_size 1001 must be/],
    'a token of nobody': ['GET', '/v1/sandboxes?page_token=x', undefined, /^page_token must be/],
    'a watch of nobody': ['GET', '/v1/sandboxes/watch?tenant=A', undefined, /^tenant "A" must be a DNS label/],
    'an id of nobody': ['GET', '/v1/sandboxes/x', undefined, /^id "x" is no id of a sandbox$/]
  }
  for (const [name, [method, path, body, message]] of Object.entries(table))
    t.match(await it.ask(method, path, body), { status: 400, body: { message } }, name)
})

t.test('lists come in pages, of one tenant', async t => {
  const { it } = await rig(t)
  for (const tenant of ['', 'b'])
    for (let index = 0; index < 5; index++) await it.sandboxes.createSandbox({ projectId: `p${index}`, tenant })
  const ids: string[] = []
  let token = ''
  do {
    const { body } = await it.ask('GET', `/v1/sandboxes?page_size=2&page_token=${token}`)
    ids.push(...body.sandboxes.map(({ id }: Loose) => id))
    token = body.nextPageToken
  } while (token !== '')
  t.equal(ids.length, 5)
  t.strictSame(ids, ids.toSorted())
  const { body } = await it.ask('GET', '/v1/sandboxes?tenant=b&project_id=p3')
  t.match(body.sandboxes, [{ tenant: 'b', projectId: 'p3' }])
  t.equal(body.sandboxes.length, 1)
})

t.test('S1.6 who watches sees what is there, then it becoming ready, then its end, once each', async t => {
  const { on, it } = await rig(t)
  const first = await it.sandboxes.createSandbox({ projectId: 'p1' })
  await until(it, first.sandbox!.id, State.READY)
  const ending = new AbortController()
  t.teardown(() => ending.abort())
  const seen: string[] = []
  const plain: string[] = []
  const states = async () => {
    for await (const { sandbox } of it.sandboxes.watchSandboxes({}, { signal: ending.signal }))
      seen.push(`${sandbox?.projectId} ${State[sandbox?.state ?? 0]}`)
  }
  void states().catch(() => {})
  const stream = await fetch(`${it.url}/v1/sandboxes/watch?project_id=p1`, { signal: ending.signal })
  t.equal(stream.headers.get('content-type'), 'text/event-stream')
  const lines = async () => {
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) plain.push(chunk)
  }
  void lines().catch(() => {})
  await untilTrue('it is there', () => seen.length > 0 && plain.length > 0)
  const second = await it.sandboxes.createSandbox({ projectId: 'p2' })
  await untilTrue('p2 is ready', () => seen.includes('p2 READY'))
  for (const projectId of ['p1', 'p2']) await it.sandboxes.releaseSandbox({ projectId })
  await cleared(on)
  await untilTrue('both ends', () => seen.filter(each => each.endsWith('TERMINATED')).length >= 2)
  t.equal(seen[0], 'p1 READY')
  t.equal(seen.filter(each => each === 'p1 TERMINATED').length, 1)
  t.equal(seen.filter(each => each === 'p2 TERMINATED').length, 1)
  t.ok(second.created)
  await untilTrue('the plain end', () => plain.join('').includes('STATE_TERMINATED'))
  t.notMatch(plain.join(''), '"p2"', 'only its own project')
})

t.test('the OpenAPI page names every route and every field', async t => {
  const { it } = await rig(t)
  const { status, body } = await it.ask('GET', '/openapi.json')
  t.equal(status, 200)
  t.strictSame(Object.keys(body.paths).toSorted(), [
    '/v1/projects/{project_id}/sandbox',
    '/v1/projects/{project_id}/sandbox/retain',
    '/v1/sandboxes',
    '/v1/sandboxes/{id}',
    '/v1/sandboxes/{id}/retain',
    '/v1/sandboxes/{id}/touch'
  ])
  const text = JSON.stringify(body)
  for (const [, ref] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) t.ok(body.components.schemas[ref!], ref!)
  t.match(body.components.schemas.Sandbox.properties, {
    state: { enum: ['STATE_UNSPECIFIED', 'STATE_PENDING', 'STATE_READY', 'STATE_TERMINATED'] },
    expiresAt: { format: 'date-time' }
  })
})

t.test('probes and metrics', async t => {
  const { it } = await rig(t)
  await untilTrue('it is ready', () => it.lines.length > 0)
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
  await until(it, sandbox!.id, State.READY)
  t.match(await it.ask('GET', '/readyz'), { status: 200, body: '[+] sandboxes ok\n' })
  t.equal(await it.metric('muster_sandbox_creates_total{result="created"}'), 1)
  t.equal(await it.metric('muster_sandbox_live{state="ready"}'), 1)
  t.equal(await it.metric('muster_sandbox_ready_duration_seconds_count{launch="COLD"}'), 1)
  const audited = it.lines.filter(({ msg }) => msg === 'answered')
  t.ok(
    audited.some(({ route, status, trace }) => route.endsWith('CreateSandbox') && status === 200 && trace.length === 32)
  )
})
