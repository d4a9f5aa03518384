import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { UsageError } from '../../extender/errors.ts'
import { readAccess } from '../../extender/kubernetes/kubeconfig.ts'

type Named = Readonly<Record<string, object>>

function config(current: string | undefined, clusters: Named, users: Named = {}, contexts: Named = {}): string {
  const entries = (kind: string, all: Named): object[] =>
    Object.entries(all).map(([name, each]) => ({ name, [kind]: each }))
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': current },
    ...{ clusters: entries('cluster', clusters), users: entries('user', users), contexts: entries('context', contexts) }
  })
}

const context = { c: { cluster: 'k', user: 'u' } }

t.test('files stand beside the kubeconfig that names them', async t => {
  const cluster = { server: 'https://k/', 'certificate-authority': 'ca.crt' }
  const user = { 'client-certificate': 'sub/tls.crt', 'client-key': '/else/tls.key', tokenFile: 'token' }
  const folder = t.testdir({ config: config('c', { k: cluster }, { u: user }, context) })
  t.strictSame(readAccess(join(folder, 'config')), {
    server: 'https://k',
    cluster: { ...cluster, 'certificate-authority': join(folder, 'ca.crt') },
    user: {
      'client-certificate': join(folder, 'sub/tls.crt'),
      'client-key': '/else/tls.key',
      tokenFile: join(folder, 'token')
    }
  })
})

t.test('of several files the first that says something has the last word', async t => {
  const folder = t.testdir({
    a: config(undefined, { k: { server: 'https://first', 'certificate-authority': 'ca' } }),
    b: config('c', { k: { server: 'https://second' } }, { u: { token: 't', tokenFile: 'f' } }, context),
    c: config('d', {}, { u: { token: 'other' } }, { d: { cluster: 'k', user: 'u' } })
  })
  const KUBECONFIG = ['', ...['a', 'b', 'c'].map(name => join(folder, name))].join(delimiter)
  t.strictSame(readAccess(undefined, { KUBECONFIG, HOME: folder }), {
    server: 'https://first',
    cluster: { server: 'https://first', 'certificate-authority': join(folder, 'ca') },
    user: { token: 't', tokenFile: join(folder, 'f') }
  })
})

t.test(
  'without a kubeconfig that of the home is read, then the service account of the pod, then localhost',
  async t => {
    const folder = t.testdir({ account: {} })
    const [env, account] = [{ HOME: folder }, join(folder, 'account')]
    const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
    const localhost = { server: 'http://localhost:8080', cluster: {}, user: {} }
    t.strictSame(readAccess(undefined, env, account), localhost)
    t.strictSame(readAccess(undefined, {}, account), localhost)
    writeFileSync(join(account, 'token'), 'secret')
    t.strictSame(readAccess(undefined, { ...env, ...pod }, account), {
      server: 'https://[fd00::1]:6443',
      cluster: { 'certificate-authority': join(account, 'ca.crt') },
      user: { tokenFile: join(account, 'token') }
    })
    t.equal(readAccess(undefined, { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, account).server, 'https://10.0.0.1:443')
    t.throws(() => readAccess(undefined, env, account), {
      name: 'UsageError',
      message: /KUBERNETES_SERVICE_HOST is not set/
    })
    mkdirSync(join(folder, '.kube'))
    writeFileSync(join(folder, '.kube', 'config'), config('c', { k: { server: 'https://home' } }, {}, context))
    t.equal(readAccess(undefined, { ...env, ...pod }, account).server, 'https://home')
  }
)

const unusable: Record<string, { text: string; want: RegExp }> = {
  'no context': { text: config(undefined, { k: { server: 'https://k' } }), want: /no cluster for its context ""/ },
  'a context without its cluster': { text: config('c', {}, {}, context), want: /no cluster for its context "c"/ },
  'a server that is no text': { text: config('c', { k: { server: 7 } }, {}, context), want: /server is missing/ },
  'a list for an object': { text: '[1]', want: /no cluster/ },
  'no YAML': { text: 'a: "secret\nb: c', want: /^cannot read the kubeconfig [^\n]*$/ }
}
for (const [name, { text, want }] of Object.entries(unusable)) {
  t.test(`a kubeconfig with ${name} is refused in one line that says why`, async t => {
    const path = join(t.testdir({ config: text }), 'config')
    t.throws(() => readAccess(path), { name: 'UsageError', message: want })
    try {
      readAccess(path)
    } catch (error) {
      t.ok(error instanceof UsageError)
      t.notMatch((error as Error).message, /secret/)
    }
  })
}
