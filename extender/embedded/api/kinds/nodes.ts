import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { type Fields, fields, isFields, list, text, texts } from '../fields.ts'
import { withField } from '../metadata.ts'
import { keyProblems, valueProblems } from '../names.ts'
import { quantity } from '../quantity.ts'
import type { Strategy } from '../strategy.ts'
import { choice } from './choices.ts'
import { withSpec } from './workloads.ts'

/** Nodes keep the status that they are created with, as a kubelet registers itself. */
export const nodeStrategy: Partial<Strategy> = {
  defaults: object => {
    const status = fields(object['status'])
    const { capacity, allocatable = capacity } = status
    const whole = { ...status, ...(isFields(allocatable) ? { allocatable } : {}) }
    return withField(withSpec(object, withRanges), 'status', whole)
  },
  validate: (object, current) => {
    const taints = list(fields(object['spec'])['taints'])
    return [
      ...taints.flatMap((taint, index) => taintProblems(taints, taint, `metadata.taints[${index}]`)),
      ...amountProblems(object),
      ...(current === undefined ? [] : changeProblems(fields(object['spec']), fields(current['spec'])))
    ]
  }
}

/** Of a range of pods and a list of them, one gives the other. */
function withRanges(spec: Fields): Fields {
  const podCIDR = text(spec['podCIDR'])
  const [first] = texts(spec['podCIDRs'])
  if (podCIDR !== undefined && podCIDR !== first) return { ...spec, podCIDRs: [podCIDR] }
  return first === undefined ? spec : { ...spec, podCIDR: first }
}

function taintProblems(taints: readonly Fields[], taint: Fields, path: string): readonly Problem[] {
  const { key, effect } = taint
  const problems: Problem[] = [
    ...keyProblems(`${path}.key`, text(key) ?? ''),
    ...valueProblems(`${path}.value`, text(taint['value']) ?? '')
  ]
  if (!effect) problems.push({ field: `${path}.effect`, type: 'required' })
  else problems.push(...choice(effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'], `${path}.effect`))
  const detail = 'taints must be unique by key and effect pair'
  if (taints.find(other => other['key'] === key && other['effect'] === effect) !== taint)
    problems.push({ field: path, type: 'duplicate', value: taint, detail })
  return problems
}

function amountProblems({ status }: KubeObject): readonly Problem[] {
  const detail = 'must be greater than or equal to 0'
  return ['capacity', 'allocatable'].flatMap(part =>
    Object.entries(fields(fields(status)[part])).flatMap(([name, value]) =>
      quantity(value) < 0 ? [{ field: `status.${part}.${name}`, type: 'invalid', value, detail } as const] : []
    )
  )
}

/** Who a node is does not change once it is known. */
function changeProblems(spec: Fields, before: Fields): readonly Problem[] {
  const known = { podCIDRs: 'podCIDR', providerID: 'providerID' }
  return Object.entries(known).flatMap(([name, said]) => {
    const detail = `node updates may not change ${said} except from "" to valid`
    const is = before[name] === undefined || JSON.stringify(before[name]) === JSON.stringify(spec[name])
    return is ? [] : [{ field: `spec.${name}`, type: 'forbidden', detail } as const]
  })
}
