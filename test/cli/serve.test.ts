import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { muster, serving } from './run.ts'

const anyPort = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** A kubeconfig for that port of this host. */
function kubeconfig(t: Test, port: number): string {
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c'
  })
  return join(t.testdir({ kubeconfig: text }), 'kubeconfig')
}

t.test('S2.11 S3.10 S3.30 an unreachable API server: one clear line, not ready, and it keeps trying', async t => {
  const port = await freePort()
  const server = serving(t, ['--kubeconfig', kubeconfig(t, port), ...anyPort])
  const { msg } = await server.line(/cannot reach/)
  t.equal(
    msg,
    `cannot reach the API server at http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}; retrying`
  )

  const urls = await Promise.all(
    [/the extender listens/, /the API listens/].map(async each => (await server.line(each)).url!)
  )
  for (const url of urls) {
    const answer = await fetch(`${url}/readyz`)
    t.equal(answer.status, 503)
    t.match(
      await answer.text(),
      /^\[-\] nodes: not listed yet\n\[-\] pods: not listed yet\n[^]*\[-\] gangs: not taken over yet\n$/
    )
    t.equal((await fetch(`${url}/livez`)).status, 200)
    const expiry = (await (await fetch(`${url}/metrics`)).text()).match(/^.*muster_certificate_expiry.*$/gm)
    t.match(expiry, [/^# HELP /, /^# TYPE /], 'a metric without a value: there is no certificate')
    t.equal(expiry?.length, 2)
  }

  const tried = Promise.withResolvers<string>()
  const late = createServer((request, response) => {
    if (request.url?.startsWith('/api/v1/nodes')) tried.resolve(request.url)
    response.writeHead(503).end()
  })
  t.teardown(() => {
    late.closeAllConnections()
    late.close()
  })
  late.listen(port, '127.0.0.1')
  t.match(await tried.promise, /^\/api\/v1\/nodes\?/, 'a server that comes late is found')

  t.equal(server.lines.filter(line => line.msg.includes('cannot reach')).length, 1, 'said once')
  t.strictSame(
    server.lines.filter(line => /Server listening/.test(line.msg)),
    [],
    'and nothing twice'
  )
  server.child.kill('SIGTERM')
  t.strictSame(await server.exited, [0, null])
  t.equal(await server.stderr, '', 'no deprecation, no warning')
})

t.test('a port that is taken ends the start, whichever of the two it is', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const at = `127.0.0.1:${(taken.address() as AddressInfo).port}`
  const config = kubeconfig(t, 1)
  for (const flag of ['--listen', '--api-listen']) {
    const { stderr, code } = await muster(['serve', '--kubeconfig', config, ...anyPort, flag, at])
    t.equal(stderr, `muster: listen EADDRINUSE: address already in use ${at}\n`)
    t.equal(code, 1)
  }
})
