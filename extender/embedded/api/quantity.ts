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
  if (match === null) return Number.NaN
  const [, digits = '', suffix = ''] = match
  if (suffix === '') return Number(digits)
  return Number(digits) * (factors[suffix] ?? Number(`1${suffix}`))
}

const tens: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const pattern = /^([+-]?)(\d*)(?:\.(\d*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/
/** Three digits and a unit are as short as they can be. */
const short = /^[1-9]\d{0,2}([numkMGTPE]|[KMGTPE]i)?$/

/** A quantity as upstream hands it out: a whole number of the largest unit that allows it (`0.5` is `500m`). */
export function canonical(text: string): string {
  const match = short.test(text) ? null : pattern.exec(text)
  if (match === null) return text
  const [, sign, whole = '', fraction = '', unit = ''] = match
  const nanos = scaled(BigInt(whole + fraction) * factorOf(unit), exponentOf(unit) + 9 - fraction.length)
  return sign === '-' && nanos > 0n ? `-${written(nanos, unit)}` : written(nanos, unit)
}

const written = (nanos: bigint, unit: string): string =>
  (unit.endsWith('i') ? inBinary(nanos) : undefined) ?? inDecimal(nanos, /^[eE].+/.test(unit))

const factorOf = (unit: string): bigint => 1024n ** BigInt(Math.max(binary.indexOf(unit), 0))

const exponentOf = (unit: string): number => (binary.includes(unit) ? 0 : (tens[unit] ?? Number(unit.slice(1))))

/** Times a power of ten; what is finer than a billionth is rounded up. */
function scaled(digits: bigint, exponent: number): bigint {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent)
  const divisor = 10n ** BigInt(-exponent)
  return (digits + divisor - 1n) / divisor
}

function inDecimal(nanos: bigint, isExponent: boolean): string {
  if (nanos === 0n) return '0'
  let [number, place] = [nanos, 0]
  for (; number % 1000n === 0n && place < decimal.length - 1; place++) number /= 1000n
  const exponent = place * 3 - 9
  return isExponent ? `${number}${exponent === 0 ? '' : `e${exponent}`}` : `${number}${decimal[place]}`
}

/** Undefined where it is small, or no whole number of bytes: then decimals say it better. */
function inBinary(nanos: bigint): string | undefined {
  const billion = 1_000_000_000n
  if (nanos < 1024n * billion || nanos % billion !== 0n) return undefined
  let [number, place] = [nanos / billion, 0]
  for (; number % 1024n === 0n && place < binary.length - 1; place++) number /= 1024n
  return `${number}${binary[place]}`
}
