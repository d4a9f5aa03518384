import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { systemClock } from '../../extender/clock.ts'
import { processMetrics } from '../../extender/telemetry/metrics.ts'
import { tracing } from '../../extender/telemetry/tracing.ts'
import { type Span, sink } from './otlp-sink.ts'
import { stage } from './stage.ts'

const byName = (spans: readonly Span[]): ReadonlyMap<string, readonly Span[]> => Map.groupBy(spans, span => span.name)
const isOf =
  (gang: string) =>
  ({ attributes }: Span): boolean =>
    String(attributes['muster.gang.id']).endsWith(`/${gang}`)

t.test('one gang is one trace for all its members, and the calls of kube-scheduler link to it', async t => {
  const collector = await sink(t)
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer hush-hush'
  }
  const { gang, muster } = await stage(t, { args: ['--trace-ratio', '1'], env })
  const uids = gang('train', 3)
  await muster.line(/^started a gang$/)
  await collector.until(() => collector.spans.filter(({ name }) => name === 'POST /bind').length === 3)
  const spans = collector.spans.filter(isOf('train'))
  const inside = spans.filter(({ name }) => !name.startsWith('POST '))
  const [root, ...others] = inside.filter(({ name }) => name === 'gang')
  t.strictSame(others, [], 'one span is around all others')
  t.equal(root!.parentId, '')

  await t.test('its spans', async t => {
    t.strictSame([...new Set(inside.map(({ traceId }) => traceId))], [root!.traceId], 'are one trace')
    t.ok(inside.every(({ spanId, parentId }) => spanId === root!.spanId || parentId === root!.spanId))
    const found = byName(inside)
    t.equal(found.get('plan')?.filter(({ attributes }) => attributes['muster.outcome'] === 'reserved').length, 1)
    for (const name of ['barrier.wait', 'kubernetes.bind', 'kubernetes.nominate', 'kubernetes.ungate']) {
      const each = found.get(name)?.map(({ attributes }) => String(attributes['k8s.pod.uid'])) ?? []
      t.strictSame([...new Set(each)].toSorted(), uids.toSorted(), `${name} of every member`)
    }
    for (const { name, attributes } of inside.filter(span => span.name.startsWith('kubernetes.')))
      t.match(attributes, { 'k8s.namespace.name': 'default', 'muster.plan.id': /^\d+-\d+$/ }, name)
  })

  await t.test('the calls', async t => {
    const calls = byName(spans)
    for (const name of ['POST /filter', 'POST /bind']) {
      const [call] = calls.get(name) ?? []
      t.equal(calls.get(name)?.length, 3, name)
      t.equal(call!.parentId, '')
      t.not(call!.traceId, root!.traceId)
      t.strictSame(call!.links, [{ traceId: root!.traceId, spanId: root!.spanId }], 'link to the trace of the gang')
      t.match(call!.attributes, {
        'http.request.method': 'POST',
        'http.route': name.slice(5),
        'url.path': name.slice(5),
        'url.scheme': 'http',
        'http.response.status_code': 200,
        'k8s.namespace.name': 'default',
        'k8s.pod.uid': new RegExp(uids.join('|')),
        'muster.plan.id': /^\d+-\d+$/
      })
    }
  })

  await t.test('what the process did by itself, and who it is', async t => {
    const found = byName(collector.spans)
    const resources = found.get('relist')?.map(({ attributes }) => String(attributes['muster.resource'])) ?? []
    t.ok(['nodes', 'pods', 'jobs'].every(each => resources.includes(each)))
    t.equal(found.get('recover')?.length, 1)
    t.match(root!.resource, { 'service.name': 'muster', 'service.version': /^\d/, 'service.instance.id': /./ })
    t.ok(collector.requests.every(({ headers }) => headers.authorization === 'Bearer hush-hush'))
    t.notOk(Buffer.concat(collector.bodies).includes('hush-hush'), 'no secret is part of a span')
  })
})

