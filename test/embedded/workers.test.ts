import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { request } from 'undici'
import type { KubernetesCluster } from '../../extender/embedded/k4s/cluster.ts'
import { isReady } from '../../extender/embedded/kinds.ts'
import { pauseBefore, usualBackoff } from '../../extender/embedded/kubelet/runtime.ts'
import { memoryOf } from '../../extender/embedded/kubelet/worker-spec.ts'
import { untilTrue } from './until.ts'
import { container, k4s, manifest, podOf, replicas, restartsOf, service, statusOf, texts } from './k4s.ts'

t.setTimeout(120_000)

/** The event with that reason about an object. */
const eventsOf = (cluster: KubernetesCluster, name: string, reason: string) =>
  cluster
    .list('Event')
    .filter(event => (event['involvedObject'] as { name?: string }).name === name && event['reason'] === reason)

t.test('S4.1 S4.33 each container is a thread of this process, and its own', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('a', 'tell'), container('b', 'tell')))
  await Promise.all(['a', 'b'].map(name => cluster.ready(name)))
  const [a, b] = (await Promise.all(['a', 'b'].map(name => cluster.api.request(name, 0)))) as { threadId: number }[]
  t.ok(a!.threadId > 0 && b!.threadId > 0, 'not the main thread')
  t.not(a!.threadId, b!.threadId)
})

t.test('S4.38 S4.39 module and function are loaded by name, and called with queue, API and parameters', async t => {
  const cluster = await k4s(t)
  const params = { text: 'x', deep: { list: [1, 2] } }
  await cluster.applyYaml(manifest(container('a', 'tell', { params, env: { COLOUR: 'blue', COUNT: 3 } })))
  const answer = (await cluster.api.request('a', { n: 1 })) as Record<string, unknown>
  t.match(answer, { name: 'a', namespace: 'default', value: { n: 1 }, params })
  t.strictSame(answer['env'], { COLOUR: 'blue', COUNT: '3' }, 'its own variables, and none of this process')
  t.equal(answer['podIP'], podOf(cluster, 'a')!.status!.podIP)
})

t.test('S4.38 what cannot be loaded is told in one sentence, and what can be tried again is', async t => {
  const cluster = await k4s(t)
  const cases = {
    outside: { spec: container('x', 'tell', { module: '../builders.ts' }).spec, want: /outside of the root/ },
    gone: { spec: container('x', 'tell', { module: 'gone.ts' }).spec, want: /"gone\.ts" is not there/ },
    url: { spec: container('x', 'tell', { module: 'https://example.com/x.ts' }).spec, want: /is no path/ },
    builtin: { spec: { module: 'muster:nothing' }, want: /"muster:nothing" is not there/ },
    function: { spec: container('x', 'tells').spec, want: /exports no function "tells"; it exports: .*\btell\b/ }
  }
  const objects = Object.entries(cases).map(([name, { spec }]) => ({ ...container(name, ''), spec }))
  await cluster.applyYaml(manifest(...objects))
  for (const [name, { want }] of Object.entries(cases)) {
    const told = (): string => statusOf(cluster, name)?.state.waiting?.message ?? ''
    await cluster.until(() => want.test(told()))
    t.match(told(), want, name)
  }
  for (const name of ['outside', 'gone', 'url', 'builtin']) {
    t.equal(statusOf(cluster, name)!.state.waiting!.reason, 'CreateContainerConfigError')
    t.equal(restartsOf(cluster, name), 0)
    t.equal(eventsOf(cluster, name, 'Failed').length, 1, 'and an event says so, once')
  }
  await cluster.until(() => restartsOf(cluster, 'function') > 1)
})

t.test('S4.5 S4.6 S4.49 lifecycle: containers that should run do, those that should not are stopped', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('a', 'tell')))
  await cluster.ready('a')
  t.equal(podOf(cluster, 'a')!.status!.phase, 'Running')
  await cluster.delete('Container', 'a')
  t.equal(podOf(cluster, 'a'), undefined)
  t.throws(() => cluster.api.send('a', 1), { name: 'DeliveryError', message: /there is no container a/ })
})

t.test('S4.7 a container that throws, exits or forgets a rejection is started again', async t => {
  const cluster = await k4s(t)
  const cases = {
    throw: { exitCode: 1, message: 'as you wish' },
    exit: { exitCode: 3, message: undefined },
    reject: { exitCode: 1, message: 'nobody caught me' }
  }
  await cluster.applyYaml(manifest(...Object.keys(cases).map(name => container(name, 'fragile'))))
  for (const [name, want] of Object.entries(cases)) {
    await cluster.ready(name)
    cluster.api.send(name, name)
    await cluster.until(() => restartsOf(cluster, name) === 1)
    await cluster.ready(name)
    t.match(statusOf(cluster, name)!.lastState!.terminated, { exitCode: want.exitCode, reason: 'Error' }, name)
    t.equal(statusOf(cluster, name)!.lastState!.terminated!.message, want.message)
    t.equal(await cluster.api.request(name, 'hello'), 'hello', 'it works again')
  }
})

