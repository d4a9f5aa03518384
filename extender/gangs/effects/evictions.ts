import { nameFor, nameOf, someFor } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock, Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { backoff } from '../../backoff.ts'
import { ownPriority, type Gang } from '../membership/gang.ts'
import type { Hold, Ledger } from '../ledger.ts'
import type { GangMetrics } from '../metrics.ts'
import type { EvictResult, Log, Recorder, Terminator } from '../ports.ts'
import type { Rights } from '../rights.ts'
import type { WriteQueue } from './write-queue.ts'

/** When an eviction of which no answer came is asked for again. */
const again = { first: 250, most: 10_000 }
/** A pod whose eviction was refused is nobody's victim for so long, doubling each time. */
const firstBarMs = 10_000
const maxBarMs = 300_000

/** `isSent`: the API server has been asked, and has not said no. */
type Track = { asked: boolean; isSent: boolean; failures: number; notBefore: number }

/** What became of a plan that evicts. */
type Account = {
  readonly counter: GangMetrics['preemptions']
  /** Uids of who has been evicted for it. */
  readonly evicted: Set<string>
  /** It was given up: whoever is evicted now went in vain. */
  inVain: boolean
}

type Asked = { readonly gang: string; readonly ending?: string | undefined; readonly account: Account | undefined }

type Refusal = Extract<EvictResult, { readonly outcome: 'refused' }>

/** For whom a pod is evicted, and whether that still holds when its turn has come. */
export type Purpose = {
  readonly gang: string
  /** The pod's own gang, where that is being ended: it is the one to look at again. */
  readonly ending?: string
  readonly isWanted: () => boolean
}

export type EvictionsParts = {
  readonly ledger: Ledger
  readonly terminator: Terminator
  readonly writes: WriteQueue
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly recorder: Recorder
  readonly metrics: GangMetrics
  readonly rights: Rights
  readonly withdraw: (gang: string, cause: string) => void
  readonly revisit: (gang: string) => void
  /** Who waits is worth another try. */
  readonly roomGrew: () => void
}

/**
 * Makes victims leave, each once: what the plans of the ledger wait for is compared with what was asked, as often as
 * somebody looks. An eviction that has not begun when its plan is given up does not happen.
 */
export class Evictions {
  readonly #parts: EvictionsParts
  /** Victim's uid → what was asked of the API server. */
  readonly #tracks = new Map<string, Track>()
  /** Uid → when it may be a victim again, and how often it was refused. */
  readonly #bars = new Map<string, { readonly until: number; readonly count: number }>()
  /** Gang → the account of its plan. */
  readonly #accounts = new Map<string, Account>()

  constructor(parts: EvictionsParts) {
    this.#parts = parts
  }

