import type { Json } from '../ports.ts'
import type { Way } from './pool-pod.ts'

/**
 * What pods rank that are made ahead of need. Whoever else needs their room takes it, a placeholder before a warm pod;
 * they themselves take nobody's.
 */
const values = { warm: -10, placeholder: -20 } as const

export const classOf = (way: Way): string => `muster-sandbox-${way}`

/** The PriorityClass of such pods. */
export const classBody = (way: Way): Json => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name: classOf(way) },
  value: values[way],
  preemptionPolicy: 'Never',
  description: `Pods that muster makes ahead of need (${way}); everybody else's work comes first.`
})
