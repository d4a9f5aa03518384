import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { serving } from '../cli/run.ts'

const secret = 'hush-hush-secret'
const secret64 = Buffer.from(secret.repeat(3)).toString('base64')
const addresses = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0', '--log-level', 'trace']

type User = Readonly<Record<string, unknown>>

const kubeconfigOf = (server: string, user: User): string =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }]
  })

/** An API server that refuses everybody, and says with what they came. */
async function refusing(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    const message = `you said ${request.headers.authorization?.length ?? 0} characters`
    response.writeHead(401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'Status', message, code: 401 }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What each leads to is a line of the log, or the end of the process. */
const users: Readonly<Record<string, { readonly user: User; readonly says?: RegExp }>> = {
  'a token that is refused': { user: { token: secret }, says: /401/ },
  'a password that is refused': { user: { username: 'u', password: secret }, says: /401/ },
  'a certificate and a key that are none': {
    user: { 'client-certificate-data': secret64, 'client-key-data': secret64 }
  },
  'a command that prints a token where JSON belongs': {
    user: {
      exec: {
        ...{ apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', interactiveMode: 'Never' },
        args: ['-c', `echo ${secret}`]
      }
    },
    says: /credentials/
  }
}

for (const [name, { user, says = /cannot/ }] of Object.entries(users)) {
  t.test(`no secret is in the log: ${name}`, async t => {
    const path = join(t.testdir({ kubeconfig: kubeconfigOf(await refusing(t), user) }), 'kubeconfig')
    const { child, line, lines, exited, stderr } = serving(t, ['--kubeconfig', path, ...addresses])
    await Promise.race([line(says), exited])
    child.kill('SIGTERM')
    const all = JSON.stringify(lines) + (await stderr)
    t.ok(all.length > 50, 'it has said something')
    t.notMatch(all, new RegExp(`${secret}|${secret64.slice(0, 40)}`))
  })
}

t.test('no secret is in what is said of a kubeconfig that cannot be read', async t => {
  const broken = `users:\n- name: u\n  user:\n    token: ${secret}\n   password: "${secret}\n`
  const path = join(t.testdir({ kubeconfig: broken }), 'kubeconfig')
  const { child, stderr } = serving(t, ['--kubeconfig', path, ...addresses])
  const [said, out] = await Promise.all([stderr, text(child.stdout)])
  t.match(said, /kubeconfig/)
  t.notMatch(said + out, secret)
})
