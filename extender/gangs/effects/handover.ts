import type { Pod } from '../../../policies/types.ts'
import type { Ledger } from '../ledger.ts'
import { type Gang, placeable } from '../membership/gang.ts'
import { isWhole } from '../membership/quorum.ts'

export type HandoverParts = {
  readonly ledger: Ledger
  /** Whether the pod's gate is being taken away, or was and that is not seen yet. */
  readonly isLettingGo: (pod: Pod) => boolean
  /** Told when the quorum of a gang is seen on its nodes. */
  readonly started: (gang: Gang) => void
}

/**
 * Gangs that kube-scheduler binds by itself. No barrier holds their members back, so such a gang has begun with the first
 * that is let go, and has started when its quorum is seen on its nodes.
 */
export class Handover {
  readonly #parts: HandoverParts
  /** Gangs that have begun and were not whole since. */
  readonly #underWay = new Set<string>()

  constructor(parts: HandoverParts) {
    this.#parts = parts
  }

  /** A member is let go now: from here on nobody of whatever rank may take the others' room. */
  begin(gang: Gang): void {
    if (gang.binder !== 'kube-scheduler') return
    this.#parts.ledger.setFirm(gang.key, true)
    if (!isWhole(gang)) this.#underWay.add(gang.key)
  }

  /** Whether members are on their way to their nodes; a life that finds them so goes on with it. */
  review(gang: Gang): boolean {
    const { isLettingGo, started } = this.#parts
    if (isWhole(gang) && this.#underWay.delete(gang.key)) started(gang)
    const isOnItsWay = (pod: Pod): boolean => pod.gates.length === 0 || isLettingGo(pod)
    const hasBegun = gang.binder === 'kube-scheduler' && placeable(gang).some(isOnItsWay)
    if (hasBegun) this.begin(gang)
    return hasBegun
  }

  forget(gang: string): void {
    this.#underWay.delete(gang)
  }
}
