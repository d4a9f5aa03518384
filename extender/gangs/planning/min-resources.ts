import { unsearched } from '../../../policies/explanation.ts'
import type { Explanation } from '../../../policies/plan.ts'
import { textOfAmount } from '../../../policies/quantity.ts'
import type { Snapshot } from '../../../policies/snapshot.ts'
import type { Gang } from '../membership/gang.ts'

/** What the gang asks for as a whole is more than the cluster could ever give: no need to search. Undefined where not. */
export function beyondCluster({ minResources }: Gang, need: number, { nodes }: Snapshot): Explanation | undefined {
  if (minResources === undefined) return undefined
  const total = new Map<string, number>()
  for (const { node } of nodes) {
    for (const [name, amount] of node.allocatable) total.set(name, (total.get(name) ?? 0) + amount)
  }
  const short = [...minResources].filter(([name, amount]) => amount > (total.get(name) ?? 0))
  if (short.length === 0) return undefined
  const said = short
    .map(([name, amount]) => `${textOfAmount(name, amount)} ${name} of ${textOfAmount(name, total.get(name) ?? 0)}`)
    .join(', ')
  const message = `the gang's min-resources are more than the whole cluster has: ${said}`
  return unsearched(need, message)
}
