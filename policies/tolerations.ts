import type { Taint, Toleration } from './types.ts'

/** Whether any of the tolerations covers the taint. */
export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(toleration => covers(toleration, taint))
}

/**
 * An empty effect or key stands for any (upstream `ToleratesTaint`). The operators Lt and Gt match nothing:
 * their gate TaintTolerationComparisonOperators is off by default in 1.36.
 */
function covers({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect !== '' && effect !== taint.effect) return false
  if (key !== '' && key !== taint.key) return false
  return operator === 'Exists' || ((operator === '' || operator === 'Equal') && value === taint.value)
}
