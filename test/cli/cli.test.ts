import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { fakeApiServer } from '../kubernetes/fake-api-server.ts'
import { type Env, muster } from './run.ts'

const golden = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: /etc/kubernetes/scheduler.conf
  qps: 1000
  burst: 2000
leaderElection:
  leaderElect: false
profiles:
  - schedulerName: muster
  - schedulerName: custom-scheduler
  - schedulerName: batch
  - schedulerName: render
extenders:
  - urlPrefix: http://127.0.0.1:8888
    nodeCacheCapable: true
    ignorable: false
    filterVerb: filter
    preemptVerb: preempt
    httpTimeout: 2s
  - urlPrefix: http://127.0.0.1:8888
    nodeCacheCapable: true
    ignorable: false
    bindVerb: bind
    httpTimeout: 90s
`

t.test('scheduler-config prints what kube-scheduler reads', async t => {
  const names = ['--scheduler-name', 'batch', '--scheduler-name', 'render=custom-scheduler']
  const args = [
    '--kubeconfig',
    '/etc/kubernetes/scheduler.conf',
    '--extender',
    'http://127.0.0.1:8888/',
    '--bind-timeout',
    '1m30s'
  ]
  t.strictSame(await muster(['scheduler-config', ...args, ...names]), { stdout: golden, stderr: '', code: 0 })
})

t.test('scheduler-config over TLS says whom to trust, and what to show', async t => {
  const args = ['--extender', 'https://muster:8888', '--ca', '/pki/ca.crt']
  const trusting = await muster(['scheduler-config', ...args])
  t.equal(
    trusting.stdout.split('    tlsConfig:\n      caFile: /pki/ca.crt\n    nodeCacheCapable').length,
    3,
    'both entries'
  )
  const mutual = await muster(['scheduler-config', ...args, '--client-cert', '/a.crt', '--client-key', '/a.key'])
  const tls =
    '    tlsConfig:\n      caFile: /pki/ca.crt\n      certFile: /a.crt\n      keyFile: /a.key\n    nodeCacheCapable'
  t.equal(mutual.stdout.split(tls).length, 3)
})

t.test(
  'scheduler-config with a lease elects a leader, and with gangs alone asks about those that want its resources',
  async t => {
    const lease = ['--extender', 'http://127.0.0.1:8888', '--lease', 'kube-system/muster-scheduler']
    const election =
      'leaderElection:\n  leaderElect: true\n  resourceLock: leases\n  resourceNamespace: kube-system\n  resourceName: muster-scheduler\n'
    const all = await muster(['scheduler-config', ...lease])
    t.ok(all.stdout.includes(election), all.stdout)
    t.notMatch(all.stdout, /managedResources/)
    const gangs = await muster(['scheduler-config', ...lease, '--scope', 'gangs'])
    for (const name of ['filter', 'bind'])
      t.match(
        gangs.stdout,
        `    managedResources:\n      - name: muster.dev/${name}\n        ignoredByScheduler: true\n`
      )
  }
)

t.test('scheduler-config inside a cluster names no kubeconfig', async t => {
  const { stdout } = await muster(['scheduler-config'], {
    MUSTER_EXTENDER: 'https://muster.example.com/verbs',
    MUSTER_CA: '/pki/ca.crt'
  })
  t.notMatch(stdout, /kubeconfig/)
  t.match(stdout, /urlPrefix: https:\/\/muster.example.com\/verbs\n/)
  t.match(stdout, /httpTimeout: 30s\n/)
})

t.test('names that YAML 1.1 takes for something else are quoted, and JSON is to be had', async t => {
  const args = ['--extender', 'http://127.0.0.1:8888', '--lease', 'on/y', '--scheduler-name', 'no']
  const { stdout, stderr } = await muster(['scheduler-config', ...args])
  t.equal(stderr, '')
  t.match(stdout, '  resourceNamespace: "on"\n  resourceName: "y"\n')
  t.match(stdout, '  - schedulerName: "no"\n')
  const json = await muster(['scheduler-config', ...args, '--output', 'json'])
  t.strictSame(JSON.parse(json.stdout), parse(stdout))
})

t.test('scheduler-config says once what lint would, and prints all the same', async t => {
  const { stdout, stderr, code } = await muster(['scheduler-config', '--extender', 'http://10.0.0.1:8888'])
  t.match(
    stderr,
    /^warning: http to 10\.0\.0\.1:8888, which is not this machine: [^\n]*\n {4}fix: urlPrefix: [^\n]*\n$/
  )
  t.match(stdout, /urlPrefix: http:\/\/10\.0\.0\.1:8888\n/)
  t.equal(code, 0)
})

type Refused = { args: string[]; env?: Env; want: string | RegExp }
const refused: Record<string, Refused> = {
  'an unknown command': {
    args: ['nonsense'],
    want: /^there is no command "nonsense"; known are serve, scheduler-config, /
  },
  'a command of every object': { args: ['constructor'], want: /^there is no command "constructor"/ },
  'scheduler-config without an address': {
    args: ['scheduler-config'],
    want: '--extender URL is missing: where does kube-scheduler reach muster?'
  },
  'scheduler-config with an address that is no URL': {
    args: ['scheduler-config', '--extender', '127.0.0.1:8888'],
    want: '--extender: 127.0.0.1:8888 must be a URL such as http://127.0.0.1:8888'
  },
  'scheduler-config with more than a path behind the address': {
    args: ['scheduler-config', '--extender', 'http://a/?b=c'],
    want: '--extender: http://a/?b=c must be a URL such as http://127.0.0.1:8888'
  },
  'scheduler-config over TLS without a CA': {
    args: ['scheduler-config', '--extender', 'https://muster:8888'],
    want: '--ca FILE is missing: without the certificates that sign for muster, kube-scheduler cannot know whom it asks'
  },
  'scheduler-config with a CA for what has none': {
    args: ['scheduler-config', '--extender', 'http://muster:8888', '--ca', 'a'],
    want: '--ca, --client-cert and --client-key are for https, and --extender is http://muster:8888'
  },
  'scheduler-config with half an identity': {
    args: ['scheduler-config', '--extender', 'https://muster:8888', '--ca', 'a', '--client-key', 'b'],
    want: 'flag --client-key needs client-cert beside it'
  },
  'scheduler-config for gangs alone without a lease': {
    args: ['scheduler-config', '--extender', 'http://127.0.0.1:8888', '--scope', 'gangs'],
    want: /^flag --scope: gangs needs lease beside it/
  },
  'an unknown flag': { args: ['serve', '--nonsense'], want: "Unknown option '--nonsense'; see --help" },
  'an unknown variable': {
    args: ['serve'],
    env: { MUSTER_NONSENSE: '1' },
    want: /^environment variable MUSTER_NONSENSE is/
  },
  'a kubeconfig that is not there': {
    args: ['serve', '--kubeconfig', '/nowhere'],
    want: /^cannot read the kubeconfig \/nowhere: ENOENT/
  },
  'explain without a pod': { args: ['explain'], want: 'name the pod: muster explain POD' },
  'explain with two pods': { args: ['explain', 'a', 'b'], want: 'one name is enough: a b; see --help' },
  'an output that is not there': {
    args: ['gangs', '--output', 'yaml'],
    want: '--output: yaml must be json; see --help'
  },
  'an unknown flag of gangs': { args: ['gangs', '--nonsense'], want: "Unknown option '--nonsense'; see --help" },
  'a server that is no URL': {
    args: ['gangs', '--server', 'nonsense'],
    want: '--server or MUSTER_SERVER: "nonsense" must be a URL such as http://127.0.0.1:8889; see --help'
  },
  'a server that is not there': {
    args: ['explain', 'a'],
    env: { MUSTER_SERVER: 'http://127.0.0.1:1' },
    want: 'cannot reach muster at http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1; is it running, and is --server right?'
  }
}
for (const [name, { args, env, want }] of Object.entries(refused)) {
  t.test(`refuses ${name} with one sentence and exit code 2`, async t => {
    const { stdout, stderr, code } = await muster(args, env)
    t.equal(stdout, '')
    t.match(stderr, /^muster: [^\n]+\n$/)
    if (typeof want === 'string') t.equal(stderr, `muster: ${want}\n`)
    else t.match(stderr.slice('muster: '.length), want)
    t.equal(code, 2)
  })
}

t.test('every command helps, with an example', async t => {
  for (const args of [[], ['--help'], ['help']]) {
    const { stdout, stderr, code } = await muster(args)
    t.strictSame([stderr, code], ['', 0])
    for (const name of ['serve', 'scheduler-config', 'gangs', 'explain'])
      t.match(stdout, new RegExp(`^  ${name} +\\w`, 'm'))
  }
  for (const name of ['serve', 'scheduler-config', 'gangs', 'explain']) {
    const { stdout, stderr, code } = await muster([name, '--help'])
    t.strictSame([stderr, code], ['', 0])
    t.match(stdout, new RegExp(`^Usage: muster ${name} [^]*\n\nExample:\n  muster ${name} `))
    t.ok(
      stdout.split('\n').every(line => line.length <= 160),
      name
    )
  }
})

const member = { name: 'worker-0', state: 'bound', node: 'node-1', planned: 'node-1' }
const job = { namespace: 'training', name: 'job', state: 'waiting', minMember: 2, reason: 'no room', members: [] }
const done = { namespace: 'a', name: 'b', state: 'running', minMember: null, reason: null, members: [member] }
const worker = {
  namespace: 'training',
  name: 'worker-0',
  node: null,
  explanation: 'gang job is waiting: no room',
  gang: job
}

/** A running muster's API. */
const api = (t: Test) =>
  fakeApiServer(t, ({ path }, reply) => {
    if (path === '/gangs') reply.json(200, { gangs: [job, done] })
    else if (path === '/gangs/b') reply.json(200, done)
    else if (path === '/explain/worker-0') reply.json(200, worker)
    else if (path === '/explain/single') reply.json(200, { ...worker, explanation: 'it is on node-1', gang: null })
    else if (path === '/explain/html') reply.response.end('<html>')
    else if (path === '/explain/empty') reply.status(503)
    else reply.json(404, { error: 'no pod none in namespace default' })
  })

type Shown = { args: string[]; asks: string; want: string }
const shown: Record<string, Shown> = {
  'all gangs': {
    args: ['gangs'],
    asks: '/gangs?',
    want: `NAMESPACE   NAME   STATE     PLACED   REASON
