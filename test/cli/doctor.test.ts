import { join } from 'node:path'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { create, rotate } from '../../extender/cli/certs/issue.ts'
import { replace } from '../../extender/cli/certs/store.ts'
import { examine } from '../../extender/cli/doctor/examine.ts'
import { Ground } from '../../extender/cli/doctor/ground.ts'
import { needs } from '../../extender/cli/doctor/needs.ts'
import { told } from '../../extender/cli/doctor.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { systemClock } from '../../extender/clock.ts'
import { loadConfig } from '../../extender/config.ts'
import { connectTo } from '../../extender/kubernetes/connection.ts'
import { kubernetesMetrics } from '../../extender/kubernetes/metrics.ts'
import { Operations } from '../../extender/operations.ts'
import { fakeApiServer, type Received } from '../kubernetes/fake-api-server.ts'
import { muster } from './run.ts'

type Json = Record<string, unknown>
/** Bodies by path; a number is that status, and what is not there is 404. */
type World = Readonly<Record<string, unknown>>

const config = JSON.stringify(schedulerConfiguration(loadConfig([], {}), 'http://127.0.0.1:8888'))
const configMap = '/api/v1/namespaces/muster-system/configmaps/muster-scheduler'
const deployments = '/apis/apps/v1/namespaces/muster-system/deployments'
const policies = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies'
const policy = (text: string): Json => ({
  metadata: { name: 'muster-gates' },
  spec: { mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: text } }] }
})
const gates = policy(
  'Object{spec: Object.spec{schedulingGates: [Object.spec.schedulingGates.item{name: "muster.dev/gang"}]}}'
)
const bound = { metadata: { name: 'muster-gates' }, spec: { policyName: 'muster-gates' } }

/** A cluster in which nothing is wrong. */
const good: World = {
  '/version': { major: '1', minor: '36', gitVersion: 'v1.36.3' },
  [configMap]: { data: { readme: 'x', 'config.yaml': config } },
  [deployments]: { items: [] },
  [policies]: { items: [gates] },
  [`${policies.slice(0, -'policies'.length)}policybindings`]: { items: [bound] },
  '/api/v1/pods': { metadata: { resourceVersion: '1' }, items: [] }
}

const bindings = `${policies.slice(0, -'policies'.length)}policybindings`
const leasePath = '/apis/coordination.k8s.io/v1/namespaces/muster-system/leases/muster'

type Asked = { readonly verb: string; readonly resource: string; readonly subresource?: string; readonly group: string }
type Reviewed = { readonly resourceAttributes: Asked; readonly user?: string }

/** What the doctor says of that world, in which what is in `denied` may not be done. */
async function doctor(
  t: Test,
  changes: World,
  args: readonly string[] = [],
  denied: (right: Reviewed) => boolean = () => false
) {
  const world: World = { ...good, ...changes }
  const reviews: Reviewed[] = []
  const api = await fakeApiServer(t, ({ path, body }: Received, reply) => {
    if (path.includes('accessreviews')) {
      const spec = body['spec'] as Reviewed
      reviews.push(spec)
      return reply.json(201, { status: { allowed: !denied(spec) } })
    }
    const found = world[path]
    if (found === undefined || typeof found === 'number') return reply.status(found ?? 404)
    return reply.json(200, found)
  })
  const { wish, options, strict } = told(args)
  const configOf = (installed: readonly string[]) => loadConfig([...installed, ...options], {})
  const connection = connectTo(api.url, { clock: systemClock, metrics: kubernetesMetrics(new Registry()) })
  const operations = new Operations({ api: connection, clock: systemClock, config: configOf([]) })
  const said = await examine(new Ground({ operations, configOf, wish, now: Date.now() }))
  await operations.close()
  t.ok(said.findings.every(({ why, fix, where }) => why !== '' && fix !== '' && where !== ''))
  const found = said.findings.map(({ check, severity, problem }) => `${check} ${severity}: ${problem}`)
  return { said, found, strict, reviews, url: api.url }
}

const pod = (name: string, spec: Json, more: Json = {}): Json => ({
  metadata: {
    name,
    namespace: 'ns',
    uid: name,
    creationTimestamp: '2020-01-01T00:00:00Z',
    ...(more['metadata'] as Json)
  },
  spec: { schedulerName: 'muster', containers: [], ...spec },
  status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False' }], ...(more['status'] as Json) }
})
const pods = (...items: readonly unknown[]): World => ({
  '/api/v1/pods': { metadata: { resourceVersion: '1' }, items }
})
const gated = { schedulingGates: [{ name: 'muster.dev/gang' }] }
const member = { metadata: { annotations: { 'muster.dev/gang': 'g', 'muster.dev/min-member': '2' } } }
const lease = (spec: Json): World => ({ [leasePath]: { spec } })
const soon = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString()