t.test('with the usual ratio, commits of gangs, evictions and errors are told all the same', async t => {
  const collector = await sink(t)
  const { gang, muster, url } = await stage(t, {
    args: ['--otlp-endpoint', collector.url, '--trace-ratio', '0'],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }
  })
  gang('low', 4, { cpu: '5' })
  await muster.line(/^started a gang$/, line => line.gang?.endsWith('/low') === true)
  gang('high', 4, { cpu: '6', priority: 'urgent' })
  await muster.line(/^started a gang$/, line => line.gang?.endsWith('/high') === true)
  await fetch(`${url}/filter`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' })
  await collector.until(() => collector.spans.some(({ name }) => name === 'POST /filter'))
  await collector.until(() => byName(collector.spans).get('POST /bind')?.length === 8)
  const found = byName(collector.spans)
  const evictions = found.get('kubernetes.evict') ?? []
  t.equal(evictions.length, 4)
  t.ok(evictions.every(isOf('high')), 'are told in the trace of whoever gets the room')
  t.ok(evictions.every(({ attributes }) => String(attributes['k8s.pod.name']).startsWith('low-')))
  t.equal(new Set(found.get('gang')?.map(({ traceId }) => traceId)).size, 2)
  const [invalid, ...more] = found.get('POST /filter') ?? []
  t.strictSame(more, [], 'calls that went well are left out')
  t.match(invalid, { status: 2, attributes: { 'error.type': 'invalid', 'http.response.status_code': 400 } })
})

/** A port that takes everything and never answers, or one where nobody listens. */
async function silence(t: Test, isOpen: boolean): Promise<string> {
  const server = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  if (isOpen) t.teardown(() => server.close())
  else await new Promise(resolve => server.close(resolve))
  return url
}

for (const [what, isOpen] of [
  ['is not there', false],
  ['takes everything and never answers', true]
] as const) {
  t.test(`a collector that ${what} stops nobody and keeps nobody`, async t => {
    const endpoint = await silence(t, isOpen)
    const { gang, muster, metric } = await stage(t, { args: ['--otlp-endpoint', endpoint, '--trace-ratio', '1'] })
    for (let round = 0; round < 3; round++) {
      gang(`gang-${round}`, 3)
      await muster.line(/^started a gang$/, line => line.gang?.endsWith(`/gang-${round}`) === true)
    }
    t.equal(await metric('muster_spans_total{result="exported"}'), 0)
    for (const verb of ['filter', 'bind'])
      t.ok((await metric(`muster_request_duration_seconds_count{verb="${verb}"}`)) >= 8, `${verb} was timed`)
    t.ok((await metric('muster_rebuild_duration_seconds')) > 0)
    muster.child.kill('SIGTERM')
    t.strictSame(await muster.exited, [0, null])
    t.equal(await muster.stderr, '')
  })
}

t.test('spans that a collector does not take wait up to a bound, and more are dropped and counted', async t => {
  const registry = new Registry()
  const { spans } = processMetrics(registry, '1')
  const url = `${await silence(t, true)}/v1/traces`
  const traces = { url, ratio: 1 }
  const parts = { version: '1', instance: 'a', clock: systemClock, random: Math.random, spans }
  const tracer = await tracing({ traces, ...parts })
  const call = { verb: 'filter', outcome: 'error', status: 500, scheme: 'http', ms: 1, pod: undefined }
  for (let count = 0; count < 50_000; count++) tracer!.called(call, () => undefined)
  const { values } = await spans.get()
  const waiting = 2_048 + 512
  const [dropped] = values.filter(({ labels }) => labels.result === 'dropped').map(({ value }) => value)
  t.ok(dropped! >= 50_000 - waiting, `${dropped} of 50,000 were dropped`)
})

t.test('no SDK is loaded where nobody asks for traces', async t => {
  const watchful = pathToFileURL(join(import.meta.dirname, 'watchful.ts')).href
  const env = { NODE_OPTIONS: `--import=${watchful}` }
  for (const [args, want] of [
    // The API alone, by prom-client.
    [[], /^(loads @opentelemetry\/api\n)*$/],
    [['--otlp-endpoint', 'http://127.0.0.1:1'], /^loads @opentelemetry\/sdk-trace$/m]
  ] as const) {
    const { muster } = await stage(t, { nodes: 1, args, env })
    muster.child.kill('SIGTERM')
    t.match(await muster.stderr, want)
  }
})
