import type { Pod } from './types.ts'

/** What ends with a pod. */
export type Worth = {
  readonly priority: number
  /** Seconds of work that are lost. */
  readonly lostWork: number
}

/** Pods that may be ended to make room, and how: a single pod, or a gang as far as it stands on nodes. */
export type Body = {
  /** Unique: the gang's key, or the pod's uid. */
  readonly key: string
  /** All of its pods that stand on nodes. */
  readonly pods: readonly Pod[]
  /** Those that may go while the others stay, in the order in which they go; any prefix of it may go. */
  readonly surplus: readonly Pod[]
  /** Whether all may be ended together. */
  readonly whole: boolean
  /** By pod uid. */
  readonly worth: ReadonlyMap<string, Worth>
}

/** At most `allowed` of these pods may go (a PodDisruptionBudget). */
export type Budget = { readonly uids: ReadonlySet<string>; readonly allowed: number }