t.test('in a cluster in which nothing is wrong there is nothing to say', async t => {
  const { said, reviews } = await doctor(t, {})
  t.strictSame([said.findings, said.errors, said.warnings], [[], 0, 0])
  t.strictSame(
    said.facts.map(({ check, fact }) => `${check}: ${fact}`),
    [
      'version: Kubernetes v1.36.3, as tested',
      'configuration: ConfigMap muster-system/muster-scheduler is clean',
      'rights: rights of whoever runs this: all 22 that muster needs',
      'gates: MutatingAdmissionPolicy muster-gates gates gang pods, by muster-gates',
      'waiting: no pod of its schedulers waits for longer than a minute'
    ]
  )
  t.strictSame(
    said.skipped.map(({ check }) => check),
    ['server', 'lease', 'certificates']
  )
  const asked = reviews.map(
    ({ resourceAttributes: { verb, group, resource, subresource } }) =>
      `${verb} ${group}/${resource}${subresource ? `/${subresource}` : ''}`
  )
  const wanted = needs
    .filter(({ definition }) => definition === undefined)
    .flatMap(({ verbs, group, resource }) => verbs.map(verb => `${verb} ${group}/${resource}`))
  t.strictSame(asked.toSorted(byText), wanted.toSorted(byText), 'each right is asked for, and no other')
})

const byText = (a: string, b: string): number => (a < b ? -1 : 1)

t.test('each thing that is wrong is found, and named', async t => {
  const cases: Readonly<
    Record<
      string,
      {
        readonly world: World
        readonly args?: readonly string[]
        readonly want: readonly RegExp[]
        readonly errors?: 0
      }
    >
  > = {
    'an old cluster': {
      world: { '/version': { major: '1', minor: '33+', gitVersion: 'v1.33.1' } },
      want: [/^version error: it is Kubernetes v1\.33\.1$/]
    },
    'a cluster that was not tried': {
      world: { '/version': { major: '1', minor: '37', gitVersion: 'v1.37.0' } },
      want: [/^version warning: it is Kubernetes v1\.37\.0$/],
      errors: 0
    },
    'a version that is none': {
      world: { '/version': { major: 1, minor: {}, gitVersion: '\u001b[31m' } },
      want: [/^version error: it is Kubernetes "\\u001b\[31m"$/]
    },
    'no configuration': {
      world: { [configMap]: 404 },
      want: [/^configuration warning: there is no ConfigMap muster-system\/muster-scheduler$/],
      errors: 0
    },
    'a configuration that may not be read': {
      world: { [configMap]: 403 },
      want: [/^configuration warning: ConfigMap muster-system\/muster-scheduler cannot be read: status 403$/],
      errors: 0
    },
    'a ConfigMap of something else': {
      world: { [configMap]: { data: { a: 'b', c: 'd' } } },
      want: [/^configuration warning: .* holds no KubeSchedulerConfiguration$/],
      errors: 0
    },
    'a dangerous configuration': {
      world: { [configMap]: { data: { a: config.replaceAll('"ignorable":false', '"ignorable":true') } } },
      want: [/^configuration error: .*\(ignorable\)$/, /^configuration error: .*\(ignorable\)$/]
    },
    'a bind timeout that does not fit the installed one': {
      world: { [deployments]: { items: [deployment(1, ['--bind-timeout=90s'])] } },
      want: [
        /^configuration error: bind has httpTimeout: 30s; the barrier ends at 85s, --bind-timeout is 90s \(bind-timeout\)$/
      ]
    },
    'two replicas without a lease': {
      world: { [deployments]: { items: [deployment(2, [])] } },
      want: [/^lease error: 2 replicas without --lease$/]
    },
    'a lease that only muster follows': {
      world: {
        [deployments]: { items: [deployment(2, ['--lease', 'muster-system/muster'])] },
        ...lease({ holderIdentity: 'a', renewTime: soon(0), leaseDurationSeconds: 60 })
      },
      want: [
        /^lease error: muster follows the lease muster-system\/muster, and kube-scheduler's configuration elects by none$/
      ]
    },
    'a lease that nobody has': {
      world: {},
      args: ['--lease', 'muster-system/muster'],
      want: [/^lease error: there is no such lease$/, /^lease error: muster follows/]
    },
    'a lease that ran out, and a pod that waits for it': {
      world: {
        ...lease({ holderIdentity: 'pod-1', renewTime: soon(-100), leaseDurationSeconds: 15 }),
        ...pods(pod('a', {}, member))
      },
      args: ['--lease', 'muster-system/muster'],
      want: [
        /^lease error: pod-1 held it, and it ran out \d+ s ago$/,
        /^lease error: muster follows/,
        /^waiting error: they wait$/
      ]
    },
    'odd leases': {
      world: lease({ holderIdentity: 'pod-1', renewTime: 'never', leaseDurationSeconds: {} }),
      args: ['--lease', 'muster-system/muster'],
      want: [/^lease error: pod-1 held it, and it ran out an unknown time ago$/, /^lease error: muster follows/]
    },
    'no policy that gates': {
      world: { [policies]: { items: [policy('labels')] } },
      want: [/^gates warning: none gates gang pods$/],
      errors: 0
    },
    'a policy that nobody binds': {
      world: { [bindings]: { items: [] } },
      want: [/^gates error: nothing binds it$/]
    },
    'policies that may not be read': {
      world: { [policies]: 403 },
      want: [/^gates warning: cannot be read: status 403$/],
      errors: 0
    },
    'gated pods of a scheduler that has no profile': {
      world: pods(pod('a', { ...gated, schedulerName: 'batch' }, member)),
      want: [/^gates error: gated by muster\.dev\/gang, and their scheduler batch has no profile$/]
    },
    'gated pods of no gang': {
      world: pods(pod('a', gated)),
      want: [/^gates error: gated by muster\.dev\/gang, and members of no gang$/]
    },
    'pods at which nobody looks': {
      world: pods(pod('a', {}, { status: { conditions: [] } })),
      want: [/^waiting error: no kube-scheduler has looked at them for a minute$/]
    },
    'pods that may not be read': {
      world: { '/api/v1/pods': 403 },
      want: [/^gates warning: cannot read the pods: /, /^waiting warning: cannot read the pods: /],
      errors: 0
    },
    'a muster that does not answer': {
      world: pods(pod('a', {}, member)),
      args: ['--server', 'http://127.0.0.1:1'],
      want: [/^server error: connect ECONNREFUSED 127\.0\.0\.1:1$/, /^waiting error: they wait$/]
    }
  }
  for (const [name, { world, args = [], want, errors }] of Object.entries(cases)) {
    const { found, said } = await doctor(t, world, args)
    t.match(found, want, name)
    t.equal(found.length, want.length, name)
    t.equal(said.errors > 0, errors === undefined, name)
  }
})