t.test('S4.7 the pauses before restarts grow, and have a limit', async t => {
  t.strictSame(
    [0, 1, 2, 3, 6, 60].map(restart => pauseBefore(restart, usualBackoff)),
    [0, 10_000, 20_000, 40_000, 300_000, 300_000]
  )
  const starts: number[] = []
  const cluster = await k4s(t, { backoff: { firstMs: 50, longestMs: 100 } })
  cluster.client.watch('pods', () => {
    if (restartsOf(cluster, 'a') === starts.length + 1) starts.push(performance.now())
  })
  await cluster.applyYaml(manifest(container('a', 'broken')))
  await cluster.until(() => statusOf(cluster, 'a')?.state.waiting?.reason === 'CrashLoopBackOff')
  t.equal(statusOf(cluster, 'a')!.state.waiting!.message, 'back-off restarting failed container worker: it never works')
  await cluster.until(() => starts.length === 4)
  const pauses = starts.slice(1).map((start, index) => start - starts[index]!)
  for (const [index, least] of [45, 95, 95].entries()) t.ok(pauses[index]! >= least, `${pauses[index]} ms`)
})

t.test('S4.7 a worker that leaks is ended at its memory limit, alone, and started again', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('a', 'fragile', { memory: '24Mi' }), container('b', 'tell')))
  await Promise.all(['a', 'b'].map(name => cluster.ready(name)))
  const before = (await cluster.api.request('b', 0)) as { threadId: number }
  cluster.api.send('a', 'leak')
  await cluster.until(() => restartsOf(cluster, 'a') === 1, 60_000)
  await cluster.ready('a')
  t.match(statusOf(cluster, 'a')!.lastState, { terminated: { exitCode: 137, reason: 'OOMKilled' } })
  t.equal(await cluster.api.request('a', 1), 1)
  t.match(await cluster.api.request('b', 0), { threadId: before.threadId }, 'the other is the one that it was')
})

t.test('memory limits in MiB', async t => {
  const cases = { '': 64, '24Mi': 24, '1Gi': 1024, '64M': 61, '100000000': 95, '48e6': 45, '1Ki': 16, '0.5Gi': 512 }
  for (const [memory, want] of Object.entries(cases)) {
    const resources = memory === '' ? {} : { resources: { limits: { memory } } }
    t.equal(memoryOf({ name: 'x', ...resources }), want, memory)
  }
})

t.test('S4.6 a worker that loops for ever is ended when its grace is over, and others are not disturbed', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('a', 'fragile', { gracePeriodSeconds: 1 }), container('b', 'tell')))
  await Promise.all(['a', 'b'].map(name => cluster.ready(name)))
  cluster.api.send('a', 'spin')
  const deleted = cluster.delete('Container', 'a')
  t.match(await cluster.api.request('b', 'meanwhile'), { value: 'meanwhile' })
  await deleted
  t.equal(podOf(cluster, 'a'), undefined)
})

t.test('a second deletion may shorten the grace', async t => {
  const cluster = await k4s(t)
  const spec = { params: { to: 'sink' }, gracePeriodSeconds: 600 }
  await cluster.applyYaml(manifest(container('a', 'stubborn', spec), container('sink', 'sink')))
  await Promise.all(['a', 'sink'].map(name => cluster.ready(name)))
  const deleted = cluster.delete('Container', 'a')
  while (((await cluster.api.request('sink', '?')) as unknown[]).length === 0);
  cluster.client.delete({ resource: 'pods', namespace: 'default', name: 'a' }, { gracePeriodSeconds: 1 })
  await deleted
  t.equal(podOf(cluster, 'a'), undefined)
})

t.test('S4.34 the sentinel comes after what is queued, and the container ends by itself', async t => {
  const cluster = await k4s(t)
  const tidy = container('tidy', 'tidy', { params: { to: 'sink' }, gracePeriodSeconds: 600 })
  await cluster.applyYaml(manifest(tidy, container('sink', 'sink')))
  for (const value of [1, 2, 3]) cluster.api.send('tidy', value)
  await Promise.all(['tidy', 'sink'].map(name => cluster.ready(name)))
  await cluster.delete('Container', 'tidy')
  t.strictSame(await cluster.api.request('sink', '?'), [{ kept: [1, 2, 3], aborted: true }])
})

