import { globSync, readFileSync } from 'node:fs'
import { cruise, type IReporterOutput, type ICruiseResult } from 'dependency-cruiser'
import t from 'tap'
import { options, rules } from './import-rules.ts'

/** What buf writes is nobody's style. */
const generated = ['extender/sandboxes/proto/generated/**']
const sources = (pattern: string): ReadonlyMap<string, string> =>
  new Map(
    globSync(pattern, { exclude: generated })
      .toSorted()
      .map(path => [path, readFileSync(path, 'utf8')])
  )
const policies = sources('policies/**/*.ts')
const extender = sources('extender/**/*.ts')
const injected = new Map([
  ...policies,
  ...sources('extender/{gangs,kubernetes,verbs,sandboxes/idempotence,sandboxes/scheduler}/**/*.ts'),
  ...sources('extender/state.ts')
])

/** Which import rules are broken, as `rule: from -> to`; sees the modules it was given, or the test fails. */
async function broken(folders: readonly string[], baseDir: string): Promise<{ modules: number; violations: string[] }> {
  const { output }: IReporterOutput = await cruise([...folders], {
    ...options,
    baseDir,
    ruleSet: rules,
    validate: true
  })
  const { summary } = output as ICruiseResult
  const violations = summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
  return { modules: summary.totalCruised, violations: [...new Set(violations)].toSorted() }
}

t.test('S3.11 imports follow the rule of the house', async t => {
  const { modules, violations } = await broken(['extender', 'policies', 'grafana', 'test'], process.cwd())
  t.ok(modules >= policies.size + extender.size, `saw ${modules} modules`)
  t.strictSame(violations, [])
})

t.test('the import rule bites', async t => {
  const dir = t.testdir({
    policies: {
      'a.ts': "import '../extender/state.ts'",
      'b.ts': "import type { Stats } from 'node:fs'\nexport type S = Stats",
      'fine.ts': "export { c } from './deep/c.ts'",
      deep: { 'c.ts': 'export const c = 1' }
    },
    extender: {
      'main.ts': "import './app.ts'\nimport './kubernetes/reflector.ts'\nimport 'node:fs'",
      'app.ts': "import './verbs/filter.ts'\nimport './kubernetes/binder.ts'",
      'state.ts': "import '../policies/fine.ts'",
      'errors.ts': "import './gangs/ledger.ts'",
      'stray.ts': "import './state.ts'",
      verbs: {
        'metrics.ts': "import '../../grafana/metrics.ts'",
        'filter.ts':
          "import type { B } from '../kubernetes/binder.ts'\nimport './wire.ts'\nimport '../state.ts'\nexport type F = B",
        'wire.ts': "import './filter.ts'"
      },
      gangs: { 'ledger.ts': "import './gone.ts'\nimport '../../test/builders.ts'" },
      kubernetes: { 'binder.ts': "import 'node:http'\nexport type B = 1", 'reflector.ts': "import '../main.ts'" },
      cli: { 'muster.ts': "import '../main.ts'\nimport '../kubernetes/binder.ts'" },
      'sandbox.ts': "import './sandboxes/events/ring.ts'\nimport './gangs/ledger.ts'",
      sandboxes: {
        'server.ts': "import './proto/generated/sandbox_pb.js'\nimport './scheduler/claims.ts'",
        proto: { generated: { 'sandbox_pb.js': 'export const a = 1' } },
        scheduler: { 'claims.ts': "import '../refusals.ts'\nimport '../events/ring.ts'\nimport '../../state.ts'" },
        events: { 'ring.ts': 'export const b = 1' },
        'refusals.ts': 'export const c = 1'
      }
    },
    grafana: { 'metrics.ts': "import '../extender/state.ts'\nimport '../extender/verbs/metrics.ts'" },
    test: { 'builders.ts': "import '../extender/gangs/ledger.ts'\nimport '../policies/fine.ts'" }
  })
  const { violations } = await broken(['extender', 'policies', 'grafana', 'test'], dir)
  t.strictSame(violations, [
    'app-imports-what-answers-http: extender/app.ts -> extender/kubernetes/binder.ts',
    'cli-imports-main: extender/cli/muster.ts -> extender/kubernetes/binder.ts',
    'everything-resolves: extender/gangs/ledger.ts -> ./gone.ts',
    'folders-import-no-other-folder: extender/gangs/ledger.ts -> test/builders.ts',
    'folders-import-no-other-folder: extender/kubernetes/reflector.ts -> extender/main.ts',
    'folders-import-no-other-folder: extender/verbs/filter.ts -> extender/kubernetes/binder.ts',
    'folders-import-no-other-folder: extender/verbs/metrics.ts -> grafana/metrics.ts',
    'grafana-imports-metrics: grafana/metrics.ts -> extender/state.ts',
    'no-cycles: extender/gangs/ledger.ts -> test/builders.ts',
    'no-cycles: extender/kubernetes/reflector.ts -> extender/main.ts',
    'no-cycles: extender/verbs/filter.ts -> extender/verbs/wire.ts',
    'no-cycles: extender/verbs/metrics.ts -> grafana/metrics.ts',
    'nobody-imports-grafana: extender/verbs/metrics.ts -> grafana/metrics.ts',
    'nobody-imports-test: extender/gangs/ledger.ts -> test/builders.ts',
    'parts-of-the-sandboxes-import-no-other-part: extender/sandboxes/scheduler/claims.ts -> extender/sandboxes/events/ring.ts',
    'policies-import-policies: policies/a.ts -> extender/state.ts',
    'policies-import-policies: policies/b.ts -> fs',
    'sandbox-composes-the-sandbox-services: extender/sandbox.ts -> extender/gangs/ledger.ts',
    'shared-files-import-no-folder: extender/errors.ts -> extender/gangs/ledger.ts',
    'top-files-are-known: extender/stray.ts -> extender/state.ts',
    'what-sandboxes-share-imports-no-part: extender/sandboxes/server.ts -> extender/sandboxes/scheduler/claims.ts'
  ])
})

