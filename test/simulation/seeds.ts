/** A seed that once showed a defect, and what that was. It says the same only while the world is drawn in the same way. */
export type Kept = { readonly seed: number; readonly why: string }

export const kept: readonly Kept[] = [
  {
    seed: 71,
    why: 'an eviction that was answered with a conflict was never asked for again, and its plan never began'
  },
  { seed: 492, why: 'a new life took over mere nominations and pins before the plan of a gang that had begun' },
  { seed: 610, why: 'a pod whose end the watch did not tell was written to again and again without a pause' },
  { seed: 740, why: 'the pod that bore the plan was gone, and the next binding did not bear it' },
  { seed: 249, why: 'the checker took the end of a gang that a former life had begun for an eviction without a right' }
]
