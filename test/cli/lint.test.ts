import t from 'tap'
import { stringify } from 'yaml'
import { type Expected, check, rules } from '../../extender/cli/lint/check.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { loadConfig } from '../../extender/config.ts'

const expected: Expected = {
  bindTimeoutMs: 30_000,
  schedulerNames: ['muster', 'custom-scheduler'],
  namedSchedulers: [],
  extender: undefined
}

const lease = { namespace: 'kube-system', name: 'muster-scheduler' }

/** Clean; every case is this with a few lines changed. */
const good = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {qps: 1000, burst: 2000}
leaderElection: {leaderElect: false}
profiles:
  - schedulerName: muster
  - schedulerName: custom-scheduler
extenders:
  - urlPrefix: http://127.0.0.1:8888
    nodeCacheCapable: true
    filterVerb: filter
    preemptVerb: preempt
    httpTimeout: 2s
  - urlPrefix: http://127.0.0.1:8888
    bindVerb: bind
    httpTimeout: 30s
`

/** The good text with other lines in place of some (counted from 1; undefined removes the line). */
function text(changes: Readonly<Record<number, string | undefined>>): string {
  return good
    .split('\n')
    .map((line, index) => (index + 1 in changes ? changes[index + 1] : line))
    .filter(line => line !== undefined)
    .join('\n')
}

/** `line:column rule`, in order. */
function found(yaml: string, options: Partial<Expected> = {}): readonly string[] {
  return check(yaml, { ...expected, ...options }).map(({ line, column, rule }) => `${line}:${column} ${rule}`)
}

type Case = {
  readonly change: Readonly<Record<number, string | undefined>>
  readonly options?: Partial<Expected>
  readonly want: readonly string[]
}

const https = (rest: string) => ({
  9: `  - urlPrefix: https://muster:8888\n    ${rest}`,
  14: '  - urlPrefix: https://muster:8888\n    tlsConfig: {caFile: ca.crt}'
})
const disabled = (plugins: string) => ({ 6: `  - schedulerName: muster\n    plugins: ${plugins}` })

