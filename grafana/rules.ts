/** A value that rules compute ahead of need. */
export type Record = { readonly record: string; readonly expr: string }

/** One thing that must be so for an alert. */
export type Condition = { readonly expr: string; readonly is: '>' | '<' | '=='; readonly than: number }

/** `page`: somebody has to look now. `ticket`: in working hours. */
export type Severity = 'page' | 'ticket'

export type Alert = {
  readonly name: string
  readonly severity: Severity
  readonly summary: string
  /** All of them, for the same labels. */
  readonly when: readonly Condition[]
  /** For so long without a break. */
  readonly lasting?: string
  readonly labels?: Readonly<{ [name: string]: string }>
}

export type Group = { readonly name: string; readonly records: readonly Record[]; readonly alerts: readonly Alert[] }

/** Where the runbook of an alert stands in the repository. */
export function runbookOf({ name }: Pick<Alert, 'name'>): string {
  return `grafana/README.md#${name.toLowerCase()}`
}

/** The groups as a rule file of Prometheus. */
export function ruleFile(groups: readonly Group[]): object {
  return {
    groups: groups.map(({ name, records, alerts }) => ({ name, rules: [...records, ...alerts.map(ruleOf)] }))
  }
}

function ruleOf(alert: Alert): object {
  const { name, severity, summary, when, lasting, labels } = alert
  return {
    alert: name,
    expr: when.map(({ expr, is, than }) => `${expr} ${is} ${than}`).join(' and '),
    ...(lasting !== undefined && { for: lasting }),
    labels: { severity, ...labels },
    annotations: { summary, runbook: runbookOf(alert) }
  }
}
