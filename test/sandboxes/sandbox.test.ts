import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { embed } from '../../extender/embed.ts'
import { UsageError } from '../../extender/errors.ts'
import { type SchedulerOptions, startScheduler } from '../../extender/sandbox.ts'
import { SchedulerService } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { freePort, noRedis, redisServer } from './redis-server.ts'
import { clientOf, recordingLog } from './serve.ts'

/** A cluster that is reached as any other is: over TLS, with a kubeconfig. */
async function kubeconfig(t: Test): Promise<string> {
  const embedded = await embed({ nodes: 1 })
  t.teardown(() => embedded.stop())
  embedded.schedule({ kind: 'KubeSchedulerConfiguration', profiles: [{ schedulerName: 'muster' }] })
  const file = join(mkdtempSync(join(t.testdir({}), 'k-')), 'kubeconfig')
  writeFileSync(file, embedded.cluster.kubeconfig)
  return file
}

async function started(t: Test, options: SchedulerOptions) {
  const { log, lines } = recordingLog()
  const running = await startScheduler({ port: 0, log, ...options })
  t.teardown(() => running.close())
  const { client, ask } = clientOf(running.url)
  const store = lines.find(({ msg }) => msg.startsWith('idempotence keys are'))?.msg
  return { ...running, lines, store, ask, sandboxes: client(SchedulerService) }
}

t.test('S1.10 on any cluster that a kubeconfig names, in a namespace that it makes', async t => {
  const file = await kubeconfig(t)
  const { ask, sandboxes, store } = await started(t, {
    kubeconfig: file,
    redis: false,
    namespace: 'boxes',
    cluster: 'here'
  })
  t.match(store, /^idempotence keys are in memory: /)
  const { sandbox } = await sandboxes.createSandbox({ projectId: 'p1' })
  t.match(sandbox, { cluster: 'here', namespace: 'boxes', hostname: /\.boxes\.svc\.cluster\.local$/ })
  let state = ''
  await untilTrue('it is ready', () => {
    void ask('GET', `/v1/sandboxes/${sandbox!.id}`).then(({ body }) => (state = body.sandbox.state))
    return state === 'STATE_READY'
  })
  t.match(await ask('GET', '/metrics'), { body: /^muster_sandbox_creates_total\{result="created"\} 1$/m })
})

t.test('S0.44 S0.50 Redis where one is named or can be had, else memory; one line says which', async t => {
  const file = await kubeconfig(t)
  const wish = { projectId: 'p1', idempotencyKey: 'k1' }
  const named = process.env.REDIS_URL
  delete process.env.REDIS_URL
  t.teardown(() => {
    if (named !== undefined) process.env.REDIS_URL = named
  })
  const memory = await started(t, { kubeconfig: file, redis: false })
  t.match(memory.store, /in memory/)
  await t.test('where a Redis can be started', { skip: noRedis ?? false }, async t => {
    const own = await started(t, { kubeconfig: file, namespace: 'own' })
    t.match(own.store, /a redis-server of our own, which ends with this process$/)
    t.equal((await own.sandboxes.createSandbox(wish)).created, true)
    t.equal((await own.sandboxes.createSandbox(wish)).created, false)
    const { url } = await redisServer(t)
    process.env.REDIS_URL = url
    const given = await started(t, { kubeconfig: file, namespace: 'given' })
    delete process.env.REDIS_URL
    t.equal(given.store, 'idempotence keys are in Redis')
    t.equal((await given.sandboxes.createSandbox(wish)).created, true)
  })
})

t.test('an API server that is not there yet keeps nobody from starting', async t => {
  const port = await freePort()
  const file = join(t.testdir({}), 'kubeconfig')
  const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } }
  const config = { clusters: [cluster], contexts: [context], users: [{ name: 'u', user: {} }], 'current-context': 'c' }
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...config }))
  const { ask } = await started(t, { kubeconfig: file, redis: false })
  t.match(await ask('GET', '/readyz'), { status: 503, body: '[-] sandboxes: sandboxes are not listed yet\n' })
  const answer = await ask('POST', '/v1/sandboxes', { projectId: 'p1' })
  t.match(answer, {
    status: 503,
    body: { message: /^the API server does not answer: / },
    headers: { 'retry-after': '1' }
  })
})

t.test('what a user got wrong is said in one sentence', async t => {
  const file = await kubeconfig(t)
  const first = await started(t, { kubeconfig: file, redis: false })
  const port = Number(new URL(first.url).port)
  const { log } = recordingLog()
  await t.rejects(startScheduler({ kubeconfig: file, redis: false, port, log }), UsageError)
  await t.rejects(startScheduler({ kubeconfig: '/nowhere', redis: false, log }), UsageError)
})