training    job    waiting   0/2      no room
a           b      running   1/?
`
  },
  'one gang with its members': {
    args: ['gangs', 'b', '-n', 'a/b c'],
    asks: '/gangs/b?namespace=a%2Fb+c',
    want: `a/b: running, 1/? of its members placed

MEMBER     STATE   NODE     PLANNED
worker-0   bound   node-1   node-1
`
  },
  'why a member waits': {
    args: ['explain', 'worker-0', '--namespace', 'training'],
    asks: '/explain/worker-0?namespace=training',
    want: `training/worker-0: gang job is waiting: no room

training/job: waiting, 0/2 of its members placed
no room

MEMBER   STATE   NODE   PLANNED
`
  },
  'a pod in the way that logs write it': {
    args: ['explain', 'training/single', '-n', 'other'],
    asks: '/explain/single?namespace=training',
    want: 'training/worker-0: it is on node-1\n'
  },
  'the default namespace': {
    args: ['explain', 'single'],
    asks: '/explain/single?namespace=default',
    want: 'training/worker-0: it is on node-1\n'
  },
  'the whole answer': {
    args: ['gangs', '--output', 'json'],
    asks: '/gangs?',
    want: `${JSON.stringify({ gangs: [job, done] }, null, 2)}\n`
  },
  'the whole answer about a pod': {
    args: ['explain', '-o', 'json', 'worker-0'],
    asks: '/explain/worker-0?namespace=default',
    want: `${JSON.stringify(worker, null, 2)}\n`
  }
}
for (const [name, { args, asks, want }] of Object.entries(shown)) {
  t.test(`shows ${name}`, async t => {
    const { url, requests } = await api(t)
    t.strictSame(await muster(args, { MUSTER_SERVER: `${url}/` }), { stdout: want, stderr: '', code: 0 })
    t.strictSame(
      requests.map(({ path, query }) => `${path}?${query.toString()}`),
      [asks]
    )
  })
}

t.test('no gangs: says so', async t => {
  const { url } = await fakeApiServer(t, (_, reply) => reply.json(200, { gangs: [] }))
  t.equal((await muster(['gangs', '--server', url])).stdout, 'No gangs.\n')
})

t.test('--server wins over MUSTER_SERVER', async t => {
  const { url } = await api(t)
  t.equal((await muster(['explain', 'single', '--server', url], { MUSTER_SERVER: 'http://127.0.0.1:1' })).code, 0)
})

const answers = {
  'a pod that is not there': { pod: 'none', want: () => 'no pod none in namespace default' },
  'a name that needs escapes': { pod: '..', want: () => 'no pod none in namespace default' },
  'a server that is no muster': {
    pod: 'html',
    want: (url: string) => `${url} answers 200, but not as muster does; is --server right?`
  },
  'an error without a sentence': { pod: 'empty', want: (url: string) => `${url} answers 503` }
}
for (const [name, { pod, want }] of Object.entries(answers)) {
  t.test(`passes on ${name}`, async t => {
    const { url } = await api(t)
    const { stdout, stderr, code } = await muster(['explain', pod, '--server', url])
    t.strictSame({ stdout, stderr, code }, { stdout: '', stderr: `muster: ${want(url)}\n`, code: 2 })
  })
}
