import { nodePorts } from '../../../policies/node-ports.ts'
import { nodeInfo } from '../../../policies/snapshot.ts'
import { outranks, type Rank } from '../../../policies/ranks.ts'
import { nameFor } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { State } from '../../state.ts'
import { cleared, shortOf, type Hold, type Ledger } from '../ledger.ts'
import type { Binder, BindResult, Log } from '../ports.ts'
import type { BindCall } from './commit.ts'

/** How long a binding whose reply was lost counts as done before the watch must have shown it. */
const unknownMs = 30_000
/** After so long kube-scheduler's own watch has shown it the bindings whose answers it never got. */
const doubtMs = 10_000

export type GuardParts = {
  readonly state: State
  readonly ledger: Ledger
  readonly binder: Binder
  readonly clock: Clock
  readonly log: Log
  readonly rankOf: (pod: Pod) => Rank
  /** Whether the room is held for that pod, which takes the place of one that was moved. */
  readonly isFor: (hold: Hold, pod: Pod) => boolean
  readonly withdraw: (gang: string, cause: string) => void
}

/** Keeps ordinary pods off the room that is held at their own rank or above, and binds them otherwise at once. */
export class Guard {
  readonly #parts: GuardParts
  /** Pod uid → its binding under way; a repeated call joins it. */
  readonly #running = new Map<string, { readonly node: string; readonly answer: Promise<string> }>()
  /** Uids of pods whose binding may have happened. */
  readonly #unknown = new Set<string>()
  /** Monotonic: until then kube-scheduler may count room as free that is taken. */
  #doubtUntil: number | undefined

  constructor(parts: GuardParts) {
    this.#parts = parts
  }

  /** True while nothing is held anywhere: every node is free to everybody. */
  get idle(): boolean {
    return this.#parts.ledger.size === 0
  }

  /** Whether the pod would eat room that is held against it on that node. */
  bars(pod: Pod, node: string): boolean {
    const holds = this.#parts.ledger.on(node).filter(hold => this.#bars(hold, pod))
    return holds.length > 0 && !this.#fits(pod, node, holds)
  }

  /** Whether the pod could go to that node once those pods are gone: else they would be evicted for nothing. */
  helps(pod: Pod, node: string, victims: readonly string[]): boolean {
    const info = this.#parts.state.node(node)
    if (!info) return true
    const gone = new Set(victims)
    const left = nodeInfo(
      info.node,
      info.pods.filter(other => !gone.has(other.uid))
    )
    const held = this.#parts.ledger.on(node).filter(hold => this.#bars(hold, pod))
    return held.length === 0 || shortOf(cleared(left, held), [pod, ...claimedOn(held, node)]) === undefined
  }

  /** kube-scheduler has gone without its answer: it believes the room free, whatever became of the binding. */
  doubt(): void {
    this.#doubtUntil = this.#parts.clock.now() + doubtMs
  }

  /** Binds an ordinary pod; the answer is the error text for kube-scheduler, empty when the pod is on its node. */
  bind(pod: Pod, call: BindCall): Promise<string> {
    const running = this.#running.get(pod.uid)
    if (running)
      return running.node === call.node ? running.answer : Promise.resolve('the pod is being bound elsewhere')
    const answer = this.#bind(pod, call).finally(() => this.#running.delete(pod.uid))
    this.#running.set(pod.uid, { node: call.node, answer })
    return answer
  }

  async #bind(pod: Pod, call: BindCall): Promise<string> {
    const { state, ledger, binder } = this.#parts
    // The filter answer named many nodes, and a gang may have been planned on this one since.
    if (this.bars(pod, call.node)) return 'the room on this node is held for a gang; the pod is scheduled again'
    // kube-scheduler forgets a binding whose reply it lost, and would give its room away a second time.
    if (this.#isInDoubt(call.node) && !this.#fits(pod, call.node, [])) {
      return 'the room on this node is taken by a binding under way; the pod is scheduled again'
    }
    for (const hold of ledger.on(call.node)) {
      if (!this.#parts.isFor(hold, pod) && !this.#bars(hold, pod) && !this.#fits(pod, call.node, [hold])) {
        const namespace = hold.claims.values().next().value?.pod.namespace ?? ''
        this.#parts.withdraw(hold.gang, `${nameFor(namespace, 'pod', pod)} of higher priority takes its room`)
      }
    }
    // From here on the room is taken, whatever becomes of the reply.
    state.assume(pod, call.node)
    const { namespace, name, uid } = pod
    const result = await binder.bind({ namespace, name, uid, node: call.node, annotations: {} }, call)
    return this.#settle(uid, result)
  }

  /** Else kube-scheduler knows best who fits; a life that has just begun cannot know which answers were lost before. */
  #isInDoubt(node: string): boolean {
    const now = this.#parts.clock.now()
    this.#doubtUntil ??= now + doubtMs
    return now < this.#doubtUntil || this.#parts.state.hasAssumed(node)
  }

  #settle(uid: string, result: BindResult): string {
    const { state, clock } = this.#parts
    if (result.outcome === 'bound') return ''
    if (result.outcome === 'unknown') {
      // The room stays taken until the watch or time tells, whatever a later attempt says.
      this.#unknown.add(uid)
      clock.after(unknownMs, () => {
        this.#unknown.delete(uid)
        if (state.pod(uid)?.nodeName === undefined) state.forget(uid)
      })
    } else if (!this.#unknown.has(uid)) state.forget(uid)
    return 'message' in result ? result.message : `the pod is ${result.outcome}`
  }

  /** A hold keeps out its own rank and below; once its gang has begun, everybody; but nobody whom it is for. */
  #bars(hold: Hold, pod: Pod): boolean {
    if (this.#parts.isFor(hold, pod)) return false
    return hold.firm || !outranks(this.#parts.rankOf(pod), hold.rank)
  }

  #fits(pod: Pod, node: string, holds: readonly Hold[]): boolean {
    const info = this.#parts.state.node(node)
    // A node that only the scheduler knows yet has no holds worth defending.
    if (!info) return true
    const others = info.pods.some(({ uid }) => uid === pod.uid)
      ? nodeInfo(
          info.node,
          info.pods.filter(({ uid }) => uid !== pod.uid)
        )
      : info
    const held = claimedOn(holds, node)
    const left = cleared(others, holds)
    const ports = nodePorts.filter(pod.shape, nodeInfo(info.node, held))
    return ports.code === 'Success' && shortOf(left, [pod, ...held]) === undefined
  }
}

function claimedOn(holds: readonly Hold[], node: string): Pod[] {
  return holds.flatMap(hold => [...hold.claims.values()].filter(claim => claim.node === node).map(claim => claim.pod))
}
