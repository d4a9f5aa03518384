const most = 2 ** 31 - 1
const least = -(2 ** 31)

/**
 * An integer as annotations write it: ASCII digits with at most a leading minus, nothing else; undefined for all other
 * text. Beyond 32 bits it is clamped, as larger numbers can only have been meant as "very".
 */
export function parseInteger(text: string): number | undefined {
  if (!/^-?[0-9]+$/.test(text)) return undefined
  // `+ 0` turns the -0 of "-0" into 0.
  return Math.min(Math.max(Number(text), least), most) + 0
}

const milliseconds = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000]
])

/** The longest duration that Go knows: 2^63-1 ns, some 292 years. */
const longestMs = (2 ** 63 - 1) / 1e6
const longestText = 100

/**
 * A Go duration (`time.ParseDuration`), `90s`, `1h30m`, `1.5h`, `300ms`, in milliseconds; undefined for all other
 * text and for what Go cannot hold. A sign is read as Go reads it: what forbids negative ones says so itself.
 */
export function parseDuration(text: string): number | undefined {
  if (text.length > longestText) return undefined
  const isNegative = text.startsWith('-')
  const rest = isNegative || text.startsWith('+') ? text.slice(1) : text
  const sum = rest === '0' ? 0 : sumOf(rest)
  if (sum === undefined || sum > longestMs) return undefined
  return isNegative ? 0 - sum : sum
}

function sumOf(text: string): number | undefined {
  if (!/^(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined
  let sum = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/([0-9.]+)([^0-9.]+)/g)) {
    sum += Number(amount) * (milliseconds.get(unit) ?? 0)
  }
  return sum
}

/** An RFC 3339 time, `2026-11-28T07:00:00Z`, in milliseconds since the epoch; undefined for all other text. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text)) return undefined
  const parsed = Date.parse(text.toUpperCase())
  return Number.isNaN(parsed) ? undefined : parsed
}
