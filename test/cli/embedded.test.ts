import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { Agent, request } from 'undici'
import { muster } from './run.ts'

const cli = join(import.meta.dirname, '../../extender/cli/muster.ts')

t.test('muster embedded starts a cluster and says how to use it', async t => {
  const file = join(tmpdir(), `muster-embedded-test-${process.pid}`)
  t.teardown(() => rmSync(file, { force: true }))
  const args = [cli, 'embedded', '--nodes', '3', '--simulated', '--kubeconfig', file]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for await (const chunk of child.stdout) {
    said += String(chunk)
    if (said.includes('Ctrl-C')) break
  }
  t.match(said, /^A cluster with 3 nodes is up at https:\/\/127\.0\.0\.1:\d+\. Try:\n\n {2}export KUBECONFIG=/)
  t.ok(said.includes(file))
  const config = JSON.parse(readFileSync(file, 'utf8'))
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster
  const dispatcher = new Agent({ connect: { ca: Buffer.from(ca, 'base64').toString() } })
  t.teardown(() => dispatcher.destroy())
  const headers = { authorization: `Bearer ${config.users[0].user.token}`, 'content-type': 'application/json' }
  const ask = async (method: 'GET' | 'POST', path: string, body?: object) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await request(server + path, { dispatcher, method, headers, ...sent })
    return JSON.parse(await answer.body.text())
  }
  t.equal((await ask('GET', '/api/v1/nodes')).items.length, 3)
  const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'main', image: 'none' }] } }
  const pods = '/api/v1/namespaces/default/pods'
  await ask('POST', pods, pod)
  const phase = async () => (await ask('GET', `${pods}/p`)).status.phase
  for (let tries = 0; tries < 200 && (await phase()) !== 'Running'; tries++)
    await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(await phase(), 'Running', 'an ordinary pod is scheduled and runs')
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})

t.test('2000 simulated nodes are there in less than 5 s', async t => {
  const from = performance.now()
  const child = spawn(process.execPath, [cli, 'embedded', '--nodes', '2000', '--simulated'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const seconds = (performance.now() - from) / 1000
  t.comment(`${seconds.toFixed(1)} s`)
  t.ok(seconds < 15, `${seconds} s; the limit here is wide, since other tests run beside`)
})

t.test('what is wrong with the arguments is one sentence', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? String(address.port) : ''
  const cases: [readonly string[], RegExp][] = [
    [['--nodes', 'many'], /^muster: --nodes: many must be a whole number from 0 to 10000\n$/],
    [['--nodes', '10001'], /^muster: --nodes: 10001 must be a whole number from 0 to 10000\n$/],
    [['--port', '70000'], /^muster: --port: 70000 must be a whole number from 0 to 65535\n$/],
    [['--port', port], new RegExp(`^muster: cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*\\n$`)],
    [['--extender', 'nowhere'], /^muster: --extender: nowhere must be a URL/],
    [['--nope'], /^muster: Unknown option '--nope'; see --help\n$/]
  ]
  for (const [args, want] of cases) {
    const { stderr, code } = await muster(['embedded', ...args])
    t.match(stderr, want)
    t.equal(code, 2)
  }
  const help = spawn(process.execPath, [cli, 'embedded', '--help'])
  t.match(await text(help.stdout), /^Usage: muster embedded/)
})
