import { type FilterPlugin, success } from './framework.ts'

const tooManyPods = 'Too many pods'

/**
 * NodeResources lets a pod in where each amount that it asks for is still free; zero asks for nothing.
 * A request above what the whole node has can never fit, so no eviction helps (upstream `fitsRequest`, 1.36).
 */
export const nodeResources = {
  name: 'NodeResources',
  filter(shape, { node, used }) {
    let lacking: string | undefined
    for (const [name, amount] of shape.requests) {
      const allocatable = node.allocatable.get(name) ?? 0
      if (amount <= 0 || amount <= allocatable - (used.get(name) ?? 0)) continue
      if (amount > allocatable) return { code: 'UnschedulableAndUnresolvable', reason: reasonFor(name) }
      lacking ??= name
    }
    return lacking === undefined ? success : { code: 'Unschedulable', reason: reasonFor(lacking) }
  }
} satisfies FilterPlugin

const reasonFor = (name: string) => (name === 'pods' ? tooManyPods : `Insufficient ${name}`)
