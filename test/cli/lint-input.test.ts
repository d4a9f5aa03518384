import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { check, type Expected } from '../../extender/cli/lint/check.ts'

const expected: Expected = {
  bindTimeoutMs: 30_000,
  schedulerNames: ['muster', 'custom-scheduler'],
  namedSchedulers: [],
  extender: undefined
}
const entry = 'urlPrefix: http://127.0.0.1:8888'
const good = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {qps: 1000, burst: 2000}
leaderElection: {leaderElect: false}
profiles: [{schedulerName: muster}, {schedulerName: custom-scheduler}]
extenders:
  - {${entry}, nodeCacheCapable: true, filterVerb: filter, preemptVerb: preempt, httpTimeout: 2s}
  - {${entry}, bindVerb: bind, httpTimeout: 30s}
`
const bad = good.replace('nodeCacheCapable: true, ', '')
const warned = good.replace(', httpTimeout: 2s', '')

/** What the command says and how it ends. */
function run(cwd: string, args: readonly string[], input = '') {
  const options = { cwd, env: { PATH: process.env.PATH }, input, encoding: 'utf8' } as const
  const command = [`${process.cwd()}/extender/cli/muster.ts`, 'lint', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, options)
  return { status, stdout, stderr }
}

const hostile: Readonly<Record<string, readonly [string, RegExp]>> = {
  nothing: ['', /it holds no KubeSchedulerConfiguration: it is empty/],
  'only a comment': ['# nothing\n', /it is empty/],
  'a list': ['- a', /it holds no KubeSchedulerConfiguration but "a list"/],
  'another kind': ['kind: ConfigMap', /but "ConfigMap"/],
  'no YAML': ['kind: [\n  a: }', /line 2, column 6: no YAML/],
  'a tab': ['kind:\n\t- a', /line 2, column 1: no YAML/],
  'an alias of nothing': ['extenders: [*gone]', /line 1.*\*?gone/],
  'a billion laughs': [
    `a0: &a0 {extenders: 1}\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} {<<: [${`*a${i},`.repeat(10)}]}`).join('\n')}\nextenders: [*a9]`,
    /aliases stand for more than 200,000 values/
  ],
  'lists of aliases of lists of aliases': [
    `a: &a {name: x}\nb: &b [${'*a,'.repeat(3000)}]\nc: &c {managedResources: *b}\nextenders: [${'*c,'.repeat(3000)}]`,
    /aliases stand for more than 200,000 values/
  ],
  'a map merged into itself': ['kind: KubeSchedulerConfiguration\nextenders: [&a {<<: *a}]', /or a map into itself/],
  'a list within itself': ['kind: &a [*a]\nextenders: 1', /^7 findings$/],
  'deep lists': ['['.repeat(250_000), /nested more than 100 deep/],
  'deep maps': ['{a: '.repeat(60_000), /nested more than 100 deep/],
  'deep dashes': ['- '.repeat(100_000), /nested more than 100 deep/],
  'deep questions': ['? '.repeat(100_000), /nested more than 100 deep/],
  'many quotes': ['"'.repeat(250_000), /no YAML/],
  'many commas': [`[${','.repeat(100_000)}`, /no YAML/],
  'many documents': ['---\n'.repeat(60_000), /holds no/]
}
for (const [name, [yaml, want]] of Object.entries(hostile)) {
  t.test(`hostile: ${name}`, async t => {
    const start = performance.now()
    let said = ''
    try {
      said = `${check(yaml, expected).length} findings`
    } catch (error) {
      t.equal((error as Error).name, 'UsageError', String(error))
      said = (error as Error).message
    }
    t.match(said, want)
    t.ok(performance.now() - start < 60_000, 'in bounded time')
  })
}

t.test('many keys, known and unknown, are judged in bounded time', async t => {
  const keys = Array.from({ length: 18_000 }, (_, index) => `ignorabl${index}: 1`).join('\n')
  t.equal(check(`${good}${keys}`, expected).length, 18_000)
})

