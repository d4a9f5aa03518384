/** One cluster that sandboxes may go to, as its operator describes it. */
export type Cluster = {
  readonly name: string
  /** Its tier. **Lower is preferred**, as in SRV records and unlike the priority of pods. */
  readonly priority: number
  /** Its share of its tier; 0: only where nothing else of the tier can. */
  readonly weight: number
  readonly labels: ReadonlyMap<string, string>
  /** `draining` keeps what it has and gets nothing new; `disabled` counts as gone. */
  readonly state: 'active' | 'draining' | 'disabled'
  /** So many sandboxes at most; no bound where it is absent. */
  readonly capacity?: number
}

/** What is known about a cluster now. */
export type Condition = {
  /** Not healthy for so long; 0 where it is healthy. */
  readonly lostMs: number
  /** Set aside since calls failed in a row. */
  readonly ejected: boolean
  /** It said that it takes no more for the moment. */
  readonly saturated: boolean
  /** Healthy again, but not for long enough to be trusted with something new. */
  readonly returning: boolean
  /** Sandboxes there, where there is a bound to them. */
  readonly sandboxes: number
}

/** Nothing stands against it. */
export const fine: Condition = { lostMs: 0, ejected: false, saturated: false, returning: false, sandboxes: 0 }

export type ClusterView = { readonly cluster: Cluster; readonly condition: Condition }

/** Whether all the wanted labels are the cluster's. */
function matches({ labels }: Cluster, wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([name, value]) => labels.get(name) === value)
}

/** Why nothing new goes to a cluster; undefined for a candidate. */
export function objection(
  { cluster, condition }: ClusterView,
  wanted: ReadonlyMap<string, string>
): string | undefined {
  return decided(cluster, wanted) ?? suffered(cluster, condition)
}

/** What its operator and the request say. */
export function decided(cluster: Cluster, wanted: ReadonlyMap<string, string>): string | undefined {
  if (cluster.state !== 'active') return cluster.state
  return matches(cluster, wanted) ? undefined : 'lacks the labels that are asked for'
}

function suffered({ capacity = Infinity }: Cluster, condition: Condition): string | undefined {
  if (condition.lostMs > 0) return 'not healthy'
  if (condition.ejected) return 'set aside after failures in a row'
  if (condition.saturated) return 'saturated: it takes no more for the moment'
  if (condition.sandboxes >= capacity) return `full: ${condition.sandboxes} of ${capacity} sandboxes`
  return condition.returning ? returning : undefined
}

/** The one objection that gives way where nobody else is left. */
export const returning = 'healthy again, not yet for long enough'
