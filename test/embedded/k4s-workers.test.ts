import t from 'tap'
import type { KubernetesCluster } from '../../extender/embedded/k4s/cluster.ts'
import { isReady, type Pod } from '../../extender/embedded/kinds.ts'
import { compare } from './parts.ts'
import { container, k4s, manifest, replicas, restartsOf, service, statusOf, texts } from './k4s.ts'
import { untilTrue } from './until.ts'

t.setTimeout(60_000)

/** A container with one of the workers that come with muster, behind a Service of its name. */
const worker = (name: string, module: string, params: object = {}) => [
  { ...container(name, ''), spec: { module: `muster:${module}`, params } },
  service(name)
]

type Batch = { readonly count: number; readonly sum: number; readonly values: readonly unknown[] }

/** What an aggregator has, once there are so many batches. */
async function batches(cluster: KubernetesCluster, name: string, count: number): Promise<readonly Batch[]> {
  for (;;) {
    const all = (await cluster.api.requestService(name, '?')) as readonly Batch[]
    if (all.length >= count) return all
  }
}

t.test('S4.40 echo answers what it was sent', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(...worker('plain', 'echo'), ...worker('polite', 'echo', { prefix: 'dear ' })))
  const values = ['text', 7, null, true, [1, { deep: 'x' }], new Map([['a', new Date(0)]])]
  for (const value of values) t.strictSame(await cluster.api.request('plain', value), value)
  t.equal(await cluster.api.request('polite', 'reader'), 'dear reader')
  t.equal(await cluster.api.request('polite', 1), 1)
  cluster.api.send('plain', 'nobody waits')
  await untilTrue('its log', () => texts(cluster.logs('plain')).includes('echo nobody waits'))
})

t.test('S4.41 processor changes text, answers, and hands on', async t => {
  const cluster = await k4s(t)
  const steps = { upper: 'ÄB C', lower: 'äb c', reverse: 'c BÄ', trim: 'ÄB c', count: 4 }
  await cluster.applyYaml(manifest(...Object.keys(steps).flatMap(step => worker(step, 'processor', { step }))))
  for (const [step, want] of Object.entries(steps)) t.equal(await cluster.api.request(step, 'ÄB c'), want, step)
  await t.rejects(cluster.api.request('upper', 7), /a processor wants text/)
  const wrong = worker('wrong', 'processor', { step: 'sideways' })
  await cluster.applyYaml(
    manifest(
      ...worker('first', 'processor', { forwardTo: 'store' }),
      ...worker('store', 'aggregator', { batchSize: 1 }),
      ...wrong
    )
  )
  t.equal(await cluster.api.request('first', 'x'), 'X', 'who asks is answered')
  t.match(await batches(cluster, 'store', 1), [{ values: ['X'] }], 'and the Service gets it, too')
  await cluster.until(() => restartsOf(cluster, 'wrong') > 0)
  t.match(
    statusOf(cluster, 'wrong')!.lastState!.terminated!.message,
    /^unknown step "sideways": there are upper, lower/
  )
})

t.test('S4.42 aggregator makes batches by number, by time, and of the rest at the end', async t => {
  const cluster = await k4s(t)
  const byNumber = worker('number', 'aggregator', { batchSize: 3, forwardTo: 'total' })
  const byTime = worker('time', 'aggregator', { batchSize: 1000, windowMs: 50 })
  await cluster.applyYaml(manifest(...byNumber, ...byTime, ...worker('total', 'aggregator', { batchSize: 1 })))
  for (const value of [1, 2, 'three', 4, 5, 6, 7]) cluster.api.send('number', value)
  t.match(await batches(cluster, 'number', 2), [
    { count: 3, sum: 3, values: [1, 2, 'three'] },
    { count: 3, sum: 15, values: [4, 5, 6] }
  ])
  await cluster.delete('Container', 'number')
  const all = (await batches(cluster, 'total', 3)).flatMap(({ values }) => values) as Batch[]
  t.strictSame(
    all.map(({ values }) => values),
    [[1, 2, 'three'], [4, 5, 6], [7]],
    'the last one is closed by the sentinel'
  )
  for (const value of [1, 2]) cluster.api.send('time', value)
  const [first] = await batches(cluster, 'time', 1)
  t.ok(first!.count >= 1 && first!.count <= 2, 'nobody waited for a thousand')
})

t.test('S4.43 generator sends every so often, so many times, until it is stopped', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(...worker('sink', 'aggregator', { batchSize: 3 })))
  const short = { target: 'sink', intervalMs: 5, count: 3, template: 'tick {n} of {n}' }
  await cluster.applyYaml(manifest(...worker('short', 'generator', short)))
  t.match(await batches(cluster, 'sink', 1), [{ values: ['tick 1 of 1', 'tick 2 of 2', 'tick 3 of 3'] }])
  await untilTrue('its log', () => texts(cluster.logs('short')).includes('sent 3 messages to sink'))
  t.equal(restartsOf(cluster, 'short'), 0, 'it stays when it is done')
  await cluster.applyYaml(manifest(...worker('endless', 'generator', { target: 'sink', intervalMs: 1 })))
  t.match(await batches(cluster, 'sink', 3), [{}, { values: [1, 2, 3] }, { values: [4, 5, 6] }])
  await cluster.applyYaml(manifest(...worker('rare', 'generator', { target: 'nowhere', intervalMs: 1e9 })))
  await t.rejects(cluster.api.request('rare', 'hurry'), /a generator answers nothing/)
  await Promise.all(['endless', 'short', 'rare'].map(name => cluster.delete('Container', name)))
})

t.test('S4.44 calculator answers, or says why not', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(...worker('calc', 'calculator')))
  const ask = (op: string, a: number, b: number) => cluster.api.request('calc', { op, a, b })
  t.strictSame(
    await Promise.all([ask('add', 1, 2), ask('subtract', 1, 2), ask('multiply', 3, 4), ask('divide', 1, 4)]),
    [3, -1, 12, 0.25]
  )
  await t.rejects(ask('divide', 1, 0), { message: 'division by zero' })
  await t.rejects(ask('power', 1, 0), { message: 'unknown op "power": there are add, subtract, multiply, divide' })
  t.equal(restartsOf(cluster, 'calc'), 0)
})

t.test('S4.29 S4.49 pipelines: a value goes through three stages, each a Service', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(
    manifest(
      ...worker('trim', 'processor', { step: 'trim', forwardTo: 'upper' }),
      replicas('upper', 2, 'worker', { module: 'muster:processor', params: { forwardTo: 'store' } }),
      service('upper', 'upper-*'),
      ...worker('store', 'aggregator', { batchSize: 20 })
    )
  )
  for (let n = 0; n < 20; n++) cluster.api.sendToService('trim', ` x${n} `)
  const [batch] = await batches(cluster, 'store', 1)
  const want = Array.from({ length: 20 }, (_, n) => `X${n}`)
  t.strictSame(batch!.values.toSorted(compare), want.toSorted(compare), 'each once')
})

t.test('S4.33 S4.49 concurrent replicas: three threads are at work at the same moment', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(replicas('m', 3, 'meet')))
  await cluster.ready('m')
  const meeting = { arrived: new Int32Array(new SharedArrayBuffer(4)), size: 3 }
  const met = await Promise.all(['m-0', 'm-1', 'm-2'].map(name => cluster.api.request(name, meeting)))
  t.strictSame(met, [3, 3, 3])
  t.ok((cluster.list('Pod') as readonly Pod[]).every(isReady))
})
