import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '..', '..')
const examples = join(root, 'manifests', 'examples', 'example-deployments.yaml')

/** What the command says and how it ends. */
function run(args: readonly string[], input: string | object = '') {
  const command = [join(root, 'extender', 'cli', 'muster.ts'), 'plan', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    env: { PATH: process.env.PATH },
    input: typeof input === 'string' ? input : JSON.stringify(input),
    encoding: 'utf8'
  })
  return { status, stdout, stderr }
}

const node = (name: string) => ({
  kind: 'Node',
  metadata: { name },
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } }
})
const pod = (name: string, { on, ...annotations }: Record<string, string> = {}, spec: object = {}) => ({
  kind: 'Pod',
  metadata: { name, uid: `uid-${name}`, namespace: 'ns', annotations },
  spec: { schedulerName: 'custom-scheduler', nodeName: on, containers: [{ name: 'main' }], ...spec },
  status: { phase: on === undefined ? 'Pending' : 'Running' }
})
const list = (...items: readonly object[]) => ({ kind: 'List', items })
const three = [node('a'), node('b'), node('c')]

t.test('S3.16 S3.25 S3.26 says what would be bound and preempted, of what kubectl prints', async t => {
  const given = list(
    ...three,
    pod('low', { on: 'a', priority: '1' }),
    pod('kept', { on: 'b', priority: '5' }),
    pod('first', { priority: '9' }),
    pod('second', { priority: '8' }),
    pod('last', { priority: '2' })
  )
  t.strictSame(run(['-'], given), {
    status: 0,
    stdout: `PREEMPT   NODE   FOR
ns/low    a      ns/second

BIND        NODE
ns/first    c
ns/second   a

WAITING   PODS   REASON
ns/last   1      0 of 1 members fit; member ns/last finds no node among 3: 3 node(s) had a pod of this scheduler already
`,
    stderr: ''
  })
})

t.test('a Deployment that is in no cluster yet stands for its pods', async t => {
  const { stdout, status } = run(['-', examples, '--output', 'json'], list(...three, node('d')))
  t.equal(status, 0)
  const { bind, waiting } = JSON.parse(stdout) as {
    readonly bind: readonly object[]
    readonly waiting: readonly { readonly name: string }[]
  }
  t.strictSame(bind, [
    { pod: 'default/high-priority-0', node: 'a' },
    { pod: 'default/gang-app-a-0', node: 'b' },
    { pod: 'default/gang-app-a-1', node: 'c' },
    { pod: 'default/gang-app-a-2', node: 'd' }
  ])
  t.strictSame(
    waiting.map(({ name }) => name),
    ['default/low-priority-0']
  )
})

t.test('one that is in the cluster does not: its pods are there', async t => {
  const deployment = { kind: 'Deployment', metadata: { name: 'd', uid: 'x' }, spec: { replicas: 3, template: {} } }
  t.equal(run(['-'], list(...three, deployment)).stdout, 'Nothing is to be done.\n')
})

t.test('the rules of muster serve hold: classes, caps, protection, nominations', async t => {
  const given = list(
    ...three,
    { kind: 'PriorityClass', metadata: { name: 'high' }, value: 100 },
    pod('critical', { on: 'a' }, { priority: 2_000_000_000 }),
    pod('fresh', { on: 'b', priority: '1', 'muster.dev/min-runtime': '1h' }),
    pod('classy', {}, { priorityClassName: 'high' }),
    { ...pod('nominated', { priority: '7' }), status: { phase: 'Pending', nominatedNodeName: 'c' } },
    pod('gated', {}, { schedulingGates: [{ name: 'example.com/quota' }] }),
    pod('member', { 'muster.dev/gang': 'g', 'muster.dev/min-member': '2' })
  )
  const answer = JSON.parse(run(['-', '--output=json'], given).stdout) as Record<string, readonly object[]>
  t.strictSame(answer.preempt, [])
  t.strictSame(answer.bind, [{ pod: 'ns/classy', node: 'c' }])
  t.match(answer.waiting, [{ name: 'ns/nominated', pods: ['ns/nominated'] }])
  t.strictSame(answer.notReady, [
    { pod: 'ns/gated', reason: 'a scheduling gate of others keeps it' },
    { pod: 'ns/member', reason: 'its gang is not complete, or comes first' }
  ])
})

const wrong: Record<string, { readonly args: readonly string[]; readonly input?: string; readonly want: RegExp }> = {
  'no file': { args: [], want: /^muster: name a file, or - for standard input: muster plan FILE\n$/ },
  'a file that is not there': { args: ['/nowhere/x'], want: /^muster: \/nowhere\/x: ENOENT/ },
  'no JSON': { args: ['-'], input: '{"kind":', want: /^muster: -: / },
  'no YAML': { args: ['-'], input: 'kind: [', want: /^muster: -: .* at line 1/ },
  'no objects': { args: ['-'], input: 'hello', want: /^muster: -: it holds something else than objects of Kubernetes/ },
  'no node': { args: ['-'], input: 'kind: Pod\nmetadata: {name: p}', want: /^muster: no Node is described/ },
  'no name': { args: ['-'], input: 'kind: Node\nspec: {}', want: /^muster: a Node has no metadata.name/ },
  'too many replicas': {
    args: ['-'],
    input: 'kind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1000000000}',
    want: /^muster: Deployment d: 1000000000 pods are more than 100000/
  },
  'deep lists': { args: ['-'], input: '['.repeat(100_000), want: /^muster: -: / },
  'a billion laughs': {
    args: ['-'],
    input: `a0: &a0 x\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`).join('\n')}`,
    want: /^muster: -: Excessive alias count/
  },
  'a configuration that is not there': {
    args: ['-', '--config', '/nowhere/c'],
    input: 'kind: Node\nmetadata: {name: n}',
    want: /cannot read the configuration file/
  },
  'an unknown flag': { args: ['-', '--nonsense'], want: /^muster: Unknown option '--nonsense'.*see --help/ },
  'another output': { args: ['-', '--output', 'xml'], want: /^muster: --output: xml must be json/ }
}
t.test('with several pods to a node there is no such plan', async t => {
  const config = join(t.testdir({ 'config.yaml': 'one-pod-per-node: false\n' }), 'config.yaml')
  const { status, stderr } = run(['-', '--config', config], list(...three))
  t.equal(status, 2)
  t.match(stderr, /^muster: muster plan is for one pod to a node/)
})

for (const [title, { args, input, want }] of Object.entries(wrong)) {
  t.test(`wrong: ${title}`, async t => {
    const { status, stdout, stderr } = run(args, input)
    t.strictSame([status, stdout], [2, ''])
    t.match(stderr, want)
  })
}
