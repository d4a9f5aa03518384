/** Who answers: nobody of ours, or muster about a pod that is in no gang, near no hold or near some, planned, or waiting. */
export const kinds = [
  'a fixed answer',
  'muster: no gang, nothing held',
  'muster: no gang, one node in ten held',
  'muster: planned',
  'muster: waiting'
] as const

export type WireKind = (typeof kinds)[number]
