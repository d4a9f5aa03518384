import type { Problem } from '../errors.ts'
import { type Fields, fields } from '../fields.ts'
import { quantity } from '../quantity.ts'

/** Known, neither negative nor more than the limit; what cannot be shared is asked for as a limit, in whole numbers. */
export function resourceProblems(resources: Fields, path: string): readonly Problem[] {
  const [limits, requests] = [fields(resources['limits']), fields(resources['requests'])]
  const problems = Object.entries({ limits, requests }).flatMap(([part, values]) =>
    Object.entries(values).flatMap(([name, value]) => oneProblems(name, value, `${path}.${part}[${name}]`))
  )
  for (const [name, value] of Object.entries(requests))
    problems.push(...requestProblems(name, value, limits[name], path))
  return problems
}

function oneProblems(name: string, value: unknown, field: string): Problem[] {
  const amount = quantity(value)
  const unknown = standard.has(name) || name.includes('/') || name.startsWith('hugepages-') ? [] : unknownTexts
  const problems = unknown.map((detail): Problem => ({ field, type: 'invalid', value: name, detail }))
  const say = (detail: string): number => problems.push({ field, type: 'invalid', value: String(value), detail })
  if (amount < 0) say('must be greater than or equal to 0')
  if (isExtended(name) && !Number.isInteger(amount)) say('must be an integer')
  return problems
}

const standard = new Set(['cpu', 'memory', 'ephemeral-storage'])
const unknownTexts = [
  'must be a standard resource type or fully qualified',
  'must be a standard resource for containers'
]

function requestProblems(name: string, value: unknown, limit: unknown, path: string): readonly Problem[] {
  const whole = isExtended(name) || name.startsWith('hugepages-')
  if (typeof limit !== 'string') {
    const detail = 'Limit must be set for non overcommitable resources'
    return whole ? [{ field: `${path}.limits`, type: 'required', detail }] : []
  }
  if (quantity(value) > quantity(limit)) {
    const detail = `must be less than or equal to ${name} limit of ${limit}`
    return [{ field: `${path}.requests`, type: 'invalid', value: String(value), detail }]
  }
  if (!whole || quantity(value) === quantity(limit)) return []
  const detail = `must be equal to ${name} limit of ${limit}`
  return [{ field: `${path}.requests`, type: 'invalid', value: String(value), detail }]
}

const isExtended = (name: string): boolean => name.includes('/') && !/^([^/]*\.)?kubernetes\.io\//.test(name)