const of = (name: string, does: string, restartPolicy: string) => container(name, does, { restartPolicy })

t.test('S4.51 restart policies: a container that comes to its end', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(
    manifest(
      ...[of('never', 'done', 'Never'), of('failure', 'done', 'OnFailure'), of('always', 'done', 'Always')],
      ...[of('bad', 'broken', 'Never'), of('again', 'broken', 'OnFailure')]
    )
  )
  const phase = (name: string) => podOf(cluster, name)?.status?.phase
  await cluster.until(() => phase('never') === 'Succeeded' && phase('failure') === 'Succeeded')
  await cluster.until(() => phase('bad') === 'Failed')
  await cluster.until(() => restartsOf(cluster, 'always') > 1 && restartsOf(cluster, 'again') > 1)
  t.strictSame([restartsOf(cluster, 'never'), restartsOf(cluster, 'failure'), restartsOf(cluster, 'bad')], [0, 0, 0])
  t.strictSame(texts(cluster.logs('never')), ['done'])
})

/** A pod as upstream writes it: init containers, two containers, each with a function of its own. */
const fullPod = (name: string, init: Record<string, string>, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    annotations: {
      'k4s/module': 'worker-functions.ts',
      'k4s/function': 'tell',
      'k4s/function.side': 'who',
      'k4s/params': '{"of": "all"}',
      'k4s/params.side': '{}',
      ...init
    }
  },
  spec: {
    initContainers: ['first', 'second'].map(each => ({ name: each, image: 'x' })),
    containers: ['main', 'side'].map(each => ({ name: each, image: 'x' })),
    ...spec
  }
})

t.test('S4.51 init containers: one after the other, then all others together', async t => {
  const file = join(t.testdir(), 'been-here')
  const cluster = await k4s(t)
  const init = {
    ...{ 'k4s/module.first': 'worker-functions.ts', 'k4s/function.first': 'second' },
    ...{ 'k4s/params.first': JSON.stringify({ file }), 'k4s/module.second': 'worker-functions.ts' },
    'k4s/function.second': 'done'
  }
  await cluster.applyYaml(manifest(fullPod('p', init)))
  await cluster.ready('p')
  t.equal(statusOf(cluster, 'p', 'first')!.restartCount, 1, 'the first one failed once')
  t.match(await cluster.api.request('p', 1), { params: { of: 'all' } })
  const [first, second, main] = ['first', 'second', 'main'].map(name => cluster.logs('p', { container: name })![0]!.at)
  t.ok(first! <= second! && second! <= main!, `${first} ${second} ${main}`)
  t.equal(await cluster.api.request('p:side', 1), 'p', 'a container is addressed by its name')
  t.throws(() => cluster.api.send('p:nobody', 1), /there is no container p:nobody/)
  t.strictSame(texts(cluster.logs('p', { container: 'second' })), ['done'], 'logs are per container')
  t.strictSame(texts(cluster.logs('p', { container: 'main' })), [`started { of: 'all' }`])
  t.equal(cluster.logs('p', { container: 'nobody' }), undefined)
})

t.test('S4.51 an init container that fails for good is the end of its pod', async t => {
  const cluster = await k4s(t)
  const init = { 'k4s/module.second': 'worker-functions.ts', 'k4s/function.second': 'broken' }
  await cluster.applyYaml(manifest(fullPod('never', init, { restartPolicy: 'Never' }), fullPod('again', init)))
  await cluster.until(() => podOf(cluster, 'never')?.status?.phase === 'Failed')
  t.equal(statusOf(cluster, 'never', 'main')!.started, false)
  await cluster.until(() => statusOf(cluster, 'again', 'second')!.restartCount > 1)
  t.equal(podOf(cluster, 'again')!.status!.phase, 'Pending')
})

t.test('S4.51 liveness: a container whose thread does not turn is started again', async t => {
  const cluster = await k4s(t)
  const livenessProbe = { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1 }
  await cluster.applyYaml(manifest(container('a', 'fragile', { livenessProbe })))
  await cluster.ready('a')
  const asked = cluster.api.request('a', 'spin')
  await t.rejects(asked, { message: 'container a ended: it failed its liveness probe' })
  await cluster.until(() => restartsOf(cluster, 'a') === 1)
  await cluster.ready('a')
  t.match(statusOf(cluster, 'a')!.lastState, { terminated: { exitCode: 137 } })
  t.equal(eventsOf(cluster, 'a', 'Unhealthy').length, 1)
})

