import type { KubeScheduler } from './scheduler.ts'
import type { Muster } from './muster.ts'

/** One pod of the Deployment: a kube-scheduler, and the muster at its side; each may be down. */
export type Pair = {
  readonly name: string
  scheduler: KubeScheduler | undefined
  muster: Muster | undefined
  /** kube-scheduler's lease names it, or it still believes so. */
  leads: boolean
  /** Of its muster. */
  life: number
}