t.test('S3.11 S3.13 policies are pure', async t => {
  t.ok(policies.size > 0, `saw ${policies.size} files`)
  for (const [path, source] of policies) {
    const imports = [
      ...source.matchAll(/^(?:import|export)\b[^'"`]*\bfrom\s*['"]([^'"]+)/gm),
      ...source.matchAll(/\b(?:import|require)\s*\(?\s*['"`]([^'"`]+)/g)
    ].map(([, target]) => target!)
    t.strictSame(
      imports.filter(
        target => !/^\.\.?\//.test(target) || target.includes('../extender') || target.includes('../test')
      ),
      [],
      `${path} imports only policies`
    )
  }
})

t.test('clocks and dice are injected where a simulator will drive the code', async t => {
  t.ok(injected.size > 0, `saw ${injected.size} files`)
  for (const [path, source] of injected) {
    // oxlint forbids the globals; what it cannot see are the forms without an argument.
    t.notMatch(
      source,
      /\bnew Date\b(?!\(\s*[^\s)])|(?<!new )\bDate\(|Date\.now|Math\.random/,
      `${path} reads no clock and no dice`
    )
  }
})

/** The files of the shell in which that stands. */
const users = (what: RegExp): string[] => [...extender].filter(([, source]) => what.test(source)).map(([path]) => path)

t.test('S2.2 S3.6 one layer reaches the API server, and the official client library is in it', async t => {
  t.strictSame(users(/from '@kubernetes\/client-node'/), ['extender/kubernetes/credentials.ts'])
  t.strictSame(
    // What the sandboxes ask are each other, their sandboxes and receivers of webhooks.
    users(/from 'undici'/).filter(
      path => !/^extender\/(cli|embedded|sandboxes\/(?!scheduler)|sandbox-configuration)/.test(path)
    ),
    ['extender/kubernetes/transport.ts']
  )
})

t.test('every metric of ours starts with muster_', async t => {
  for (const [path, source] of extender) {
    const names = [...source.matchAll(/\bnew (?:Counter|Gauge|Histogram|Summary)\b[^{]*\{\s*name:\s*['"`]([^'"`]+)/g)]
    for (const [, name] of names) t.match(name, /^muster_[a-z_]+$/, `${path} declares ${name}`)
  }
})

t.test('no file is long enough to rot', async t => {
  const long = [...policies, ...extender]
    .map(([path, source]) => ({ path, lines: source.split('\n').length }))
    .filter(({ lines }) => lines > 250)
  t.strictSame(long, [], 'split what passes 250 lines')
})