t.test('S4.51 readiness: by the probe, and as the container itself says', async t => {
  const cluster = await k4s(t)
  const readinessProbe = { initialDelaySeconds: 0, periodSeconds: 1, failureThreshold: 1 }
  await cluster.applyYaml(
    manifest(
      container('probed', 'fragile', { readinessProbe, gracePeriodSeconds: 0 }),
      ...[container('w-0', 'willing'), container('w-1', 'who'), service('w', 'w-*')]
    )
  )
  const ready = (name: string) => isReady(podOf(cluster, name)!)
  await cluster.ready('probed')
  cluster.api.send('probed', 'spin')
  await cluster.until(() => !ready('probed'))
  t.equal(restartsOf(cluster, 'probed'), 0, 'it is not restarted')
  await cluster.until(() => statusOf(cluster, 'w-0')?.started === true && !ready('w-0'))
  await cluster.ready('w-1')
  const answers = await Promise.all(Array.from({ length: 20 }, () => cluster.api.requestService('w', '?')))
  t.ok(
    answers.every(answer => answer === 'w-1'),
    'a Service sends to those that are ready'
  )
  await cluster.api.request('w-0', true)
  await cluster.ready('w-0')
})

t.test('what a container writes is its log; the one before a restart is kept', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('p', 'printer'), container('a', 'fragile')))
  await Promise.all(['p', 'a'].map(name => cluster.ready(name)))
  await untilTrue('the last line', () => texts(cluster.logs('p')).includes('raw trouble'))
  const log = texts(cluster.logs('p'))
  for (const want of ['text { deep: { object: 1 } }', 'trouble 7', 'raw']) t.ok(log.includes(want), want)
  t.ok(
    log.some(line => line.includes('│ 0')),
    'tables, too'
  )
  cluster.api.send('a', 'throw')
  await cluster.until(() => restartsOf(cluster, 'a') === 1)
  await cluster.ready('a')
  t.match(texts(cluster.logs('a', { previous: true })).join('\n'), /^started\nError: as you wish\n\s+at fragile /)
  t.equal(await cluster.api.request('a', 1), 1)
  t.strictSame(texts(cluster.logs('a')), ['started'])
  t.equal(cluster.logs('nobody'), undefined)
})

t.test('each pod has an address of its own', { skip: process.platform !== 'linux' && 'only on Linux' }, async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(replicas('web', 2, 'serve', { params: { port: 18_080 } })))
  const urls = (await Promise.all(
    ['web-0', 'web-1'].map(async name => {
      await cluster.ready('web')
      return cluster.api.request(name, 'url')
    })
  )) as string[]
  t.not(urls[0], urls[1])
  for (const [index, url] of urls.entries())
    t.equal(await (await request(url)).body.text(), `web-${index}`, `two listen on one port: ${url}`)
})

t.test('more containers than threads: the others wait for a place', async t => {
  const cluster = await k4s(t, { workers: 2 })
  await cluster.applyYaml(manifest(...['a', 'b', 'c', 'd', 'e'].map(name => container(name, 'who'))))
  await cluster.until(() => cluster.list('Pod').filter(pod => isReady(pod as never)).length === 2)
  const waiting = () =>
    ['a', 'b', 'c', 'd', 'e'].filter(name => statusOf(cluster, name)?.state.waiting?.reason === 'WorkerLimit')
  await cluster.until(() => waiting().length === 3)
  await Promise.all([cluster.delete('Pod', 'a'), cluster.delete('Pod', 'c')])
  await cluster.until(() => podOf(cluster, 'd') !== undefined && isReady(podOf(cluster, 'd')!))
  t.strictSame(waiting(), ['e'])
  await cluster.delete('Pod', 'b')
  await cluster.ready('e')
})

t.test('S4.51 variables come from config maps and secrets, as soon as those are there', async t => {
  const cluster = await k4s(t)
  const env = [
    { name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key: 'a' } } },
    { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'b' } } },
    { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'none', optional: true } } },
    { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }
  ]
  const annotations = { 'k4s/module': 'worker-functions.ts', 'k4s/function': 'tell' }
  await cluster.applyYaml(
    manifest({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', annotations } },
      spec: { containers: [{ name: 'main', image: 'x', env }] }
    })
  )
  await cluster.until(() => /no key a in configmaps c/.test(statusOf(cluster, 'p')?.state.waiting?.message ?? ''))
  await cluster.applyYaml(
    manifest(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: 'one' } },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { b: 'two' } }
    )
  )
  await cluster.ready('p')
  t.match(await cluster.api.request('p', 0), { env: { A: 'one', B: 'two', NAME: 'p', C: undefined } })
})

t.test('a worker of the package runs from anywhere', async t => {
  const cluster = await k4s(t, { root: fileURLToPath(new URL('.', import.meta.url)) })
  await cluster.applyYaml(manifest({ ...container('e', ''), spec: { module: 'muster:echo' } }))
  t.equal(await cluster.api.request('e', 1), 1)
})
