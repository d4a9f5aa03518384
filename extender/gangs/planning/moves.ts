import type { Move } from '../../../policies/consolidation.ts'
import type { Rank } from '../../../policies/ranks.ts'
import type { NodeInfo } from '../../../policies/snapshot.ts'
import type { Claim, Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { State } from '../../state.ts'
import type { Hold, Ledger } from '../ledger.ts'

export type MovesParts = {
  readonly state: State
  readonly ledger: Ledger
  readonly clock: Clock
  readonly rankOf: (pod: Pod) => Rank
  /** Whether the pod's eviction can no longer be called off. */
  readonly isSent: (uid: string) => boolean
  readonly roomGrew: () => void
}

/** What a node has while some of the holds count. */
type RoomOn = (node: string, counts: (hold: Hold) => boolean) => NodeInfo | undefined

/** A controller that has made nothing in place of a pod so long after that has left wants none. */
const wantedMs = 10_000

type Entry = {
  /** The gang that it makes way for. */
  readonly gang: string
  readonly plan: string
  readonly pod: Pod
  /** Uids of the pods that its controller has already: none of them takes its place. */
  readonly siblings: ReadonlySet<string>
}

/**
 * Pods that are moved for a gang: room is held where each fits, against its own rank and below, for the pod that its
 * controller makes in its place, until that stands somewhere, the plan is called off in time, or time is up.
 */
export class Moves {
  readonly #parts: MovesParts
  /** By the key of the hold. */
  readonly #entries = new Map<string, Entry>()

  constructor(parts: MovesParts) {
    this.#parts = parts
  }

  /** Holds the room that the moves of that plan need, as long as the plan is held. Throws where there is none. */
  begin(plan: Hold, moves: readonly Move[], roomOn: RoomOn): void {
    const { ledger, clock, rankOf, roomGrew } = this.#parts
    for (const { pod, to } of moves) {
      const key = keyOf(pod)
      this.#entries.set(key, { gang: plan.gang, plan: plan.plan, pod, siblings: this.#siblingsOf(pod) })
      const claim: Claim = { node: to, pod: { ...pod, uid: key, nodeName: undefined } }
      ledger.reserve(
        {
          ...{ gang: key, plan: plan.plan, rank: rankOf(pod), firm: false, expiresAt: plan.expiresAt },
          ...{ claims: new Map([[key, claim]]), leavers: new Map() }
        },
        { node: name => roomOn(name, hold => hold.gang === plan.gang || this.#entries.has(hold.gang)) }
      )
      clock.after(plan.expiresAt - clock.now() + 1, () => {
        if (this.#entries.get(key)?.plan !== plan.plan) return
        this.#end(key)
        roomGrew()
      })
    }
  }

  /** Whether the room is held for that pod, which takes the place of a moved one. */
  isFor({ gang }: Hold, pod: Pod): boolean {
    const entry = this.#entries.get(gang)
    return entry !== undefined && replaces(pod, entry)
  }

  /** The pod stands on a node, or is given one in a moment: what it takes the place of needs no room any more. */
  settled(pod: Pod, node?: string): void {
    if (this.#entries.size === 0) return
    const keys = [...this.#entries].filter(([, entry]) => replaces(pod, entry)).map(([key]) => key)
    const there = keys.find(key => this.#parts.ledger.of(key)?.claim.node === node)
    const key = there ?? keys[0]
    if (key !== undefined) this.#end(key)
  }

  /** The moved pod has left: what takes its place comes soon, or never. */
  left({ uid, namespace }: Pod): void {
    const key = keyOf({ uid, namespace })
    const entry = this.#entries.get(key)
    if (!entry) return
    const { state, clock, roomGrew } = this.#parts
    clock.after(wantedMs, () => {
      if (this.#entries.get(key) !== entry || [...state.pods()].some(pod => replaces(pod, entry))) return
      this.#end(key)
      roomGrew()
    })
  }

  /** The gang's plan is given up: who has not been evicted for it stays. */
  calledOff(gang: string): void {
    for (const [key, entry] of this.#entries) if (entry.gang === gang && this.#stays(entry.pod)) this.#end(key)
  }

  #stays({ uid }: Pod): boolean {
    const { state, isSent } = this.#parts
    return state.pod(uid)?.terminating === false && !isSent(uid)
  }

  #end(key: string): void {
    this.#entries.delete(key)
    this.#parts.ledger.release(key)
  }

  #siblingsOf({ controller, namespace }: Pod): ReadonlySet<string> {
    const all = [...this.#parts.state.pods()].filter(pod => pod.namespace === namespace)
    return new Set(all.filter(pod => pod.controller?.uid === controller?.uid).map(pod => pod.uid))
  }
}

/** No gang's key: those have their dialect in the middle. */
const keyOf = ({ namespace, uid }: Pick<Pod, 'namespace' | 'uid'>): string => `${namespace}/moved/${uid}`

function replaces(pod: Pod, { pod: moved, siblings }: Entry): boolean {
  const { controller, namespace, uid } = pod
  return (
    controller !== undefined &&
    controller.uid === moved.controller?.uid &&
    namespace === moved.namespace &&
    !siblings.has(uid)
  )
}