const cases: Readonly<Record<string, Case>> = {
  'nothing is wrong': { change: {}, want: [] },
  'a filter that is ignorable': {
    change: { 10: '    nodeCacheCapable: true\n    ignorable: true' },
    want: ['11:16 ignorable']
  },
  'a bind that is ignorable': { change: { 15: '    bindVerb: bind\n    ignorable: true' }, want: ['16:16 ignorable'] },
  'yes is true for kube-scheduler': {
    change: { 15: '    bindVerb: bind\n    ignorable: yes' },
    want: ['16:16 ignorable']
  },
  'one entry for all verbs': {
    change: { 12: '    preemptVerb: preempt\n    bindVerb: bind', 14: undefined, 15: undefined, 16: undefined },
    want: ['13:15 one-entry']
  },
  'no bindVerb': { change: { 14: undefined, 15: undefined, 16: undefined }, want: ['9:5 bind-missing'] },
  'no filterVerb': { change: { 11: undefined }, want: ['9:5 filter-missing'] },
  'an empty filterVerb is none': { change: { 11: '    filterVerb: ""' }, want: ['9:5 filter-missing'] },
  'no preemptVerb': { change: { 12: undefined }, want: ['9:5 preempt-missing'] },
  'no extenders': {
    change: {
      8: undefined,
      9: undefined,
      10: undefined,
      11: undefined,
      12: undefined,
      13: undefined,
      14: undefined,
      15: undefined,
      16: undefined
    },
    want: ['1:1 muster-missing']
  },
  'another URL is muster': { change: {}, options: { extender: 'http://127.0.0.1:9999' }, want: ['9:3 muster-missing'] },
  'two entries bind': {
    change: { 16: '    httpTimeout: 30s\n  - urlPrefix: http://127.0.0.1:7777\n    bindVerb: other' },
    want: ['18:15 two-binders']
  },
  'a verb that muster does not serve': { change: { 12: '    preemptVerb: preemption' }, want: ['12:18 verb-unknown'] },
  'prioritize without weight': {
    change: { 12: '    preemptVerb: preempt\n    prioritizeVerb: prioritize' },
    want: ['9:5 weight-missing']
  },
  'prioritize with weight 0': {
    change: { 12: '    preemptVerb: preempt\n    prioritizeVerb: prioritize\n    weight: 0' },
    want: ['14:13 weight-missing']
  },
  'prioritize that dominates': {
    change: { 12: '    preemptVerb: preempt\n    prioritizeVerb: prioritize\n    weight: 13' },
    want: ['14:13 weight-dominates']
  },
  'prioritize of weight 12': {
    change: { 12: '    preemptVerb: preempt\n    prioritizeVerb: prioritize\n    weight: 12' },
    want: []
  },
  'nodes in full': { change: { 10: '    nodeCacheCapable: false' }, want: ['10:23 node-names'] },
  'nodes in full by default': { change: { 10: undefined }, want: ['9:5 node-names'] },
  'bind without a timeout': { change: { 16: undefined }, want: ['14:5 bind-timeout'] },
  'a timeout of 0 is the default of 5 s': { change: { 16: '    httpTimeout: 0s' }, want: ['16:18 bind-timeout'] },
  'bind ends with the barrier': { change: { 16: '    httpTimeout: 25s' }, want: ['16:18 bind-timeout'] },
  'bind ends before the last write': { change: { 16: '    httpTimeout: 29.9s' }, want: ['16:18 bind-timeout'] },
  'the same timeout in another form': { change: { 16: '    httpTimeout: 0.5m' }, want: [] },
  'bind against another --bind-timeout': {
    change: {},
    options: { bindTimeoutMs: 60_000 },
    want: ['16:18 bind-timeout']
  },
  'bind waits longer than muster': { change: { 16: '    httpTimeout: 1m' }, want: ['16:18 bind-timeout-longer'] },
  'a bind timeout that Go cannot read': { change: { 16: '    httpTimeout: 30 seconds' }, want: ['16:18 wrong-type'] },
  'a timeout without unit': { change: { 16: '    httpTimeout: 30' }, want: ['16:18 wrong-type'] },
  'a negative timeout': { change: { 13: '    httpTimeout: -2s' }, want: ['13:18 timeout-negative'] },
  'a slow filter': { change: { 13: '    httpTimeout: 5.1s' }, want: ['13:18 filter-timeout'] },
  'a filter of 5 s': { change: { 13: '    httpTimeout: 5s' }, want: [] },
  'a filter without a timeout': { change: { 13: undefined }, want: ['9:5 filter-timeout-missing'] },
  'no URL': { change: { 14: '  - urlPrefix: muster', 9: '  - urlPrefix: muster' }, want: ['9:16 url', '14:16 url'] },
  'a URL with a query': {
    change: { 9: '  - urlPrefix: http://127.0.0.1:8888/?a', 14: '  - urlPrefix: http://127.0.0.1:8888/?a' },
    want: ['9:16 url', '14:16 url']
  },
  'a URL with a path': {
    change: { 9: '  - urlPrefix: http://127.0.0.1:8888/muster', 14: '  - urlPrefix: http://127.0.0.1:8888/muster/' },
    want: ['9:16 url-path', '14:16 url-path']
  },
  'two servers': { change: { 14: '  - urlPrefix: http://127.0.0.1:8889' }, want: ['14:16 one-server'] },
  'http to another machine': {
    change: { 9: '  - urlPrefix: http://127.0.0.1@muster', 14: '  - urlPrefix: http://127.0.0.1@muster' },
    want: ['9:16 clear-text', '14:16 clear-text']
  },
  'http to this machine by IPv6': {
    change: { 9: '  - urlPrefix: http://[::1]:8888', 14: '  - urlPrefix: http://[::1]:8888/' },
    want: []
  },
  'https with a CA': { change: https('tlsConfig: {caFile: ca.crt}'), want: [] },
  'https with a CA in the file, and enableHTTPS': {
    change: https('tlsConfig: {caData: aGk=}\n    enableHTTPS: true'),
    want: []
  },
  'https without a CA': {
    change: https('tlsConfig: {certFile: tls.crt, keyFile: tls.key}'),
    want: ['9:16 tls-unverified']
  },
  'https with enableHTTPS and no CA': { change: https('enableHTTPS: true'), want: ['10:18 tls-unverified'] },
  'https that is insecure': { change: https('tlsConfig: {insecure: true}'), want: ['10:27 tls-unverified'] },
  'https with a CA, yet insecure': {
    change: https('tlsConfig: {caFile: ca.crt, insecure: true}'),
    want: ['10:43 tls-unverified']
  },
  'enableHTTPS with http': {
    change: { 10: '    nodeCacheCapable: true\n    enableHTTPS: true' },
    want: ['11:18 tls-unused']
  },
  'enableHTTPS: false with http': { change: { 10: '    nodeCacheCapable: true\n    enableHTTPS: false' }, want: [] },
  'a managed resource named twice, not ignored': {
    change: {
      12: '    preemptVerb: preempt\n    managedResources: [{name: a.b/c, ignoredByScheduler: true}]',
      15: '    bindVerb: bind\n    managedResources: [{name: a.b/c}]'
    },
    want: ['13:23 managed-scope', '17:23 managed-scope', '17:24 managed-counted', '17:31 managed-twice']
  },
  'managed resources that are not those of the policy': {
    change: {
      12: '    preemptVerb: preempt\n    managedResources: [{name: a.b/c, ignoredByScheduler: true}]',
      15: '    bindVerb: bind\n    managedResources: [{name: muster.dev/bind, ignoredByScheduler: true}]'
    },
    options: { scope: 'gangs' },
    want: ['13:23 managed-missing']
  },
  'no managed resources for gangs alone': {
    change: {},
    options: { scope: 'gangs' },
    want: ['9:5 managed-missing', '14:5 managed-missing']
  },
  'no election where muster follows a lease': { change: {}, options: { lease }, want: ['4:17 lease'] },
  'another lease than muster follows': {
    change: { 4: 'leaderElection: {leaderElect: true, resourceName: other}' },
    options: { lease },
    want: ['4:17 lease']
  },
  'the lease that muster follows': {
    change: { 4: 'leaderElection: {resourceName: muster-scheduler}' },
    options: { lease },
    want: []
  },
  'the rate of kube-scheduler by default': { change: { 3: undefined }, want: ['1:1 client-rate'] },
  'a low rate': { change: { 3: 'clientConnection: {qps: 499, burst: 2000}' }, want: ['3:25 client-rate'] },
  'a low burst': { change: { 3: 'clientConnection: {qps: 500, burst: 999}' }, want: ['3:37 client-rate'] },
  'no limit at all': { change: { 3: 'clientConnection: {qps: -1}' }, want: [] },
  'no profile of muster': {
    change: { 5: undefined, 6: undefined, 7: undefined },
    want: ['1:1 profile-missing']
  },
  'no profile of a name that the user gave': {
    change: {},
    options: { schedulerNames: ['muster', 'custom-scheduler', 'batch'], namedSchedulers: ['batch'] },
    want: ['6:3 profile-missing']
  },
  'no profile of a name that muster serves always': { change: { 7: undefined }, want: ['6:3 profile-unserved'] },
  'gates disabled': {
    change: disabled('{preEnqueue: {disabled: [{name: SchedulingGates}]}}'),
    want: ['7:39 gates-disabled']
  },
  'all plugins disabled': {
    change: disabled('{multiPoint: {disabled: [{name: "*"}]}}'),
    want: ['7:39 fit-disabled', '7:39 fit-disabled', '7:39 gates-disabled']
  },
  'all plugins disabled, ours enabled again': {
    change: disabled(
      '{multiPoint: {disabled: [{name: "*"}], enabled: [{name: SchedulingGates}, {name: NodeResourcesFit}]}}'
    ),
    want: []
  },
  'a point counts more than multiPoint': {
    change: disabled('{filter: {disabled: [{name: "*"}]}, multiPoint: {enabled: [{name: NodeResourcesFit}]}}'),
    want: ['7:35 fit-disabled']
  },
  'preemption may be disabled': { change: disabled('{postFilter: {disabled: [{name: DefaultPreemption}]}}'), want: [] },
  'plugins of a name that is not ours': {
    change: {
      7: '  - schedulerName: custom-scheduler\n  - schedulerName: x\n    plugins: {filter: {disabled: [{name: "*"}]}}'
    },
    want: []
  },
  'leader election by default': { change: { 4: undefined }, want: ['1:1 leader-election'] },
  "the lease of the cluster's scheduler": {
    change: { 4: 'leaderElection: {leaderElect: true}' },
    want: ['4:31 leader-election']
  },
  'a lease of its own': { change: { 4: 'leaderElection: {leaderElect: true, resourceName: muster}' }, want: [] },
  'in place of the default scheduler': {
    change: { 4: undefined, 7: '  - schedulerName: custom-scheduler\n  - schedulerName: default-scheduler' },
    want: []
  },
  'all nodes are scored': {
    change: { 4: `leaderElection: {leaderElect: false}\npercentageOfNodesToScore: 100` },
    want: ['5:27 all-nodes']
  },
  'all nodes are scored in a profile': {
    change: { 6: '  - schedulerName: muster\n    percentageOfNodesToScore: 100' },
    want: ['7:31 all-nodes']
  },
  'an old version': { change: { 1: 'apiVersion: kubescheduler.config.k8s.io/v1beta3' }, want: ['1:13 api-version'] },
  'no version': { change: { 1: undefined }, want: ['1:1 api-version'] },
  'a misspelt kind': { change: { 2: 'kind: KubeSchedulerConfig' }, want: ['2:7 kind'] },
  'not the first document': {
    change: { 1: 'kind: ConfigMap\n---\napiVersion: kubescheduler.config.k8s.io/v1' },
    want: ['3:1 first-document']
  },
  'the first of two documents': { change: { 16: '    httpTimeout: 30s\n---\nkind: ConfigMap' }, want: [] },
  'an unknown field': {
    change: { 10: '    nodeCacheCapable: true\n    ignoreable: false' },
    want: ['11:5 unknown-field']
  },
  'a field in other capitals': {
    change: { 10: '    nodeCacheCapable: true\n    Ignorable: false' },
    want: ['11:5 unknown-field']
  },
  'names of JavaScript are unknown as others': {
    change: { 3: 'constructor: 1\n__proto__: 2\nclientConnection: {qps: -1}' },
    want: ['3:1 unknown-field', '4:1 unknown-field']
  },
  'a list that is a map': {
    change: { 5: 'profiles: {}', 6: undefined, 7: undefined },
    want: ['5:11 profile-missing', '5:11 wrong-type']
  },
  'text that is a flag': { change: { 15: '    bindVerb: bind\n    ignorable: "true"' }, want: ['16:16 wrong-type'] },
  'null is nothing': { change: { 15: '    bindVerb: bind\n    ignorable: null' }, want: [] },
  'arguments of plugins are not ours': {
    change: { 6: '  - schedulerName: muster\n    pluginConfig: [{name: NodeResourcesFit, args: {any: [1]}}]' },
    want: []
  },
  'a key twice': { change: { 13: '    httpTimeout: 2s\n    httpTimeout: 3s' }, want: ['14:5 duplicate-key'] },
  'an alias is what it stands for': {
    change: {
      9: '  - urlPrefix: &url http://127.0.0.1:8888',
      10: '    nodeCacheCapable: &no false',
      14: '  - urlPrefix: *url'
    },
    want: ['10:27 node-names']
  }
}

