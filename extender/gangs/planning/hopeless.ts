import { unsearched } from '../../../policies/explanation.ts'
import type { Explanation } from '../../../policies/plan.ts'
import type { Pod } from '../../../policies/types.ts'
import type { State } from '../../state.ts'
import { gatedByMuster } from '../membership/dialects.ts'
import type { Gang } from '../membership/gang.ts'
import { beyondPins } from './lost-pins.ts'
import { beyondCluster } from './min-resources.ts'
import type { Rights } from '../rights.ts'

/** Why no room would help: the gang asks for more than there is, its members could not be let go, or are pinned to gone nodes. Undefined where it would. */
export function hopeless(
  gang: Gang,
  { pods, need }: { readonly pods: readonly Pod[]; readonly need: number },
  { rights, state }: { readonly rights: Rights; readonly state: State }
): Explanation | undefined {
  const message = pods.some(gatedByMuster) ? rights.lack('ungate', gang.namespace) : undefined
  if (message === undefined) return beyondPins(pods, need, state) ?? beyondCluster(gang, need, state.snapshot())
  return unsearched(need, message)
}