t.test('control characters of a file never reach the terminal', async t => {
  const [finding] = check(good.replace('preempt,', '"\\e[31m\\u009b\\u202ex",'), expected)
  // oxlint-disable-next-line no-control-regex -- that is what is tested
  t.notMatch(finding!.problem, /[\u0000-\u001f\u007f-\u009f\u202e]/)
  t.match(finding!.problem, /is no verb of muster/)
})

t.test('the command', async t => {
  const dir = t.testdir({ 'good.yaml': good, 'bad.yaml': bad, 'warned.yaml': warned })
  const lint = (args: readonly string[], input?: string) => run(dir, args, input)
  t.strictSame(lint(['good.yaml']), { status: 0, stdout: 'good.yaml: 0 errors, 0 warnings\n', stderr: '' })
  t.match(lint(['bad.yaml']), {
    status: 1,
    stdout:
      /^bad\.yaml:7:5: error: nodeCacheCapable is not true: .* \(node-names\)\n {4}fix: nodeCacheCapable: true\nbad\.yaml: 1 error, 0 warnings\n$/
  })
  t.equal(lint(['warned.yaml']).status, 0, 'warnings alone are fine')
  t.equal(lint(['warned.yaml', '--strict']).status, 1, 'unless --strict')
  t.equal(lint(['-'], good).status, 0, 'standard input')
  const slow = lint(['good.yaml', '--bind-timeout', '1m']).stdout
  t.match(slow, /bind has httpTimeout: 30s; the barrier ends at 55s, --bind-timeout is 60s/)
  const named = lint(['good.yaml', '--scheduler-name=a', '--scheduler-name=b=muster']).stdout
  t.match(named, /no profile is named a:[^]*named b:/)
  t.match(JSON.parse(lint(['bad.yaml', '--output', 'json']).stdout), {
    file: 'bad.yaml',
    errors: 1,
    warnings: 0,
    findings: [{ rule: 'node-names', severity: 'error', line: 7, column: 5, problem: String, why: String }]
  })
  t.match(lint(['--help']), { status: 0, stdout: /Usage: muster lint FILE/ })
})

t.test('more findings than anybody reads are cut short, and none is hidden from --strict', async t => {
  const dir = t.testdir({
    'many.yaml': `${good}${Array.from({ length: 150 }, (_, index) => `x${index}: 1\n`).join('')}`
  })
  const { status, stdout } = run(dir, ['many.yaml', '--strict'])
  t.match(stdout, /50 more are not shown\.\nmany\.yaml: 0 errors, 150 warnings\n$/)
  t.equal(status, 1)
})

t.test('what cannot be judged', async t => {
  const dir = t.testdir({ sub: {}, 'nul.yaml': 'a\0b', 'list.yaml': '- a' })
  writeFileSync(`${dir}/latin.yaml`, Uint8Array.from([0x61, 0x3a, 0x20, 0xe9]))
  writeFileSync(`${dir}/large.yaml`, `${good}${'# comment\n'.repeat(1_000_000)}`)
  const wants: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
    'no file': [[], /name one file/],
    'two files': [['a', 'b'], /name one file/],
    'an unknown option': [['list.yaml', '--fast'], /Unknown option '--fast'; see --help/],
    'an unknown output': [['list.yaml', '--output=xml'], /--output: xml must be json/],
    'a bad duration': [['list.yaml', '--bind-timeout=30'], /flag --bind-timeout: 30 must be a duration/],
    'a file that is not there': [['gone.yaml'], /gone\.yaml: ENOENT/],
    'a folder': [['sub'], /sub: EISDIR/],
    binary: [['nul.yaml'], /nul\.yaml: it is binary, not YAML/],
    'other encodings': [['latin.yaml'], /latin\.yaml: it is not UTF-8/],
    'ten megabytes': [['large.yaml'], /large\.yaml: it is larger than 256 KiB/],
    'a file without end': [['/dev/zero'], /larger than 256 KiB/],
    'no configuration': [['list.yaml'], /list\.yaml: it holds no KubeSchedulerConfiguration/]
  }
  for (const [name, [args, want]] of Object.entries(wants)) {
    const { status, stdout, stderr } = run(dir, args)
    t.match({ status, stdout, stderr }, { status: 2, stdout: '', stderr: want }, name)
    t.match(stderr, /^muster: .*\n$/, `${name}: one line`)
  }
})
