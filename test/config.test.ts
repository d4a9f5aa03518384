import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Config, loadConfig, optionHelp } from '../extender/config.ts'

type Env = Readonly<Record<string, string | undefined>>

/** The configuration of those flags, that environment and, where there is one, that file. */
function load(t: Test, { args = [], env = {}, file }: { args?: readonly string[]; env?: Env; file?: string }): Config {
  if (file === undefined) return loadConfig(args, env)
  const path = join(t.testdir({}), 'muster.yaml')
  writeFileSync(path, file)
  return loadConfig(['--config', path, ...args], env)
}

const defaults: Config = {
  kubeconfig: undefined,
  listen: { host: '127.0.0.1', port: 8888 },
  apiListen: { host: '127.0.0.1', port: 8889 },
  tls: undefined,
  schedulerNames: new Map([
    ['muster', 'muster'],
    ['custom-scheduler', 'custom-scheduler']
  ]),
  onePodPerNode: true,
  priorityCaps: new Map(),
  bindTimeoutMs: 30_000,
  gangSettleMs: 1_000,
  holdTtlMs: 60_000,
  repairTimeoutMs: 60_000,
  resyncMs: 30_000,
  drainTimeoutMs: 10_000,
  logMode: 'production',
  logLevel: 'info',
  traces: undefined,
  extender: undefined,
  extenderTls: { ca: undefined, identity: undefined }
}