for (const [name, { change, options, want }] of Object.entries(cases)) {
  t.test(name, async t => t.strictSame(found(text(change), options), want))
}

t.test('every rule has a case', async t => {
  const seen = Object.values(cases).flatMap(({ want }) => want.map(each => each.split(' ')[1]))
  t.strictSame(
    rules.map(({ name }) => name).filter(name => !seen.includes(name)),
    []
  )
})

t.test('every finding names problem, reason and fix', async t => {
  for (const { change, options } of Object.values(cases)) {
    for (const { problem, why, fix } of check(text(change), { ...expected, ...options })) {
      t.ok(problem && why && fix)
      t.notMatch(problem + fix, /undefined|\[object/)
    }
  }
})

t.test('several findings stand in the order of the text', async t => {
  const change = {
    1: 'apiVersion: v1',
    3: undefined,
    10: undefined,
    13: '    httpTimeout: 9s',
    15: '    bindVerb: bind\n    ignorable: true',
    16: undefined
  }
  const want = [
    '1:1 client-rate',
    '1:13 api-version',
    '8:5 node-names',
    '11:18 filter-timeout',
    '12:5 bind-timeout',
    '14:16 ignorable'
  ]
  t.strictSame(found(text(change)), want)
})

t.test('merged keys are read as kube-scheduler reads them', async t => {
  const before = text({ 14: undefined, 15: undefined, 16: undefined })
  const entry = 'urlPrefix: http://127.0.0.1:8888, bindVerb: bind, ignorable: true'
  const wants = {
    'what is merged counts': [`  - <<: {${entry}}\n    httpTimeout: 30s\n`, ['14:71 ignorable']],
    'and so does what a list merges': [`  - <<: [{httpTimeout: 30s}, {${entry}}]\n`, ['14:92 ignorable']],
    'it may not overrule what stands before': [
      `  - ignorable: false\n    httpTimeout: 30s\n    <<: {${entry}}\n`,
      ['16:60 duplicate-key', '16:71 ignorable']
    ],
    'nor be overruled': [`  - <<: {${entry}}\n    httpTimeout: 30s\n    ignorable: false\n`, ['16:5 duplicate-key']]
  } as const
  for (const [name, [yaml, want]] of Object.entries(wants)) t.strictSame(found(before + yaml), want, name)
})

t.test("other people's extenders are left alone", async t => {
  const other =
    '  - urlPrefix: http://gpu.example.com\n    filterVerb: filter\n    ignorable: true\n    enableHTTPS: true'
  t.strictSame(found(text({ 8: `extenders:\n${other}` })), [])
  t.strictSame(found(text({ 8: `extenders:\n${other}` }), { extender: 'http://127.0.0.1:8888/' }), [])
  const without = text({ 8: `extenders:\n${other}`, 11: undefined })
  t.strictSame(found(without, { extender: 'http://127.0.0.1:8888' }), ['13:5 filter-missing'])
})

t.test('what muster scheduler-config prints for replicas and gangs alone is clean', async t => {
  const config = loadConfig(['--lease=kube-system/muster-scheduler', '--scope=gangs', '--kubeconfig=/etc/k'], {})
  const printed = stringify(schedulerConfiguration(config, 'http://127.0.0.1:8888'))
  t.strictSame(found(printed, { lease: config.lease, scope: config.scope }), [])
})

t.test('what muster scheduler-config prints is clean', async t => {
  const args = [
    '--bind-timeout=1m30s',
    '--scheduler-name=batch',
    '--scheduler-name=default-scheduler=muster',
    '--kubeconfig=/etc/k'
  ]
  const config = loadConfig(args, {})
  const served = {
    bindTimeoutMs: config.bindTimeoutMs,
    schedulerNames: [...config.schedulerNames.keys()],
    namedSchedulers: ['batch']
  }
  const printed = stringify(schedulerConfiguration(config, 'http://127.0.0.1:8888'))
  t.strictSame(found(printed, served), [])
  t.strictSame(
    found(JSON.stringify(schedulerConfiguration(config, 'http://127.0.0.1:8888')), served),
    [],
    'as JSON too'
  )
})