t.test('pods that wait though nothing keeps them are named, and who knows why', async t => {
  const { said } = await doctor(t, pods(pod('a', {}, member), pod('b', {}, member)))
  t.strictSame(
    said.facts.filter(({ check }) => check === 'waiting').map(({ fact }) => fact),
    ['pods ns/a, ns/b wait for longer than a minute; muster explain POD -n NAMESPACE says why']
  )
})

function deployment(replicas: number, args: readonly string[]): Json {
  const container = { command: ['node', 'extender/cli/muster.ts'], args: ['serve', '--tls-cert', '/not/here', ...args] }
  return {
    metadata: { name: 'muster' },
    spec: { replicas, template: { spec: { initContainers: [container], containers: [] } } }
  }
}

t.test('whoever it is asked for: what is missing, and for an account what is too much', async t => {
  const { found, reviews, said } = await doctor(
    t,
    {},
    ['--service-account', 'muster-system/muster'],
    ({ resourceAttributes: { verb, resource, subresource } }) =>
      resource === 'secrets' ||
      (resource === 'pods' && ['binding', 'eviction'].includes(subresource ?? '')) ||
      verb === 'escalate'
  )
  t.ok(reviews.every(({ user }) => user === 'system:serviceaccount:muster-system:muster'))
  t.strictSame(found.slice(0, 2), [
    'rights error: may not create pods/binding',
    'rights warning: may not create pods/eviction'
  ])
  t.match(
    said.findings[0]?.fix,
    /^a ClusterRole with the rule \{apiGroups: \[""\], resources: \[pods\/binding\], verbs: \[create\]\}/
  )
  t.ok(found.includes('rights warning: may * *.*'))
  t.notOk(found.some(each => each.includes('secrets')))
})

t.test('a configuration of another name is found by the Deployment that mounts it', async t => {
  const mounted = '/api/v1/namespaces/muster-system/configmaps/muster-kube-scheduler-7k2'
  const installed = deployment(1, []) as { spec: { template: { spec: Json } } }
  installed.spec.template.spec['volumes'] = [{ emptyDir: {} }, { configMap: { name: 'muster-kube-scheduler-7k2' } }]
  const world = {
    [configMap]: 404,
    [deployments]: { items: [installed] },
    [mounted]: { data: { 'scheduler.yaml': config } }
  }
  const { said } = await doctor(t, world)
  t.strictSame(said.findings, [])
  t.equal(said.facts[1]?.fact, 'ConfigMap muster-system/muster-kube-scheduler-7k2 is clean')
})

