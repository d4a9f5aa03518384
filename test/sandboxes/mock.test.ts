import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { embed } from '../../extender/embed.ts'
import { lookupIn } from '../../extender/embedded/resolver.ts'
import { type MockOptions, startMock } from '../../extender/sandboxes/mock/server.ts'
import { untilTrue } from '../embedded/until.ts'

const graceMs = 10_000
const root = join(import.meta.dirname, '..', '..')

async function mockOf(t: Test, env: MockOptions['env'] = {}) {
  const said: string[] = []
  const mock = await startMock({ host: '127.0.0.1', port: 0, name: 'pod-1', env, log: line => said.push(line) })
  const dispatcher = new Agent()
  t.teardown(async () => {
    await dispatcher.destroy()
    await mock.stop(0)
  })
  const ask = async (path: string, body?: string | object) => {
    const text = typeof body === 'object' ? JSON.stringify(body) : body
    const sent = text === undefined ? {} : { method: 'POST', body: text }
    const answer = await request(mock.url + path, { dispatcher, ...sent })
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() }
  }
  const json = async (path: string, body?: string | object) => {
    const { status, body: text } = await ask(path, body)
    return { status, ...(JSON.parse(text) as object) }
  }
  return { mock, said, ask, json }
}

t.test('S1.8 the mock sandbox tells its health, and whose it is', async t => {
  const { json, said } = await mockOf(t, { SANDBOX_ID: 'sbx-1', SANDBOX_PROJECT: 'shop', SECRET: 'hidden' })
  t.strictSame(await json('/healthz'), { status: 200, ok: true })
  const want = { sandbox: 'sbx-1', project: 'shop', pod: 'pod-1', method: 'GET', path: '/any/path?x=1', env: [] }
  t.strictSame(await json('/any/path?x=1'), { status: 200, ...want }, 'and nothing else of its environment')
  t.match(said.join(), /listens at http:\/\/127\.0\.0\.1:\d+/)
})

t.test('S1.8 a warm pod learns whose it is after its start, once', async t => {
  const { json } = await mockOf(t)
  const env = { SANDBOX_ID: 'sbx-2', SANDBOX_PROJECT: 'blog', COLOUR: 'blue' }
  const taken = { status: 200, sandbox: 'sbx-2', project: 'blog' }
  t.strictSame(await json('/_config', { env }), taken)
  t.strictSame(await json('/_config', { env }), taken, 'the same again is the same')
  t.match(await json('/_config', { env: { SANDBOX_ID: 'sbx-3' } }), { status: 409 }, 'nobody else takes it over')
  t.match(await json('/'), { project: 'blog', sandbox: 'sbx-2', env: ['COLOUR', 'SANDBOX_ID', 'SANDBOX_PROJECT'] })
})

t.test('what is no configuration is refused in one sentence, and changes nothing', async t => {
  const { ask, json } = await mockOf(t)
  const cases: [string | object, number, RegExp][] = [
    ['{', 400, /the body is no JSON/],
    ['[]', 400, /the body must be/],
    ['{"env":[]}', 400, /the body must be/],
    [{ env: { 'A B': 'x' } }, 400, /"A B\\" must be the name of a variable/],
    [{ env: { A: 1 } }, 400, /its value a text/],
    [{ env: { A: 'x'.repeat(70_000) } }, 413, /at most 65536 bytes/]
  ]
  for (const [body, status, sentence] of cases) {
    const answer = await ask('/_config', body)
    t.equal(answer.status, status)
    t.match(answer.body, sentence)
  }
  t.match(await json('/_config'), { status: 405 })
  t.match(await json('/'), { env: [] })
  t.match(await json('/__proto__'), { status: 200, path: '/__proto__' })
})

t.test('/echo gives back what it gets, as it comes', async t => {
  const { ask } = await mockOf(t)
  const text = 'x'.repeat(1_000_000)
  t.equal((await ask('/echo', text)).body, text)
})

t.test('a mock sandbox that stops answers what is under way, and takes nothing new', async t => {
  const { mock, said } = await mockOf(t)
  const { port } = new URL(mock.url)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nha')
  const [head] = await once(socket, 'data')
  let answer = String(head)
  socket.on('data', chunk => (answer += String(chunk)))
  const stopped = mock.stop(graceMs)
  socket.write('lf')
  await once(socket, 'close')
  await stopped
  t.match(answer, /^HTTP\/1\.1 200 OK[^]*ha[^]*lf/)
  t.match(said.at(-1), /has stopped/)
  const late = connect(Number(port), '127.0.0.1')
  const [error] = await once(late, 'error')
  t.match(error, { code: 'ECONNREFUSED' })
})

t.test('whoever does not come to an end is cut off when the grace period is over', async t => {
  const { mock } = await mockOf(t)
  const socket = connect(Number(new URL(mock.url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nha')
  await once(socket, 'data')
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  await mock.stop(1)
  await closed
  t.pass('it is closed')
})

t.test('S1.8 on the embedded cluster a sandbox pod answers on its own address, once it is ready', async t => {
  const embedded = await embed({ nodes: 2, root })
  t.teardown(() => embedded.stop())
  const { client } = embedded.cluster
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 }
  for (const [index, project] of ['shop', 'blog'].entries())
    client.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: project,
        namespace: 'default',
        labels: { project },
        annotations: { 'k4s/module': 'extender/sandboxes/mock/worker.ts' }
      },
      spec: {
        nodeName: `node-${index + 1}`,
        containers: [
          {
            name: 'main',
            image: 'mock',
            ports: [{ containerPort: 8080 }],
            env: [{ name: 'SANDBOX_PROJECT', value: project }],
            readinessProbe: probe
          }
        ]
      }
    })
  type Status = { podIP?: string; conditions?: { type: string; status: string }[] }
  const statusOf = (name: string) =>
    client.get({ resource: 'pods', namespace: 'default', name })?.['status'] as Status | undefined
  const isReady = (name: string) =>
    statusOf(name)?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
  const addresses = []
  for (const project of ['shop', 'blog']) {
    await untilTrue(`${project} is ready`, () => isReady(project), 30_000)
    const { podIP } = statusOf(project)!
    addresses.push(podIP)
    const { body } = await request(`http://${podIP}:8080/`, { reset: true })
    t.match(await body.json(), { project, pod: project })
  }
  t.equal(new Set(addresses).size, 2, 'each has an address of its own')
  const lookup = promisify(lookupIn(client)) as (name: string, options: object) => Promise<unknown>
  client.create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop', namespace: 'default' },
    spec: { clusterIP: 'None', selector: { project: 'shop' }, ports: [{ port: 8080 }] }
  })
  const name = 'shop.default.svc.cluster.local'
  const known = async () => await lookup(name, { all: true }).catch(() => [])
  while (((await known()) as unknown[]).length === 0) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(await known(), [{ address: addresses[0], family: 4 }], 'S1.4 the name of its Service leads to it')
  for (const other of ['blog.default.svc.cluster.local', 'shop.default', 'example.org'])
    await t.rejects(lookup(other, {}), { code: 'ENOTFOUND', message: /knows no ready pod behind/ })
  const [address] = addresses
  client.delete({ resource: 'pods', namespace: 'default', name: 'shop' })
  await untilTrue('the pod is gone', () => statusOf('shop') === undefined)
  await t.rejects(request(`http://${address}:8080/`), { code: 'ECONNREFUSED' }, 'and its address is nobody any more')
})
