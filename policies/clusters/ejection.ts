import { type ClusterView, objection } from './cluster.ts'

/** How many failures in a row set a cluster aside. */
export const failuresInARow = 5
const baseMs = 30_000
const capMs = 300_000
/** Of all clusters, at most this part is set aside. */
const most = 0.5

/** How long a cluster stays aside, the n-th time. */
export function ejectionMs(times: number): number {
  return Math.min(capMs, baseMs * times)
}

/** Whether a cluster may be set aside: half of them at most, and never the last that could take something. */
export function mayEject(views: readonly ClusterView[], name: string): boolean {
  const counted = views.filter(({ cluster }) => cluster.state !== 'disabled')
  const ejected = counted.filter(({ condition }) => condition.ejected).length
  const others = counted.filter(view => view.cluster.name !== name && objection(view, new Map()) === undefined)
  return ejected + 1 <= counted.length * most && others.length > 0
}
