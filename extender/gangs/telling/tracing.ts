import { LRUCache } from 'lru-cache'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { State } from '../../state.ts'
import type { Gang } from '../membership/gang.ts'
import type { Ledger } from '../ledger.ts'
import type { PodRef, SpanName, TracedGang, Tracer, WorldPorts } from '../ports.ts'
import type { Roster } from '../membership/roster.ts'

/** Gangs remembered; one that is forgotten goes on in another trace. */
const most = 10_000

type Entry = {
  /** Of a member that was there first. */
  readonly uid: string
  /** When its first span began. */
  readonly since: number
  plan: string | undefined
  started: boolean
}

export type GangTracesParts = {
  readonly tracer: Tracer
  readonly clock: Clock
  readonly state: State
  readonly roster: Roster
  readonly ledger: Ledger
  readonly epoch: () => number
}

/** What happens to a gang and its members, told as one trace for each gang; exists only while somebody traces. */
export class GangTraces {
  readonly #parts: GangTracesParts
  readonly #entries = new LRUCache<string, Entry>({ max: most })

  constructor(parts: GangTracesParts) {
    this.#parts = parts
  }

  /** The trace of the pod's gang; undefined for a pod that is in none. */
  of(uid: string): TracedGang | undefined {
    const gang = this.#gangOf(uid)
    return gang && this.#traced(gang)
  }

  /** The gang was planned, or could not be. */
  planned(gang: Gang, from: number, outcome: string): void {
    this.#record('plan', gang, { from, outcome })
  }

  /** A member has waited for the rest of its quorum. */
  waited(pod: Pod, from: number, outcome: 'opened' | 'refused'): void {
    const gang = this.#gangOf(pod.uid)
    if (gang) this.#record('barrier.wait', gang, { from, outcome, pod })
  }

  /** The quorum is on its nodes: the span around all others, once. */
  started(gang: Gang): void {
    const entry = this.#entry(gang)
    if (entry.started) return
    entry.started = true
    this.#record('gang', gang, { from: entry.since, outcome: 'started' })
  }

  /** The same ports; each write for a gang is a span of its trace, an eviction one of whoever gets the room. */
  over({ binder, nominator, terminator, recorder }: WorldPorts): WorldPorts {
    const own = (pod: PodRef): Gang | undefined => this.#gangOf(pod.uid)
    return {
      recorder,
      binder: {
        bind: (binding, limits) =>
          this.#write('kubernetes.bind', binding, own(binding), () => binder.bind(binding, limits))
      },
      nominator: {
        nominate: (pod, node) => this.#write('kubernetes.nominate', pod, own(pod), () => nominator.nominate(pod, node)),
        ungate: (pod, gate) => this.#write('kubernetes.ungate', pod, own(pod), () => nominator.ungate(pod, gate)),
        pin: (pod, gate, node) => this.#write('kubernetes.pin', pod, own(pod), () => nominator.pin(pod, gate, node))
      },
      terminator: {
        evict: pod => this.#write('kubernetes.evict', pod, this.#evictorOf(pod.uid), () => terminator.evict(pod)),
        mark: (pod, key, value) => terminator.mark(pod, key, value),
        fail: (pod, reason, message) => terminator.fail(pod, reason, message)
      }
    }
  }

  async #write<R extends { readonly outcome: string }>(
    name: SpanName,
    pod: PodRef,
    gang: Gang | undefined,
    write: () => Promise<R>
  ): Promise<R> {
    const from = this.#parts.clock.now()
    const result = await write()
    if (gang) this.#record(name, gang, { from, outcome: result.outcome, pod })
    return result
  }

  #record(name: SpanName, gang: Gang, span: { from: number; outcome: string; pod?: PodRef }): void {
    this.#parts.tracer.gang({ name, gang: this.#traced(gang, span.from), ...span })
  }

  #gangOf(uid: string): Gang | undefined {
    const { state, roster } = this.#parts
    const pod = state.pod(uid)
    const key = pod && roster.keyOf(pod)
    return key === undefined ? undefined : roster.gang(key)
  }

  /** Whose plan waits for the pod to leave; else the pod's own gang, which is ended whole. */
  #evictorOf(uid: string): Gang | undefined {
    const [hold] = this.#parts.ledger.victimFor(uid)
    return (hold && this.#parts.roster.gang(hold.gang)) ?? this.#gangOf(uid)
  }

  #traced(gang: Gang, from?: number): TracedGang {
    const entry = this.#entry(gang, from)
    // A plan is over once its last member is bound; what is told of that still names it.
    entry.plan = this.#parts.ledger.hold(gang.key)?.plan ?? entry.plan
    return { id: gang.key, uid: entry.uid, epoch: this.#parts.epoch(), plan: entry.plan }
  }

  /** A gang of the same name that has no member of the former one is another gang. */
  #entry(gang: Gang, from = this.#parts.clock.now()): Entry {
    const known = this.#entries.get(gang.key)
    if (known && gang.members.some(({ pod }) => pod.uid === known.uid)) return known
    const uid = gang.members[0]?.pod.uid ?? gang.key
    const entry = { uid, since: from, plan: undefined, started: false }
    this.#entries.set(gang.key, entry)
    return entry
  }
}
