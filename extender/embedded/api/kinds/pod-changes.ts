import type { Problem } from '../errors.ts'
import { equal, type Fields, fields, list, without } from '../fields.ts'
import { podSpecProblems } from './pod-rules.ts'

const rule =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** What a changed pod spec may not do: nearly everything, and a little more as long as the pod is gated. */
export function podChangeProblems(next: Fields, current: Fields): readonly Problem[] {
  for (const kind of ['containers', 'initContainers'])
    if (list(next[kind]).length !== list(current[kind]).length)
      return [{ field: `spec.${kind}`, type: 'forbidden', detail: `pod updates may not add or remove ${kind}` }]
  const problems: Problem[] = [
    ...podSpecProblems(next, 'spec'),
    ...deadlineProblems(next, current),
    ...tolerationProblems(next, current),
    ...gateProblems(next, current)
  ]
  if (problems.length > 0) return problems
  return restProblems(next, current)
}

function deadlineProblems(next: Fields, current: Fields): readonly Problem[] {
  const [value, before] = [next['activeDeadlineSeconds'], current['activeDeadlineSeconds']]
  if (typeof before !== 'number' || (typeof value === 'number' && value <= before)) return []
  const detail =
    value === undefined
      ? 'must not update from a positive integer to nil value'
      : `must be less than or equal to previous value`
  return [{ field: 'spec.activeDeadlineSeconds', type: 'invalid', value: value ?? null, detail }]
}

const withoutSeconds = (toleration: Fields): Fields => without(toleration, 'tolerationSeconds')
const withoutImage = (container: Fields): Fields => without(container, 'image')

function tolerationProblems(next: Fields, current: Fields): readonly Problem[] {
  const now = list(next['tolerations']).map(withoutSeconds)
  const before = list(current['tolerations']).map(withoutSeconds)
  const kept = before.every(old => now.some(toleration => equal(toleration, old)))
  if (kept) return []
  const detail = 'existing toleration can not be modified except its tolerationSeconds'
  return [{ field: 'spec.tolerations', type: 'forbidden', detail }]
}

function gateProblems(next: Fields, current: Fields): readonly Problem[] {
  const had = new Set(list(current['schedulingGates']).map(gate => gate['name']))
  return list(next['schedulingGates']).flatMap(({ name }, index): readonly Problem[] => {
    if (had.has(name)) return []
    const detail = `only deletion is allowed, but found new scheduling gate '${String(name)}'`
    return [{ field: `spec.schedulingGates[${index}].name`, type: 'forbidden', detail }]
  })
}

/** Puts back what may change; what differs then may not. */
function restProblems(next: Fields, current: Fields): readonly Problem[] {
  const gated = list(current['schedulingGates']).length > 0
  const problems = gated ? gatedProblems(next, current) : []
  if (problems.length > 0) return problems
  const allowed = ['activeDeadlineSeconds', 'tolerations', 'schedulingGates']
  const open = gated ? [...allowed, 'nodeSelector', 'affinity'] : allowed
  const bare = (spec: Fields): Fields => ({
    ...without(spec, ...open),
    // Of a gated pod's affinity, only that to nodes may change.
    affinity: gated ? without(fields(spec['affinity']), 'nodeAffinity') : spec['affinity'],
    containers: list(spec['containers']).map(withoutImage),
    initContainers: list(spec['initContainers']).map(withoutImage)
  })
  const [after, before] = [bare(next), bare(current)]
  const changed = [...new Set([...Object.keys(after), ...Object.keys(before)])].filter(
    name => !equal(after[name], before[name])
  )
  if (changed.length === 0) return []
  return [{ field: 'spec', type: 'forbidden', detail: `${rule}\n(changed: ${changed.join(', ')})` }]
}

/** A gated pod's place may be narrowed, never widened. */
function gatedProblems(next: Fields, current: Fields): readonly Problem[] {
  const problems: Problem[] = []
  const selector = fields(next['nodeSelector'])
  const widened = Object.entries(fields(current['nodeSelector'])).some(([key, value]) => selector[key] !== value)
  if (widened) {
    const detail = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)'
    problems.push({ field: 'spec.nodeSelector', type: 'invalid', value: selector, detail })
  }
  const [after, before] = [fields(next['affinity']), fields(current['affinity'])]
  if (before['nodeAffinity'] !== undefined && !narrows(required(after), required(before)))
    problems.push({
      field: 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms',
      type: 'invalid',
      value: required(after),
      detail: 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'
    })
  return problems
}

const required = (affinity: Fields): readonly Fields[] =>
  list(fields(fields(affinity['nodeAffinity'])['requiredDuringSchedulingIgnoredDuringExecution'])['nodeSelectorTerms'])

/** The terms are alternatives, so none may come or go; each may only get more expressions. */
function narrows(terms: readonly Fields[], before: readonly Fields[]): boolean {
  if (before.length === 0) return true
  if (terms.length !== before.length) return false
  return before.every((old, index) =>
    ['matchExpressions', 'matchFields'].every(part => {
      const now = list(terms[index]?.[part])
      return list(old[part]).every((expression, place) => equal(now[place], expression))
    })
  )
}
