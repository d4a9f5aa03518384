/** The middle of several rounds, and how far they lie apart. */
export type Spread = { readonly median: number; readonly least: number; readonly most: number }

/** Of at least one value. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) throw new Error('a spread needs at least one value')
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? least, sorted[sorted.length >> 1] ?? least]
  return { median: (low + high) / 2, least, most }
}

/** Round by round, one's figure over the other's in the same round: what came over both alike falls out. */
export function ratios(ones: readonly number[], others: readonly number[]): readonly number[] {
  const rounds = Math.min(ones.length, others.length)
  return Array.from({ length: rounds }, (_, round) => ones[round]! / others[round]!)
}

/** The value that the share `q` of them does not exceed. */
export function percentile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const value = sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)]
  if (value === undefined) throw new Error('a percentile needs at least one value')
  return value
}
