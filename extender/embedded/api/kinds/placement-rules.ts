import type { Problem } from '../errors.ts'
import { type Fields, fields, list, text } from '../fields.ts'
import { keyProblems, valueProblems } from '../names.ts'
import { labelSelectorProblems, requirementProblems } from '../selector-rules.ts'
import { choice } from './choices.ts'

/** What is wrong with what a pod spec says of where its pods may run. */
export function placementProblems(spec: Fields, path: string): readonly Problem[] {
  return [
    ...list(spec['tolerations']).flatMap((toleration, index) =>
      tolerationProblems(toleration, `${path}.tolerations[${index}]`)
    ),
    ...affinityProblems(fields(spec['affinity']), `${path}.affinity`),
    ...list(spec['topologySpreadConstraints']).flatMap((constraint, index, all) =>
      spreadProblems(constraint, `${path}.topologySpreadConstraints[${index}]`, all.slice(index + 1))
    ),
    ...gateProblems(spec, `${path}.schedulingGates`)
  ]
}

function gateProblems(spec: Fields, path: string): readonly Problem[] {
  const gates = list(spec['schedulingGates']).map(gate => text(gate['name']) ?? '')
  return gates.flatMap((name, index) => {
    const field = `${path}[${index}]`
    const problems = [...keyProblems(field, name)]
    if (gates.indexOf(name) < index) problems.push({ field, type: 'duplicate', value: name })
    return problems
  })
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

function tolerationProblems(toleration: Fields, path: string): readonly Problem[] {
  const [key, operator] = [text(toleration['key']), text(toleration['operator']) ?? '']
  const effect = text(toleration['effect'])
  const problems: Problem[] = key === undefined ? [] : [...keyProblems(`${path}.key`, key)]
  const say = (name: string, value: unknown, detail: string): number =>
    problems.push({ field: `${path}.${name}`, type: 'invalid', value, detail })
  if (key === undefined && operator !== 'Exists')
    say(
      'operator',
      operator,
      'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    )
  if (toleration['tolerationSeconds'] !== undefined && effect !== 'NoExecute')
    say('effect', effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set")
  return [
    ...problems,
    ...operatorProblems(operator || 'Equal', text(toleration['value']) ?? '', `${path}.operator`),
    ...choice(effect, effects, `${path}.effect`)
  ]
}

function operatorProblems(operator: unknown, value: string, field: string): readonly Problem[] {
  if (operator === 'Equal') return valueProblems(field, value)
  // Comparisons are known upstream, and turned off.
  if (operator === 'Gt' || operator === 'Lt') {
    const detail = 'supported values: "Equal", "Exists", "Lt", "Gt"'
    return [{ field, type: 'unsupported', value: operator, detail }]
  }
  if (operator !== 'Exists') return choice(operator, ['Equal', 'Exists'], field)
  const detail = "value must be empty when `operator` is 'Exists'"
  return value === '' ? [] : [{ field, type: 'invalid', value, detail }]
}

function affinityProblems(affinity: Fields, path: string): readonly Problem[] {
  return [
    ...nodeAffinityProblems(fields(affinity['nodeAffinity']), `${path}.nodeAffinity`),
    ...['podAffinity', 'podAntiAffinity'].flatMap(kind =>
      podAffinityProblems(fields(affinity[kind]), `${path}.${kind}`)
    )
  ]
}

const must = 'requiredDuringSchedulingIgnoredDuringExecution'
const may = 'preferredDuringSchedulingIgnoredDuringExecution'

function nodeAffinityProblems(affinity: Fields, path: string): readonly Problem[] {
  const terms = list(fields(affinity[must])['nodeSelectorTerms'])
  const field = `${path}.${must}.nodeSelectorTerms`
  const none: readonly Problem[] =
    affinity[must] === undefined || terms.length > 0
      ? []
      : [{ field, type: 'required', detail: 'must have at least one node selector term' }]
  return [
    ...none,
    ...terms.flatMap((term, index) => termProblems(term, `${field}[${index}]`)),
    ...list(affinity[may]).flatMap((preference, index) => [
      ...weightProblems(preference, `${path}.${may}[${index}]`),
      ...termProblems(fields(preference['preference']), `${path}.${may}[${index}].preference`)
    ])
  ]
}

const termProblems = (term: Fields, path: string): readonly Problem[] =>
  list(term['matchExpressions']).flatMap((requirement, index) =>
    requirementProblems(requirement, `${path}.matchExpressions[${index}]`, true)
  )

function weightProblems({ weight }: Fields, path: string): readonly Problem[] {
  if (Number(weight) >= 1 && Number(weight) <= 100) return []
  return [{ field: `${path}.weight`, type: 'invalid', value: weight ?? 0, detail: 'must be in the range 1-100' }]
}

function podAffinityProblems(affinity: Fields, path: string): readonly Problem[] {
  return [
    ...list(affinity[must]).flatMap((term, index) => podTermProblems(term, `${path}.${must}[${index}]`)),
    ...list(affinity[may]).flatMap((preference, index) => [
      ...weightProblems(preference, `${path}.${may}[${index}]`),
      ...podTermProblems(fields(preference['podAffinityTerm']), `${path}.${may}[${index}].podAffinityTerm`)
    ])
  ]
}

function podTermProblems(term: Fields, path: string): readonly Problem[] {
  const key = text(term['topologyKey']) ?? ''
  const field = `${path}.topologyKey`
  return [
    ...labelSelectorProblems(term['labelSelector'], `${path}.labelSelector`),
    ...labelSelectorProblems(term['namespaceSelector'], `${path}.namespaceSelector`),
    ...(key === '' ? [{ field, type: 'required', detail: 'can not be empty' } as const] : []),
    ...keyProblems(field, key)
  ]
}

function spreadProblems(constraint: Fields, path: string, later: readonly Fields[]): readonly Problem[] {
  const { maxSkew = 0, topologyKey, whenUnsatisfiable = '', minDomains } = constraint
  const problems: Problem[] = []
  const say = (name: string, value: unknown): number =>
    problems.push({ field: `${path}.${name}`, type: 'invalid', value, detail: 'must be greater than zero' })
  if (!(Number(maxSkew) > 0)) say('maxSkew', maxSkew)
  if (!topologyKey) problems.push({ field: `${path}.topologyKey`, type: 'required', detail: 'can not be empty' })
  problems.push(...choice(whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway'], `${path}.whenUnsatisfiable`))
  const same = later.some(
    other => other['topologyKey'] === topologyKey && other['whenUnsatisfiable'] === whenUnsatisfiable
  )
  const value = `{${String(topologyKey)}, ${String(whenUnsatisfiable)}}`
  if (same) problems.push({ field: `${path}.{topologyKey, whenUnsatisfiable}`, type: 'duplicate', value })
  if (minDomains !== undefined && !(Number(minDomains) > 0)) say('minDomains', minDomains)
  return [...problems, ...labelSelectorProblems(constraint['labelSelector'], `${path}.labelSelector`)]
}