t.test('a muster that is not ready says what is missing', async t => {
  const lines = ['[+] nodes ok', '[-] pods: not listed yet', `[-] x: \u001b[2J${'y'.repeat(500)}`]
  const server = await fakeApiServer(t, (_, reply) => {
    reply.response.writeHead(503).end(`${lines.join('\n')}\n`)
  })
  const { found } = await doctor(t, {}, ['--server', server.url])
  t.equal(found[0], 'server error: it is not ready: pods: not listed yet')
  t.ok(found[1]!.length < 150 && !found[1]!.includes('\u001b'), 'short, and safe for a terminal')
  const stranger = await fakeApiServer(t, (_, reply) => {
    reply.response.writeHead(200).end('hello')
  })
  t.strictSame((await doctor(t, {}, ['--server', stranger.url])).found, [
    'server error: it answers 200, but not as muster does'
  ])
})

t.test('certificates hold, and hold for each other, or it is said why not', async t => {
  const folder = t.testdir({})
  const at = (name: string): string => join(folder, name)
  const now = Date.now()
  const wish = { hosts: ['muster.example.com'], clientName: 'system:kube-scheduler', days: 30 }
  const files = create(wish, now)
  const args = (...more: readonly string[]): readonly string[] => [
    ...[
      '--tls-cert',
      at('server.crt'),
      '--tls-key',
      at('server.key'),
      '--tls-client-ca',
      at('ca.crt'),
      '--ca',
      at('ca.crt')
    ],
    ...['--client-cert', at('client.crt'), '--client-key', at('client.key'), ...more]
  ]
  const look = async (made: typeof files, host = 'muster.example.com') => {
    replace(folder, made, now)
    return (await doctor(t, {}, args('--extender', `https://${host}:8888`))).found.filter(each =>
      each.startsWith('certificates')
    )
  }
  t.strictSame(await look(files), [])
  t.match(await look(files, '10.0.0.1'), [
    /^certificates error: it does not hold for 10\.0\.0\.1, but for DNS:muster\.example\.com$/
  ])
  t.match(await look(rotate(files, { days: 3 }, now)), [
    /^certificates warning: it ends on /,
    /^certificates warning: it ends on /
  ])
  t.match(await look(create({ ...wish, days: 1 }, now - 2 * 86_400_000)), [
    /^certificates error: it ended on /,
    /^certificates error: it ended on /
  ])
  const strange = create(wish, now)
  t.match(await look({ ...files, 'server.crt': strange['server.crt'] }), [
    /^certificates error: none of the CAs that the other side trusts has signed it$/
  ])
  t.match(await look({ ...files, 'client.crt': 'nonsense' }), [/^certificates error: it holds no PEM certificate$/])
})

t.test(
  'text for people: what is wrong first, each with its fix; the exit code goes by errors, or by --strict',
  async t => {
    const { url } = await doctor(t, { [configMap]: 404 })
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
      clusters: [{ name: 'c', cluster: { server: url } }],
      users: [{ name: 'u', user: {} }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }]
    }
    const kubeconfig = join(t.testdir({ kubeconfig: JSON.stringify(config) }), 'kubeconfig')
    const run = (...args: readonly string[]) => muster(['doctor', '--kubeconfig', kubeconfig, ...args])
    const { stdout, code } = await run()
    t.match(
      stdout,
      /^warning: KubeSchedulerConfiguration: there is no ConfigMap [^\n]*\n {4}fix: name its file: [^\n]*\nskipped: [^]*\nok: [^]*: 0 errors, 1 warning\n$/
    )
    t.equal(code, 0)
    t.equal((await run('--strict', '--output', 'json')).code, 1)
    const absent = await run('/nowhere.yaml')
    t.match(absent.stderr, /^muster: cannot read \/nowhere\.yaml: ENOENT[^\n]*\n$/)
    t.strictSame([absent.stdout, absent.code], ['', 2], 'and is not taken for a sound cluster')
  }
)

t.test('mistakes are told in one line', async t => {
  const cases: Readonly<Record<string, RegExp>> = {
    'a b': /^one file is enough: a b$/,
    '--lease nonsense': /^--lease: nonsense must be NAMESPACE\/NAME, such as muster-system\/muster$/,
    '--server nonsense': /must be a URL such as/,
    '--output yaml': /^--output: yaml must be json$/,
    '--nonsense': /^Unknown option '--nonsense'; see --help$/
  }
  for (const [args, message] of Object.entries(cases))
    t.throws(() => told(args.split(' ')), { name: 'UsageError', message }, args)
})
