import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { groups, sandboxGroups } from '../../grafana/alerts.ts'
import { burnName } from '../../grafana/burn-rates.ts'
import { causes } from '../../grafana/causes.ts'
import { firstScrape } from '../../grafana/metrics.ts'
import { type Alert, runbookOf } from '../../grafana/rules.ts'
import { sandboxCauses } from '../../grafana/sandbox-causes.ts'
import { slos } from '../../grafana/slos.ts'
import { burnCases, causeCases, traffic } from './alert-cases.ts'
import { missing, promtool } from './promtool.ts'
import { sandboxCases } from './sandbox-alert-cases.ts'

const skip = missing('promtool')
const rules = resolve('grafana/generated/muster-rules.yaml')
const sandboxRules = resolve('grafana/generated/muster-sandbox-rules.yaml')
const alerts = [...groups, ...sandboxGroups].flatMap(group => group.alerts)

const named = (list: readonly string[]) => [...new Set(list)].toSorted()

t.test('promtool finds nothing wrong with the metrics', { skip }, async t => {
  const { code, said } = promtool(['check', 'metrics'], await firstScrape())
  t.strictSame([code, said], [0, ''])
})

t.test('promtool finds nothing wrong with the rules', { skip }, async t => {
  const { code, said } = promtool(['check', 'rules', '--lint=all', '--lint-fatal', rules, sandboxRules])
  t.equal(code, 0, said)
})

t.test('every alert has a case in which it fires and one in which it does not', async t => {
  const cases = [...Object.values(causeCases), ...Object.values(sandboxCases)]
  const all = [causes, sandboxCauses]
    .flatMap(group => group.alerts)
    .map(({ name }) => name)
    .toSorted()
  t.strictSame(named(cases.filter(({ fires }) => fires).map(({ alert }) => alert)), all)
  t.strictSame(named(cases.filter(({ fires }) => !fires).map(({ alert }) => alert)), all)
  t.strictSame(Object.keys(traffic).toSorted(), slos.map(burnName).toSorted())
})

type RuleTest = {
  /** Between two evaluations of the rules; one at the end is enough where nothing has to last. */
  readonly every: number
  readonly series: Readonly<Record<string, string>>
  readonly minutes: number
  readonly alert: string
  readonly expected: readonly { readonly exp_labels: object; readonly exp_annotations: object }[]
}

/** What promtool says of a rule test; nothing where all is as expected. */
function verdict(t: Test, { every, series, minutes, alert, expected }: RuleTest): string {
  const file = join(t.testdir(), 'test.yaml')
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }))
  const at = { eval_time: `${minutes}m`, alertname: alert, exp_alerts: expected }
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [rules, sandboxRules],
      evaluation_interval: `${every}m`,
      tests: [{ interval: '1m', input_series: input, alert_rule_test: [at] }]
    })
  )
  const { code, said } = promtool(['test', 'rules', file])
  return code === 0 ? '' : said
}

const fired = (alert: Alert, labels: object) => ({
  exp_labels: { severity: alert.severity, ...alert.labels, ...labels },
  exp_annotations: { summary: alert.summary, runbook: runbookOf(alert) }
})

t.test('every cause fires its alert, and what is near by does not', { skip }, async t => {
  for (const [name, { alert, series, minutes, fires }] of Object.entries({ ...causeCases, ...sandboxCases })) {
    await t.test(`${alert}: ${name}`, async t => {
      const found = alerts.find(each => each.name === alert)!
      const job = alert === 'MusterAbsent' ? {} : { job: 'muster' }
      const expected = fires ? [fired(found, { ...job, ...fires })] : []
      t.equal(verdict(t, { every: 1, series, minutes, alert, expected }), '')
    })
  }
})

for (const slo of slos) {
  const alert = burnName(slo)
  t.test(
    `${alert} fires for the ranges in which too much of the budget is burnt, and for no other`,
    { skip },
    async t => {
      for (const [name, { phases, perMinute = 60_000, fires }] of Object.entries(burnCases)) {
        await t.test(name, async t => {
          const shares = phases.map(([minutes, times]) => [minutes, times * (1 - slo.objective)] as const)
          const series = traffic[alert]!(perMinute, shares)
          const minutes = phases.reduce((sum, [each]) => sum + each, 0)
          const expected = alerts
            .filter(each => each.name === alert && fires.includes(each.labels?.['long'] ?? ''))
            .map(each => fired(each, { job: 'muster' }))
          t.equal(verdict(t, { every: minutes, series, minutes, alert, expected }), '')
        })
      }
    }
  )
}