const said: Record<string, { args?: string[]; env?: Env; file?: string; want: Partial<Config> }> = {
  'S2.3 nothing at all': { want: {} },
  'an environment of others': { env: { PATH: '/bin', KUBECONFIG: '/k', MUSTER_SERVER: 'http://x' }, want: {} },
  'a file of comments': { file: '# bind-timeout: 40s\n', want: {} },
  'S2.3 a flag over a variable over the file over the default': {
    args: ['--bind-timeout', '40s'],
    env: { MUSTER_BIND_TIMEOUT: '50s', MUSTER_HOLD_TTL: '2m' },
    file: 'bind-timeout: 60s\nhold-ttl: 3m\nresync: 1m30s\n',
    want: { bindTimeoutMs: 40_000, holdTtlMs: 120_000, resyncMs: 90_000 }
  },
  'a flag with its value behind an equals sign': {
    args: ['--listen=0.0.0.0:80'],
    want: { listen: { host: '0.0.0.0', port: 80 } }
  },
  'a flag twice: the last one': { args: ['--log-level', 'warn', '--log-level', 'debug'], want: { logLevel: 'debug' } },
  'S2.1 development: more is said, unless one says what': {
    env: { MUSTER_LOG_MODE: 'development' },
    want: { logMode: 'development', logLevel: 'debug' }
  },
  'S2.1 development with a level of its own': {
    args: ['--log-mode', 'development', '--log-level', 'warn'],
    want: { logMode: 'development', logLevel: 'warn' }
  },
  'any port': { args: ['--api-listen', 'localhost:0'], want: { apiListen: { host: 'localhost', port: 0 } } },
  'an IPv6 address': { args: ['--listen', '[::1]:8888'], want: { listen: { host: '::1', port: 8888 } } },
  'an IPv6 address with its zone': {
    args: ['--listen', '[fe80::1%eth0]:1'],
    want: { listen: { host: 'fe80::1%eth0', port: 1 } }
  },
  'an address in the file': { file: 'listen: "[::]:9000"\n', want: { listen: { host: '::', port: 9000 } } },
  'scheduler names, with and without profile': {
    args: ['--scheduler-name', 'batch', '--scheduler-name', 'render.example.com=custom-scheduler'],
    want: {
      schedulerNames: new Map([
        ...defaults.schedulerNames,
        ['batch', 'muster'],
        ['render.example.com', 'custom-scheduler']
      ])
    }
  },
  'scheduler names in one variable': {
    env: { MUSTER_SCHEDULER_NAME: 'a,b=custom-scheduler' },
    want: { schedulerNames: new Map([...defaults.schedulerNames, ['a', 'muster'], ['b', 'custom-scheduler']]) }
  },
  'scheduler names as a list in the file': {
    file: 'scheduler-name: [a, default-scheduler=muster]\n',
    want: { schedulerNames: new Map([...defaults.schedulerNames, ['a', 'muster'], ['default-scheduler', 'muster']]) }
  },
  'one scheduler name in the file': {
    file: 'scheduler-name: a\n',
    want: { schedulerNames: new Map([...defaults.schedulerNames, ['a', 'muster']]) }
  },
  'another profile for a name that has one': {
    args: ['--scheduler-name', 'muster=custom-scheduler'],
    want: { schedulerNames: new Map([...defaults.schedulerNames, ['muster', 'custom-scheduler']]) }
  },
  'what the kubelet sets beside Services named muster and muster-api': {
    env: {
      MUSTER_SERVICE_HOST: '10.0.0.1',
      MUSTER_SERVICE_PORT: '8888',
      MUSTER_SERVICE_PORT_HTTP_VERBS: '8888',
      MUSTER_PORT: 'tcp://10.0.0.1:8888',
      MUSTER_PORT_8888_TCP: 'tcp://10.0.0.1:8888',
      MUSTER_PORT_8888_TCP_PROTO: 'tcp',
      MUSTER_PORT_8888_TCP_PORT: '8888',
      MUSTER_PORT_8888_TCP_ADDR: '10.0.0.1',
      MUSTER_API_SERVICE_HOST: '10.0.0.2',
      MUSTER_API_PORT: 'tcp://10.0.0.2:8889'
    },
    want: {}
  },
  'an unset variable': { env: { MUSTER_LISTEN: undefined }, want: {} },
  'a certificate with its key': {
    args: ['--tls-cert', 'a.crt'],
    env: { MUSTER_TLS_KEY: 'a.key' },
    want: { tls: { cert: 'a.crt', key: 'a.key', clientCa: undefined, clientNames: [] } }
  },
  'whose clients may call, and which': {
    file: 'tls-cert: a\ntls-key: b\ntls-client-ca: c\ntls-client-name: [system:kube-scheduler, d]\n',
    want: { tls: { cert: 'a', key: 'b', clientCa: 'c', clientNames: ['system:kube-scheduler', 'd'] } }
  },
  'what kube-scheduler shows and trusts': {
    args: ['--ca', 'ca', '--client-cert', 'a', '--client-key', 'b'],
    want: { extenderTls: { ca: 'ca', identity: { cert: 'a', key: 'b' } } }
  },
  'where traces go, and how many': {
    args: ['--otlp-endpoint', 'http://collector:4318/', '--trace-ratio', '0.5'],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://other:4318' },
    want: { traces: { url: 'http://collector:4318/v1/traces', ratio: 0.5 } }
  },
  'where traces go, by the name that OpenTelemetry has for it': {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector:4318/base' },
    want: { traces: { url: 'https://collector:4318/base/v1/traces', ratio: 0.01 } }
  },
  'where traces alone go': {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces/x' },
    want: { traces: { url: 'http://traces/x', ratio: 0.01 } }
  },
  'an empty address for traces': { env: { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, want: {} },
  'no time to drain': { args: ['--drain-timeout', '0s'], want: { drainTimeoutMs: 0 } },
  'paths and a URL as they came': {
    args: ['--kubeconfig', '/a b'],
    env: { MUSTER_EXTENDER: 'http://127.0.0.1:8888' },
    want: { kubeconfig: '/a b', extender: 'http://127.0.0.1:8888' }
  }
}
for (const [name, { want, ...sources }] of Object.entries(said)) {
  t.test(`understands ${name}`, async t => {
    const config = load(t, sources)
    t.strictSame(config, { ...defaults, ...want })
    t.ok(Object.isFrozen(config))
  })
}

const refused: Record<string, { args?: string[]; env?: Env; file?: string; want: RegExp }> = {
  'an unknown flag': { args: ['--nonsense', '1'], want: /^Unknown option '--nonsense'; see --help$/ },
  'a flag without its value': { args: ['--listen'], want: /^Option '--listen <value>' argument missing; see --help$/ },
  'a flag with another flag for a value': {
    args: ['--listen', '--resync'],
    want: /^Option '--listen' argument is ambiguous/
  },
  'a word that belongs to no flag': { args: ['nonsense'], want: /^Unexpected argument 'nonsense'/ },
  'an unknown variable': {
    env: { MUSTER_NONSENSE: '1' },
    want: /^environment variable MUSTER_NONSENSE is none of muster's; known are MUSTER_KUBECONFIG, MUSTER_LISTEN, MUSTER_API_LISTEN, /
  },
  'a variable in small letters': { env: { MUSTER_listen: 'a:1' }, want: /^environment variable MUSTER_listen is none/ },
  'a port that is no link': { env: { MUSTER_PORT: '8888' }, want: /^environment variable MUSTER_PORT is none/ },
  'an unknown key': {
    file: 'nonsense: 1\n',
    want: /muster.yaml: key nonsense is none of muster's; known are kubeconfig, listen, /
  },
  'a key of every object': { file: '__proto__: 1\n', want: /muster.yaml: key __proto__ is none of muster's/ },
  'a file that names a file': { file: 'config: other.yaml\n', want: /muster.yaml: key config is none of muster's/ },
  'a key twice': {
    file: 'resync: 1s\nresync: 2s\n',
    want: /^cannot read the configuration file .*muster.yaml: Map keys must be unique/
  },
  'a file that is no YAML': { file: 'a: b: c', want: /^cannot read the configuration file .*muster.yaml: / },
  'a file of one word': { file: 'nonsense', want: /muster.yaml must hold keys and values$/ },
  'a file that is a list': { file: '- listen\n', want: /muster.yaml must hold keys and values$/ },
  'a file that is not there': {
    args: ['--config', '/nowhere'],
    want: /^cannot read the configuration file \/nowhere: ENOENT/
  },
  'a file from a variable that is not there': { env: { MUSTER_CONFIG: '/nowhere' }, want: /file \/nowhere: ENOENT/ },
  'a list where one value belongs': {
    file: 'listen: [a:1, b:2]\n',
    want: /key listen: \["a:1","b:2"\] must be a text$/
  },
  'an object for a value': { file: 'kubeconfig: {a: b}\n', want: /key kubeconfig: \{"a":"b"\} must be a text$/ },
  'nothing for a value': { file: 'kubeconfig:\n', want: /key kubeconfig: null must be a text$/ },
  'a flag of no duration': {
    args: ['--bind-timeout', 'soon'],
    want: /^flag --bind-timeout: soon must be a duration from 10s to 24h, such as 30s or 1m30s$/
  },
  'a variable without unit': {
    env: { MUSTER_HOLD_TTL: '60' },
    want: /^environment variable MUSTER_HOLD_TTL: 60 must be a duration from 1s/
  },
  'a key without unit': { file: 'resync: 30\n', want: /muster.yaml: key resync: 30 must be a duration from 1s/ },
  'too short a time for a barrier': {
    args: ['--bind-timeout', '9s'],
    want: /^flag --bind-timeout: 9s must be a duration from 10s/
  },
  'a time that no timer can count': {
    args: ['--resync', '600h'],
    want: /^flag --resync: 600h must be a duration from 1s to 24h/
  },
  'a negative time': { args: ['--gang-settle=-1s'], want: /^flag --gang-settle: -1s must be a duration from 0s/ },
  'an empty variable': {
    env: { MUSTER_LISTEN: '' },
    want: /^environment variable MUSTER_LISTEN: "" must be HOST:PORT, such as /
  },
  'an address without port': { args: ['--listen', 'localhost'], want: /^flag --listen: localhost must be HOST:PORT/ },
  'an address without host': { args: ['--listen', ':8888'], want: /^flag --listen: :8888 must be HOST:PORT/ },
  'an address with too large a port': {
    args: ['--listen', 'a:65536'],
    want: /^flag --listen: a:65536 must be HOST:PORT/
  },
  'an IPv6 address without brackets': {
    args: ['--listen', '::1'],
    want: /^flag --listen: ::1 must be HOST:PORT, such as 127.0.0.1:8888 or \[::1\]:8888$/
  },
  'brackets around nothing': { args: ['--listen', '[]:80'], want: /^flag --listen: \[\]:80 must be HOST:PORT/ },
  'a URL for an address': { file: 'api-listen: http://a:1\n', want: /key api-listen: http:\/\/a:1 must be HOST:PORT/ },
  'an unknown mode of logs': {
    args: ['--log-mode', 'pretty'],
    want: /^flag --log-mode: pretty must be one of production, development$/
  },
  'an unknown profile': {
    args: ['--scheduler-name', 'a=nonsense'],
    want: /^flag --scheduler-name: nonsense must be one of muster, custom-scheduler$/
  },
  'an empty profile': { args: ['--scheduler-name', 'a='], want: /^flag --scheduler-name: "" must be one of muster/ },
  'two profiles': {
    args: ['--scheduler-name', 'a=muster=muster'],
    want: /^flag --scheduler-name: "a=muster=muster" must be NAME or /
  },
  'a blank in a list of names': {
    env: { MUSTER_SCHEDULER_NAME: 'a, b' },
    want: /^environment variable MUSTER_SCHEDULER_NAME: " b" must be /
  },
  'a name in capitals': {
    file: 'scheduler-name: [a, Batch]\n',
    want: /key scheduler-name: "Batch" must be NAME or NAME=PROFILE/
  },
  'a certificate without its key': {
    env: { MUSTER_TLS_CERT: 'a' },
    want: /^environment variable MUSTER_TLS_CERT needs tls-key beside it$/
  },
  'a key without its certificate': {
    args: ['--client-key', 'a'],
    want: /^flag --client-key needs client-cert beside it$/
  },
  'a CA of clients without TLS': {
    args: ['--tls-client-ca', 'a'],
    want: /^flag --tls-client-ca needs tls-cert and tls-key beside it$/
  },
  'names of clients that nobody vouches for': {
    args: ['--tls-cert', 'a', '--tls-key', 'b', '--tls-client-name', 'c'],
    want: /^flag --tls-client-name needs tls-client-ca beside it$/
  },
  'more than all traces': {
    args: ['--trace-ratio', '1.5'],
    want: /^flag --trace-ratio: 1.5 must be a number from 0 to 1, such as 0.01$/
  },
  'a share that is no number': {
    env: { MUSTER_TRACE_RATIO: '1%' },
    want: /^environment variable MUSTER_TRACE_RATIO: 1% /
  },
  'an address for traces that is none': {
    args: ['--otlp-endpoint', 'collector:4318'],
    want: /^flag --otlp-endpoint: collector:4318 must be an HTTP address, such as http:\/\/127.0.0.1:4318$/
  },
  'an address for traces that is none, from OpenTelemetry': {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://a:4317' },
    want: /^OTEL_EXPORTER_OTLP_ENDPOINT: grpc:\/\/a:4317 must be/
  },
  'an unknown level': {
    args: ['--log-level', 'loud'],
    want: /^flag --log-level: loud must be one of trace, debug, info, /
  }
}
for (const [name, { want, ...sources }] of Object.entries(refused)) {
  t.test(`S2.11 refuses ${name}, and says which key, from where, and the rule`, async t => {
    t.throws(() => load(t, sources), { name: 'UsageError', message: want })
  })
}

t.test('a configuration file may be named like anything', async t => {
  const path = join(t.testdir({ 'environment.yaml': 'listen: nonsense\n' }), 'environment.yaml')
  const back = process.cwd()
  process.chdir(join(path, '..'))
  t.teardown(() => process.chdir(back))
  t.throws(() => loadConfig(['--config', 'environment.yaml'], {}), {
    message: /^environment.yaml: key listen: nonsense/
  })
})

t.test('S2.3 the help has a line for every key, with its default', async t => {
  const help = optionHelp()
  t.match(help, /^ {2}--bind-timeout DURATION +kube-scheduler's patience.* \(default 30s\)$/m)
  for (const name of [
    'kubeconfig',
    'listen',
    'api-listen',
    'scheduler-name',
    'gang-settle',
    'hold-ttl',
    'resync',
    'config'
  ])
    t.match(help, new RegExp(`^ {2}--${name} `, 'm'))
})
