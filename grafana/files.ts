import { stringify } from 'yaml'
import { groups, sandboxGroups } from './alerts.ts'
import { dashboards, sandboxDashboards } from './dashboards.ts'
import { dashboardModel } from './model.ts'
import { type Group, ruleFile } from './rules.ts'

/** What `generated/` holds: the name of each file, and its text. */
export function files(): ReadonlyMap<string, string> {
  const all = [...dashboards, ...sandboxDashboards]
  const models = all.map(dashboard => [`${dashboard.uid}.json`, json(dashboardModel(dashboard))] as const)
  return new Map([...models, ['muster-rules.yaml', rules(groups)], ['muster-sandbox-rules.yaml', rules(sandboxGroups)]])
}

function rules(of: readonly Group[]): string {
  const heading = '# Written by npm run dashboards; change grafana/*.ts.\n'
  return heading + stringify(ruleFile(of), { lineWidth: 0, aliasDuplicateObjects: false })
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