  /** Whether the API server refused the pod's eviction, or any in its namespace, a short while ago. */
  barred({ uid, namespace }: Pod): boolean {
    const { clock, rights } = this.#parts
    return (this.#bars.get(uid)?.until ?? 0) > clock.now() || rights.lack('evict', namespace) !== undefined
  }

  /** Whether the pod's eviction can no longer be called off. */
  isSent(uid: string): boolean {
    return this.#tracks.get(uid)?.isSent === true
  }

  /** Tells whose room it is to be, and that they have to go. */
  announce(gang: Gang, hold: Hold): void {
    const { log, recorder, metrics } = this.#parts
    const leavers = [...hold.leavers.values()].filter(({ evict }) => evict)
    if (leavers.length === 0) return
    const isMove = leavers.every(({ to }) => to !== undefined)
    const counter = isMove ? metrics.consolidations : metrics.preemptions
    counter.inc({ outcome: 'planned' })
    this.#accounts.set(gang.key, { counter, evicted: new Set(), inVain: false })
    const pods = leavers.map(({ pod }) => pod)
    const who = (namespace: string): string => `${nameFor(namespace, 'gang', gang)} of priority ${ownPriority(gang)}`
    const { told, does, done } = isMove ? moving : evicting
    log.info({ gang: gang.key, plan: hold.plan, victims: pods.map(nameOf) }, told)
    const note = `${who(gang.namespace)} ${does} ${someFor(gang.namespace, pods)}`
    for (const { pod } of gang.members)
      recorder.record({
        pod,
        type: 'Normal',
        reason: isMove ? 'Consolidating' : 'Preempting',
        action: 'Preempting',
        note
      })
    for (const { pod, to } of leavers) {
      const until = to === undefined ? '' : `; node ${to} has room for what takes its place, which is held`
      const why = `${done} for ${who(pod.namespace)}, which needs its room on node ${pod.nodeName ?? ''}${until}`
      recorder.record({ pod, type: 'Warning', reason: isMove ? 'Moved' : 'Preempted', action: 'Preempting', note: why })
    }
  }

  /** Starts whatever evictions of single pods the gang's plan needs now. */
  reconcile(key: string): void {
    const { ledger } = this.#parts
    for (const { pod, evict, whole } of ledger.hold(key)?.leavers.values() ?? []) {
      const isWanted = (): boolean => ledger.hold(key)?.leavers.has(pod.uid) === true
      if (evict && whole === undefined) this.evict(pod, { gang: key, isWanted })
    }
  }

  /** Evicts the pod, unless that was asked for already; an attempt that failed is made again when its time has come. */
  evict(pod: Pod, purpose: Purpose): void {
    const { clock, writes, terminator } = this.#parts
    const track = this.#tracks.get(pod.uid) ?? { asked: false, isSent: false, failures: 0, notBefore: 0 }
    this.#tracks.set(pod.uid, track)
    if (track.asked || clock.now() < track.notBefore || this.barred(pod)) return
    track.asked = true
    const account = this.#accounts.get(purpose.gang)
    writes.push(async () => {
      // The plan may have been given up while the eviction waited.
      track.isSent = purpose.isWanted()
      if (track.isSent) this.#settle(pod, { ...purpose, account }, await terminator.evict(pod).catch(failed))
      else this.#tracks.delete(pod.uid)
    })
  }

  /** The pod has left, whoever wanted it. */
  left(uid: string): void {
    this.#tracks.delete(uid)
    this.#bars.delete(uid)
  }

  /** The gang's quorum is on its nodes: nobody left in vain. */
  started(key: string): void {
    this.#accounts.get(key)?.counter.inc({ outcome: 'completed' })
    this.#accounts.delete(key)
  }

  /** The plan is given up: who has been evicted for it went in vain. */
  withdrawn(key: string): void {
    const account = this.#accounts.get(key)
    if (!account) return
    account.inVain = true
    this.#accounts.delete(key)
    account.counter.inc({ outcome: 'withdrawn' })
    this.#parts.metrics.wastedEvictions.inc(account.evicted.size)
  }

  #settle(pod: Pod, { gang, ending, account }: Asked, result: EvictResult): void {
    const { metrics, log } = this.#parts
    metrics.victims.inc({ outcome: result.outcome })
    if (result.outcome === 'done') {
      log.info({ pod: nameOf(pod), node: pod.nodeName, gang }, 'evicted a pod for a gang')
      account?.evicted.add(pod.uid)
      if (account?.inVain) metrics.wastedEvictions.inc()
    } else if (result.outcome === 'refused') this.#refused({ gang, ending }, pod, result)
    else if (result.outcome !== 'gone') {
      // A conflict is no word on whether the pod stays: as long as it does, it is asked for again.
      const { message, retryAfterMs = 0 } = result.outcome === 'failed' ? result : { message: 'a conflict' }
      log.warn({ gang, pod: nameOf(pod), reason: message }, 'an eviction failed; retrying')
      this.#retry(ending ?? gang, pod.uid, retryAfterMs)
    }
  }

  #refused(asked: Pick<Asked, 'gang' | 'ending'>, pod: Pod, { message, forbidden }: Refusal): void {
    this.#tracks.delete(pod.uid)
    if (!forbidden) return this.#bar(asked, pod, message)
    const { withdraw, revisit, rights } = this.#parts
    withdraw(asked.gang, rights.forbidden('evict', pod.namespace, message))
    if (asked.ending !== undefined) revisit(asked.ending)
  }

  /** A disruption budget: others have to go, if there are any. */
  #bar({ gang: key, ending }: Pick<Asked, 'gang' | 'ending'>, pod: Pod, message: string): void {
    const { clock, log, withdraw, revisit, roomGrew } = this.#parts
    const count = this.#bars.get(pod.uid)?.count ?? 0
    const barMs = Math.min(maxBarMs, firstBarMs * 2 ** count)
    this.#bars.set(pod.uid, { until: clock.now() + barMs, count: count + 1 })
    clock.after(barMs + 1, () => {
      roomGrew()
      if (ending !== undefined) revisit(ending)
    })
    log.warn({ gang: key, pod: nameOf(pod), reason: message }, 'an eviction was refused')
    withdraw(key, 'an eviction for it was refused')
  }

  #retry(key: string, uid: string, retryAfterMs: number): void {
    const { clock, random, revisit } = this.#parts
    const track = this.#tracks.get(uid)
    if (!track) return
    const wait = Math.max(retryAfterMs, backoff(again, track.failures, random))
    track.failures += 1
    track.asked = false
    track.isSent = false
    track.notBefore = clock.now() + wait
    clock.after(wait + 1, () => revisit(key))
  }
}

/** How it is said. */
const evicting = { told: 'evicts pods of lower priority', does: 'evicts', done: 'evicted' }
const moving = { told: 'moves pods that stand in its way', does: 'moves', done: 'moved' }

const failed = (error: unknown): EvictResult => ({ outcome: 'failed', message: reasonOf(error) })
