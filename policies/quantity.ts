/** Powers of ten and of two behind the suffixes of `apimachinery/pkg/api/resource/suffix.go`. */
const decimal = new Map([
  ['', 0],
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18]
])
const binary = new Map([
  ['Ki', 10n],
  ['Mi', 20n],
  ['Gi', 30n],
  ['Ti', 40n],
  ['Pi', 50n],
  ['Ei', 60n]
])

/** No quantity is larger than this many units, as the API documents; more is cut down to it. */
const mostUnits = 2n ** 63n - 1n
const nano = 10n ** 9n
/** The longest text that is read at all. */
const longest = 4096

const grammar = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[+-]?[0-9]*)$/

/**
 * A quantity in billionths, rounded up (away from zero) as upstream's `ParseQuantity` does; undefined where upstream
 * answers an error. Like upstream it takes `.`, `k` or `+` for zero. Unlike upstream it is bounded: more than 2^63-1
 * units count as 2^63-1, where upstream wraps around; a text of more than 4096 characters is invalid.
 */
export function parseQuantity(text: string): bigint | undefined {
  if (text.length === 0 || text.length > longest) return undefined
  const [, sign, whole = '', fraction = '', suffix = ''] = grammar.exec(text) ?? []
  if (sign === undefined) return undefined
  const scale = scaleOf(suffix)
  if (scale === undefined) return undefined
  const nanos = scaled(whole + fraction, scale.ten - fraction.length + 9, scale.two)
  return sign === '-' ? -nanos : nanos
}

type Scale = { readonly ten: number; readonly two: bigint }

function scaleOf(suffix: string): Scale | undefined {
  const ten = decimal.get(suffix)
  if (ten !== undefined) return { ten, two: 0n }
  const two = binary.get(suffix)
  if (two !== undefined) return { ten: 0, two }
  if (!/^[eE][+-]?[0-9]+$/.test(suffix)) return undefined
  const exponent = Number(suffix.slice(1))
  return Math.abs(exponent) < 2 ** 63 ? { ten: exponent, two: 0n } : undefined
}

/** digits × 10^ten × 2^two, rounded up and cut down to the largest quantity; the work does not depend on the exponent. */
function scaled(digits: string, ten: number, two: bigint): bigint {
  const significant = digits.replace(/^0+/, '')
  if (significant === '') return 0n
  // More digits than fit into the largest quantity, wherever the point is.
  if (significant.length + ten > 19 + 9) return mostUnits * nano
  if (ten >= 0) return least(BigInt(significant) * 10n ** BigInt(ten) * 2n ** two)
  // Too small to be seen, and yet asked for: the rest of the digits only decides that this is rounded up.
  if (significant.length + ten < -20) return 1n
  return least(dividedUp(BigInt(significant) * 2n ** two, 10n ** BigInt(-ten)))
}

const least = (nanos: bigint) => (nanos > mostUnits * nano ? mostUnits * nano : nanos)

/** Rounds away from zero. */
function dividedUp(value: bigint, by: bigint): bigint {
  const quotient = value / by
  if (value % by === 0n) return quotient
  return value < 0n ? quotient - 1n : quotient + 1n
}

/** Upstream's `MilliValue`: thousandths, rounded up. Exact up to 2^53. */
export const milliValue = (nanos: bigint): number => Number(dividedUp(nanos, 1_000_000n))

/** Upstream's `Value`: whole units, rounded up. Exact up to 2^53. */
export const value = (nanos: bigint): number => Number(dividedUp(nanos, nano))

/** An amount as `Resources` counts it: `cpu` in millicores, all else in units. Undefined for what is no quantity. */
export function amountOf(resource: string, quantity: unknown): number | undefined {
  const nanos = quantityOf(quantity)
  if (nanos === undefined) return undefined
  return resource === 'cpu' ? milliValue(nanos) : value(nanos)
}

/** The same amount as people write it: whole cores bare, parts of one with their suffix. */
export function textOfAmount(resource: string, amount: number): string {
  if (resource !== 'cpu') return String(amount)
  return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`
}

/** A quantity as JSON carries it: text, or a bare number. */
export function quantityOf(quantity: unknown): bigint | undefined {
  if (typeof quantity === 'number') return parseQuantity(String(quantity))
  return typeof quantity === 'string' ? parseQuantity(quantity) : undefined
}
