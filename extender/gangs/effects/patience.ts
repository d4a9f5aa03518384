import { pinnedNode } from '../../../policies/pin.ts'
import { nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { placed, type Gang } from '../membership/gang.ts'
import { isDegraded } from '../membership/quorum.ts'
import type { Hold } from '../ledger.ts'
import type { EvictResult, Log, Recorder, Terminator, WriteResult } from '../ports.ts'
import type { WriteQueue } from './write-queue.ts'

const firstBackoffMs = 10_000
const maxBackoffMs = 300_000
/** An eviction or failure that did not go through (a disruption budget, say) is tried again after this. */
const retryMs = 5_000

type Entry = {
  /** How often the gang had its turn in vain. */
  requeues: number
  /** Wall clock of the last time that its timeout ended. */
  timedOutAt: number | undefined
  /** Monotonic: it is not planned before. */
  notBefore: number
  /** Monotonic: partly running since then. */
  partialSince: number | undefined
  /** Monotonic: it waits since then, as the age of its oldest member says, or since its last timeout. */
  waits: { readonly createdAt: number; readonly since: number } | undefined
}

export type PatienceParts = {
  readonly clock: Clock
  readonly log: Log
  readonly recorder: Recorder
  readonly terminator: Terminator
  readonly writes: WriteQueue
  /** How long a gang may be partly running before `on-partial: evict` ends it. */
  readonly repairMs: number
  readonly revisit: (gang: string) => void
}

/** What becomes of gangs that wait too long, and of those that stay broken: as their annotations say, else nothing. */
export class Patience {
  readonly #parts: PatienceParts
  readonly #entries = new Map<string, Entry>()
  /** Pod uid → when it may be ended again; while present, a write is under way or has just been made. */
  readonly #ending = new Map<string, number>()

  constructor(parts: PatienceParts) {
    this.#parts = parts
  }

  /** False while a gang that timed out stands back. */
  mayPlan(key: string): boolean {
    return this.#parts.clock.now() >= (this.#entries.get(key)?.notBefore ?? 0)
  }

  /** Wall-clock milliseconds of the gang's last timeout: it stands behind its equals from then on. */
  timedOutAt(key: string): number | undefined {
    return this.#entries.get(key)?.timedOutAt
  }

  forget(key: string): void {
    this.#entries.delete(key)
  }

  /** Looks whether the gang's time is up. */
  review(gang: Gang, hold: Hold | undefined): void {
    const entry = this.#entry(gang.key)
    this.#reviewPartial(gang, entry)
    if (placed(gang) === 0 && !hold) this.#reviewTimeout(gang, entry)
  }

  #reviewTimeout(gang: Gang, entry: Entry): void {
    const { clock, revisit } = this.#parts
    if (gang.gangTimeoutMs === undefined) return
    const left = this.#waitsSince(gang, entry) + gang.gangTimeoutMs - clock.now()
    if (left > 0) {
      clock.after(left + 1, () => revisit(gang.key))
      return
    }
    entry.timedOutAt = clock.wall()
    entry.waits = { createdAt: gang.createdAt, since: clock.now() }
    this.#timeOut(gang)
  }

  /** Monotonic: the wall clock is asked once for its age, so that no jump of it ends anybody. */
  #waitsSince({ createdAt }: Gang, entry: Entry): number {
    const { clock } = this.#parts
    if (entry.waits?.createdAt === createdAt) return entry.waits.since
    const since = Math.max(
      entry.waits?.since ?? Number.NEGATIVE_INFINITY,
      clock.now() - Math.max(0, clock.wall() - createdAt)
    )
    entry.waits = { createdAt, since }
    return since
  }

  #timeOut(gang: Gang): void {
    const seconds = (gang.gangTimeoutMs ?? 0) / 1000
    this.#parts.log.warn({ gang: gang.key, onTimeout: gang.onTimeout }, 'a gang did not start in its time')
    this.#tell(
      gang,
      'GangTimeout',
      `gang ${gang.name} did not start within ${seconds}s; on-timeout is ${gang.onTimeout}`
    )
    if (gang.onTimeout === 'fail') this.#failAll(gang)
    if (gang.onTimeout === 'requeue') this.standBack(gang.key)
  }

  /** The gang is not planned for a while, which doubles each time. */
  standBack(key: string): void {
    const { clock, revisit } = this.#parts
    const entry = this.#entry(key)
    const backoff = Math.min(maxBackoffMs, firstBackoffMs * 2 ** entry.requeues)
    entry.requeues += 1
    entry.notBefore = clock.now() + backoff
    clock.after(backoff + 1, () => revisit(key))
  }

  #failAll(gang: Gang): void {
    const message = `gang ${gang.name} did not start in its time`
    for (const { pod, state } of gang.members) {
      const waits = state === 'gated' || state === 'pending' || state === 'nominated'
      if (waits) this.#end(gang.key, pod, () => this.#parts.terminator.fail(pod, 'GangTimeout', message))
    }
  }

  #reviewPartial(gang: Gang, entry: Entry): void {
    const { clock, repairMs, revisit } = this.#parts
    if (!isDegraded(gang)) {
      entry.partialSince = undefined
      return
    }
    entry.partialSince ??= clock.now()
    if (gang.onPartial !== 'evict') return
    const left = entry.partialSince + repairMs - clock.now()
    if (left > 0) clock.after(left + 1, () => revisit(gang.key))
    else this.#evictAll(gang)
  }

  #evictAll(gang: Gang): void {
    const note = `gang ${gang.name} could not be completed again; on-partial is evict`
    for (const { pod, state } of gang.members) {
      // Who is pinned and stands nowhere would stand in the way of the next plan.
      const isStuck = (state === 'pending' || state === 'nominated') && pinnedNode(pod) !== undefined
      if (state !== 'bound' && state !== 'running' && !isStuck) continue
      this.#end(gang.key, pod, () => this.#parts.terminator.evict(pod))
    }
    this.#tell(gang, 'GangEvicted', note)
  }

  #end(gang: string, pod: Pod, write: () => Promise<EvictResult>): void {
    const { clock, writes, log, revisit } = this.#parts
    if (clock.now() < (this.#ending.get(pod.uid) ?? 0)) return
    this.#ending.set(pod.uid, Number.POSITIVE_INFINITY)
    writes.push(async () => {
      const result = await write().catch(failed)
      if (result.outcome === 'failed' || result.outcome === 'refused')
        log.warn({ pod: nameOf(pod), reason: result.message }, 'could not end a member; retrying')
      this.#ending.set(pod.uid, clock.now() + retryMs)
      clock.after(retryMs + 1, () => {
        this.#ending.delete(pod.uid)
        revisit(gang)
      })
    })
  }

  #tell(gang: Gang, reason: string, note: string): void {
    for (const { pod } of gang.members)
      this.#parts.recorder.record({ pod, type: 'Warning', reason, action: 'Scheduling', note })
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key)
    if (known) return known
    const entry = { requeues: 0, timedOutAt: undefined, notBefore: 0, partialSince: undefined, waits: undefined }
    this.#entries.set(key, entry)
    return entry
  }
}

const failed = (error: unknown): WriteResult => ({ outcome: 'failed', message: reasonOf(error) })
