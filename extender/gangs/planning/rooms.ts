import { nodeInfo, type NodeInfo, type Snapshot } from '../../../policies/snapshot.ts'
import type { Claim, Pod } from '../../../policies/types.ts'
import type { State } from '../../state.ts'
import { placeable, type Gang } from '../membership/gang.ts'
import { cleared, type Hold, type Ledger } from '../ledger.ts'

/** Which holds of others count. */
export type Which = (hold: Hold) => boolean
export const all: Which = () => true

export type RoomsParts = {
  readonly state: State
  readonly ledger: Ledger
  /** The key of the pod's gang, if it has one. */
  readonly groupOf: (pod: Pod) => string | undefined
}

/** What room there is for a gang: the cluster with what is held for others. */
export class Rooms {
  readonly #parts: RoomsParts
  #seen: { readonly key: string; readonly room: Snapshot } | undefined

  constructor(parts: RoomsParts) {
    this.#parts = parts
  }

  /** As `#compute`; gangs without hold and nomination see the same room as the last such gang of their priority. */
  for(gang: Gang, which: Which): Snapshot {
    const { ledger } = this.#parts
    const own = ledger.hold(gang.key) !== undefined || placeable(gang).some(pod => pod.nominatedNodeName !== undefined)
    if (own || which !== all) return this.#compute(gang, which)
    const key = this.#keyFor(gang)
    if (this.#seen?.key !== key) this.#seen = { key, room: this.#compute(gang, which) }
    return this.#seen.room
  }

  /** As `for`; but a gang that has begun need not respect what others are only nominated for. */
  forBegun(gang: Gang): Snapshot {
    return this.#parts.state.snapshot().with(this.#parts.ledger.claims(hold => hold.gang !== gang.key))
  }

  /** Makes the next gang of this priority see the same room with what `reserve` has put there: nothing is counted anew. */
  adding(gang: Gang, claims: readonly Claim[], reserve: () => void): void {
    const seen = this.#seen
    const isSeen = seen?.key === this.#keyFor(gang)
    reserve()
    if (isSeen) this.#seen = { key: this.#keyFor(gang), room: seen.room.with(claims) }
  }

  /** What a hold of this gang must fit beside: pods and other holds. Nominations of others give no right to room. */
  beside(gang: Pick<Gang, 'key'>, which: Which): { readonly node: (name: string) => NodeInfo | undefined } {
    const { state, ledger } = this.#parts
    return {
      node: name => {
        const info = state.node(name)
        const others = ledger.on(name).filter(hold => hold.gang !== gang.key && which(hold))
        const held = others.flatMap(hold => [...hold.claims.values()].filter(claim => claim.node === name))
        // Their claims stand where those stood whom they wait for.
        return info && nodeInfo(info.node, [...cleared(info, others).pods, ...held.map(claim => claim.pod)])
      }
    }
  }

  #keyFor(gang: Gang): string {
    const { state, ledger } = this.#parts
    return `${state.version} ${ledger.version} ${gang.priority}`
  }

  /** The cluster with what is held for others, and what kube-scheduler itself keeps for its nominees. */
  #compute(gang: Gang, which: Which): Snapshot {
    const { state, ledger, groupOf } = this.#parts
    const claims = ledger.claims(hold => hold.gang !== gang.key && which(hold))
    for (const pod of state.nominated()) {
      const node = pod.nominatedNodeName
      if (node === undefined || pod.priority < gang.priority || groupOf(pod) === gang.key) continue
      // In-tree a nomination keeps the room until it is cleared; those that mirror the ledger are counted already.
      if (ledger.of(pod.uid)?.claim.node !== node) claims.push({ node, pod })
    }
    return state.snapshot().with(claims)
  }
}
