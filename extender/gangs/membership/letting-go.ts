import { annotations, gangGate, managed } from '../../../policies/names.ts'
import { shownNode } from '../../../policies/pin.ts'
import type { Pod } from '../../../policies/types.ts'
import { gatedByMuster } from './dialects.ts'
import type { Profiles } from './profiles.ts'
import type { Settings } from './settings.ts'

/** How members are let go, who binds them, and what was asked for in vain. */
export type LettingGo = Pick<Settings, 'pin' | 'binder' | 'inactive'>

/** What the annotations ask for, as far as it can be had; the gang hears of all else. `waiting`: members without a node. */
export function lettingGo(asked: LettingGo, waiting: readonly Pod[], profiles: Profiles): LettingGo {
  const obstacle = asked.binder === 'muster' ? undefined : obstacleTo(asked, waiting, profiles)
  const binder = obstacle === undefined ? asked.binder : 'muster'
  // Where kube-scheduler asks about no others, nominations keep the room of whoever waits for the barrier.
  const pin = asked.pin && (profiles.asksAboutAll || binder === 'kube-scheduler')
  const inVain = [
    ...(obstacle === undefined ? [] : [`${annotations.binder} (${obstacle})`]),
    ...(pin === asked.pin ? [] : [`${annotations.pin} (with --scope gangs)`])
  ]
  return { pin, binder, inactive: [...asked.inactive, ...inVain] }
}

/** Why muster binds the members itself, all together. */
function obstacleTo({ pin }: LettingGo, waiting: readonly Pod[], profiles: Profiles): string | undefined {
  if (profiles.asksAboutAll)
    return 'muster binds its members, since kube-scheduler asks about all pods without --scope gangs'
  if (!pin) return `muster binds its members, since ${annotations.pin} is not true`
  const isMarked = waiting.some(pod => profiles.asksAbout(pod))
  return isMarked ? `muster binds its members, since they want ${managed.filter} and ${managed.bind}` : undefined
}

/** Which member kube-scheduler would bind alone, without asking, and before its gang is planned. */
export function unasked({ binder }: LettingGo, waiting: readonly Pod[], profiles: Profiles): string | undefined {
  const one = waiting.find(pod => !profiles.asksAbout(pod) && !(binder === 'kube-scheduler' && isLed(pod)))
  if (!one) return undefined
  if (binder === 'kube-scheduler')
    return `with ${annotations.binder}: kube-scheduler every member must be made with the gate ${gangGate}, and ${one.name} was not`
  const names = Object.values(managed).join(' and ')
  return `with --scope gangs every member must want ${names}, which the admission policy adds, and ${one.name} does not`
}

/** It waits for its plan behind the gate, or was sent to its node. */
const isLed = (pod: Pod): boolean => gatedByMuster(pod) || shownNode(pod) !== undefined
