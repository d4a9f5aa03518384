import type { Elector } from './elector.ts'
import type { KubeScheduler } from './scheduler.ts'
import type { Muster } from './muster.ts'

/** One pod of the Deployment: a kube-scheduler, and the muster at its side; each may be down. */
export type Pair = {
  readonly name: string
  scheduler: KubeScheduler | undefined
  muster: Muster | undefined
  /** Of its kube-scheduler, where there is a lease. */
  elector: Elector | undefined
  /** Its kube-scheduler has the lease, or still believes so. */
  leads: boolean
  /** By how much the wall clock of its machine is wrong, in milliseconds. */
  skew: number
  /** When the lease went from it to another; undefined while it has it, or nobody has. */
  deposedAt: number | undefined
  /** Of its muster. */
  life: number
}
