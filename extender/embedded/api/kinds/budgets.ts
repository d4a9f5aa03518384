import { fields } from '../fields.ts'
import { withField } from '../metadata.ts'
import { labelSelectorProblems } from '../selector-rules.ts'
import type { Strategy } from '../strategy.ts'
import { choice, negativeProblems, partProblems } from './choices.ts'

const counts = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']

/** How PodDisruptionBudgets are completed and checked. */
export const disruptionBudgetStrategy: Partial<Strategy> = {
  create: object => withField(object, 'status', Object.fromEntries(counts.map(name => [name, 0]))),
  validate: (object, _current, { subresource }) => {
    if (subresource === 'status') return negativeProblems(fields(object['status']), 'status', counts)
    const spec = fields(object['spec'])
    const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec
    const detail = 'minAvailable and maxUnavailable cannot be both set'
    const both = minAvailable !== undefined && maxUnavailable !== undefined
    return [
      ...(both ? [{ field: 'spec', type: 'invalid', value: spec, detail } as const] : []),
      ...partProblems(minAvailable, 'spec.minAvailable'),
      ...partProblems(maxUnavailable, 'spec.maxUnavailable'),
      ...labelSelectorProblems(selector, 'spec.selector'),
      ...choice(policy, ['AlwaysAllow', 'IfHealthyBudget'], 'spec.unhealthyPodEvictionPolicy')
    ]
  }
}
