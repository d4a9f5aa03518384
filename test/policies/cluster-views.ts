import { type Cluster, type ClusterView, type Condition, fine } from '../../policies/clusters.ts'

/** An active, healthy cluster of priority 0 and weight 1, but for what a test says. */
export function view(name: string, cluster: Partial<Cluster> = {}, condition: Partial<Condition> = {}): ClusterView {
  return {
    cluster: { name, priority: 0, weight: 1, labels: new Map(), state: 'active', ...cluster },
    condition: { ...fine, ...condition }
  }
}
