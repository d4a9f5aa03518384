import { commit as record, recordVersion } from '../../../policies/names.ts'
import { nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { State } from '../../state.ts'
import type { Barrier } from './barrier.ts'
import { placed, type Gang } from '../membership/gang.ts'
import { isWhole } from '../membership/quorum.ts'
import type { Hold, Ledger } from '../ledger.ts'
import type { Binder, BindResult, Log, OnViolation } from '../ports.ts'

/** What kube-scheduler asks at bind. */
export type BindCall = {
  readonly uid: string
  readonly node: string
  /** Monotonic milliseconds; no write of ours starts later. */
  readonly deadline: number
  /** Monotonic milliseconds; the member waits for its quorum no longer than this. */
  readonly barrierDeadline: number
  /** Aborted when kube-scheduler has hung up. */
  readonly signal: AbortSignal
}

export type CommitParts = {
  readonly state: State
  readonly ledger: Ledger
  readonly barrier: Barrier
  readonly binder: Binder
  readonly clock: Clock
  readonly log: Log
  readonly onViolation: OnViolation
  readonly gang: (key: string) => Gang | undefined
  /** False when the room of this hold was taken from outside; the plan is then already withdrawn. */
  readonly stillFits: (hold: Hold) => boolean
  /** Told when the quorum of a gang is on its nodes. */
  readonly started: (gang: Gang) => void
  /** Told when the API server does not bind a member. */
  readonly unbound: (pod: Pod, hold: Hold, message: string) => void
  readonly revisit: (gang: string) => void
  /** Absent while nobody traces. */
  readonly traces: { waited(pod: Pod, from: number, outcome: 'opened' | 'refused'): void } | undefined
}

type First = {
  readonly plan: string
  readonly bearerUid: string
  readonly bound: Promise<boolean>
  started: boolean
}

/** A binding whose reply was lost counts as possible for so long, unless the watch has shown it. */
const unknownMs = 30_000

const notPlanned = 'the pod is not planned on this node (any more); it will be planned again'

/**
 * The barrier's other half: binds the members of a gang once their quorum has arrived. The first binding carries the
 * whole plan and must be known to have succeeded before the others start, so that a restart finds either nothing or
 * everything it needs.
 */
export class Commit {
  readonly #parts: CommitParts
  /** Gang → the first binding of its plan; kept as long as the gang exists. */
  readonly #firsts = new Map<string, First>()
  /** Pod uid → its binding under way; a repeated call joins it. */
  readonly #running = new Map<string, { readonly node: string; readonly answer: Promise<string> }>()
  /** Uids of pods with a binding on its way to the API server. */
  readonly #writing = new Set<string>()
  /** Uids of pods whose binding may have happened, though nobody said so. */
  readonly #unknown = new Set<string>()

  constructor(parts: CommitParts) {
    this.#parts = parts
  }

  /** Whether kube-scheduler has sent the pod to be bound and waits for the answer. */
  has(uid: string): boolean {
    return this.#running.has(uid)
  }

  /** Binds a planned member; the answer is the error text for kube-scheduler, empty when the pod is on its node. */
  bind(pod: Pod, call: BindCall): Promise<string> {
    const running = this.#running.get(call.uid)
    if (running) return running.node === call.node ? running.answer : Promise.resolve(notPlanned)
    const answer = this.#bind(pod, call).finally(() => this.#running.delete(call.uid))
    this.#running.set(call.uid, { node: call.node, answer })
    return answer
  }

  async #bind(pod: Pod, call: BindCall): Promise<string> {
    // 1. Only what is planned, where it is planned.
    const held = this.#heldFor(call)
    if (!held) return notPlanned
    // 2. The quorum.
    const from = this.#parts.clock.now()
    const arrived = this.#arrive(held, call)
    this.check(held.gang)
    const verdict = await arrived
    this.#parts.traces?.waited(pod, from, verdict === undefined ? 'opened' : 'refused')
    if (verdict !== undefined) return verdict
    // 3. The first binding of the plan, then all others at once.
    return this.#commit(pod, call)
  }

  /** Opens the gang's barrier if its quorum has arrived: asked whenever a member arrives or the gang changes. */
  check(key: string): void {
    const { barrier, ledger } = this.#parts
    const hold = ledger.hold(key)
    const gang = this.#parts.gang(key)
    if (!hold || !gang) return
    const waiting = new Set([...barrier.waiting(key)].filter(uid => hold.claims.has(uid)))
    if (waiting.size === 0) return
    // Firm is enough once a member stands; before that it only says that a first binding may have happened.
    if (!(hold.firm && placed(gang) > 0) && !isWhole(gang, waiting)) return
    if (!this.#parts.stillFits(hold)) return
    ledger.setFirm(key, true)
    barrier.open(key)
  }

  /** Whether the gang stands, or may stand, with a member on a node: then it has begun. */
  hasBegun(gang: Gang): boolean {
    return placed(gang) > 0 || gang.members.some(({ pod: { uid } }) => this.#writing.has(uid) || this.#unknown.has(uid))
  }

  /** The gang's plan is given up, or the gang is gone: nobody may join its first binding. */
  forget(gang: string): void {
    this.#firsts.delete(gang)
  }

  #heldFor({ uid, node }: BindCall): Hold | undefined {
    const found = this.#parts.ledger.openFor(uid)
    return found?.claim.node === node ? found.hold : undefined
  }

  #arrive({ gang }: Hold, { uid, barrierDeadline: deadline, signal }: BindCall): Promise<string | undefined> {
    return this.#parts.barrier.arrive({ uid, gang, deadline, signal })
  }

  async #commit(pod: Pod, call: BindCall): Promise<string> {
    const hold = this.#heldFor(call)
    if (!hold?.firm) return notPlanned
    const first = this.#firstOf(hold)
    if (!first) return this.#bindFirst(pod, hold, call)
    if (!(await first.bound)) return "the gang's first binding failed; the gang will be planned again"
    const now = this.#heldFor(call)
    if (now?.plan !== hold.plan) return notPlanned
    return this.#settle(pod, now, await this.#write(now, call, {}))
  }

  /** None where the pod is gone that bore the record: the next binding has to bear it again. */
  #firstOf({ gang, plan }: Hold): First | undefined {
    const first = this.#firsts.get(gang)
    const isLost = first && !this.#writing.has(first.bearerUid) && !this.#parts.state.pod(first.bearerUid)
    return first?.plan === plan && !isLost ? first : undefined
  }

  async #bindFirst(pod: Pod, hold: Hold, call: BindCall): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const started = this.#firsts.get(hold.gang)?.started === true
    const first = { plan: hold.plan, bearerUid: pod.uid, bound: promise, started }
    this.#firsts.set(hold.gang, first)
    const result = await this.#write(hold, call, recordOf(hold))
    const bound = result.outcome === 'bound'
    const text = this.#settle(pod, hold, result)
    if (!bound && this.#firsts.get(hold.gang) === first) this.#firsts.delete(hold.gang)
    resolve(bound)
    return text
  }

  async #write(hold: Hold, call: BindCall, more: Readonly<Record<string, string>>): Promise<BindResult> {
    const pod = hold.claims.get(call.uid)?.pod
    if (!pod) return { outcome: 'late', message: notPlanned }
    const { namespace, name, uid } = pod
    const binding = { namespace, name, uid, node: call.node, annotations: { [record.plan]: hold.plan, ...more } }
    this.#writing.add(uid)
    try {
      const retrying = (why: string): void => this.#parts.unbound(pod, hold, why)
      return await this.#parts.binder.bind(binding, { deadline: call.deadline, signal: call.signal, retrying })
    } catch (error) {
      return { outcome: 'unknown', message: reasonOf(error) }
    } finally {
      this.#writing.delete(uid)
    }
  }

  /** Takes the outcome into state and ledger in one synchronous step. */
  #settle(pod: Pod, hold: Hold, result: BindResult): string {
    const { ledger, log } = this.#parts
    const on = { pod: nameOf(pod), gang: hold.gang, plan: hold.plan }
    switch (result.outcome) {
      case 'bound':
        this.#bound(pod, hold)
        log.info({ ...on, node: hold.claims.get(pod.uid)?.node }, 'bound a member')
        return ''
      case 'gone':
      case 'elsewhere':
        ledger.releaseMember(pod.uid)
        this.#unfirm(hold)
        log.warn({ ...on, ...result }, 'did not bind a member that is not there any more')
        return `the pod is ${result.outcome}`
      case 'unknown':
        // The hold stays firm: the room counts as taken until the watch, the next attempt or time tells.
        this.#unknown.add(pod.uid)
        this.#parts.clock.after(unknownMs, () => {
          this.#unknown.delete(pod.uid)
          this.#unfirm(hold)
        })
        this.#parts.unbound(pod, hold, result.message)
        log.warn({ ...on, ...result }, 'could not learn whether a member was bound')
        return result.message
      default:
        this.#unfirm(hold)
        if (result.outcome === 'refused') this.#parts.unbound(pod, hold, result.message)
        log.warn({ ...on, ...result }, 'did not bind a member')
        return result.message
    }
  }

  #bound(pod: Pod, hold: Hold): void {
    const { state, ledger, onViolation } = this.#parts
    const node = hold.claims.get(pod.uid)?.node
    try {
      ledger.releaseMember(pod.uid)
      if (node !== undefined) state.assume(pod, node)
    } catch (error) {
      onViolation(error)
    }
    const gang = this.#parts.gang(hold.gang)
    const first = this.#firsts.get(hold.gang)
    if (!gang || !first || first.started || !isWhole(gang)) return
    first.started = true
    this.#parts.started(gang)
  }

  /** A plan of which nothing is bound is only a plan again. */
  #unfirm({ gang: key }: Hold): void {
    const gang = this.#parts.gang(key)
    if (gang && this.hasBegun(gang)) return
    this.#parts.ledger.setFirm(key, false)
    this.#parts.revisit(key)
  }
}

/** The durable commit record: member name → node. `adoption.ts` reads it. */
function recordOf(hold: Hold): Readonly<Record<string, string>> {
  const members = Object.fromEntries([...hold.claims.values()].map(({ pod, node }) => [pod.name, node]))
  return { [record.planVersion]: String(recordVersion), [record.planMembers]: JSON.stringify(members) }
}
