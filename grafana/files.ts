import { stringify } from 'yaml'
import { groups } from './alerts.ts'
import { dashboards } from './dashboards.ts'
import { dashboardModel } from './model.ts'
import { ruleFile } from './rules.ts'

/** What `generated/` holds: the name of each file, and its text. */
export function files(): ReadonlyMap<string, string> {
  const models = dashboards.map(dashboard => [`${dashboard.uid}.json`, json(dashboardModel(dashboard))] as const)
  const rules = ruleFile(groups)
  const heading = '# Written by npm run dashboards; change grafana/*.ts.\n'
  return new Map([
    ...models,
    ['muster-rules.yaml', heading + stringify(rules, { lineWidth: 0, aliasDuplicateObjects: false })]
  ])
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
