const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60
}

/** A quantity as a number, which is enough to compare two; NaN where it is none. */
export function quantity(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return Number.NaN
  const match = /^([+-]?[\d.]+)(.*)$/.exec(value)
  const [, digits = '', suffix = ''] = match ?? []
  if (suffix === '') return Number(digits)
  return Number(digits) * (factors[suffix] ?? Number(`1${suffix}`))
}
