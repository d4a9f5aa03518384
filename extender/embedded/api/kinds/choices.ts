import type { Problem } from '../errors.ts'

/** A problem where a value is none of those that there are. */
export function choice(value: unknown, known: readonly string[], field: string): readonly Problem[] {
  if (value === undefined || (typeof value === 'string' && known.includes(value))) return []
  return [{ field, type: 'unsupported', value, detail: supported(known) }]
}

/** Upstream sorts what it lists. */
const supported = (known: readonly string[]): string =>
  `supported values: ${known.map(value => JSON.stringify(value)).join(', ')}`

export const portRange = 'must be between 1 and 65535, inclusive'

export const isPort = (value: unknown): boolean => typeof value === 'number' && value >= 1 && value <= 65535

/** A problem for each of some numbers that is negative. */
export function negativeProblems(
  values: Readonly<Record<string, unknown>>,
  path: string,
  names: readonly string[]
): readonly Problem[] {
  const detail = 'must be greater than or equal to 0'
  return names.flatMap(name =>
    Number(values[name] ?? 0) < 0
      ? [{ field: `${path}.${name}`, type: 'invalid', value: values[name], detail } as const]
      : []
  )
}

/** A number, or a percentage of at most all, as `maxUnavailable` is. */
export function partProblems(value: unknown, field: string): readonly Problem[] {
  const problems = shareProblems(value, field)
  const percent = typeof value === 'string' ? /^([0-9]+)%$/.exec(value) : null
  if (percent === null || Number(percent[1]) <= 100) return problems
  return [...problems, { field, type: 'invalid', value, detail: 'must not be greater than 100%' }]
}

/** A number or a percentage, as `maxSurge` is. */
export function shareProblems(value: unknown, field: string): readonly Problem[] {
  if (typeof value === 'number')
    return value < 0 ? [{ field, type: 'invalid', value, detail: 'must be greater than or equal to 0' }] : []
  if (typeof value !== 'string') return []
  if (!/^[0-9]+%$/.test(value)) {
    const rule =
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
    return [{ field, type: 'invalid', value, detail: rule }]
  }
  return []
}
