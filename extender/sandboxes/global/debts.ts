import type { Logger } from 'pino'
import type { Clock } from '../../clock.ts'
import type { Clusters } from './clusters.ts'
import { isNotFound } from './failures.ts'
import type { Debt, Store } from './store.ts'
import type { Turns } from './turns.ts'

export type DebtsOptions = {
  readonly clusters: Clusters
  readonly store: Store
  readonly turns: Turns
  readonly clock: Clock
  readonly log: Pick<Logger, 'info' | 'warn'>
}

const everyMs = 2_000
const releaseMs = 5_000
/** A call that was given up may still be under way in its cluster for so long. */
const settlingMs = 60_000
const hopelessMs = 24 * 3_600_000
const atOnce = 8

/** So many are looked at in a round. */
const mostInRound = 500

/**
 * Compensating releases: what a call of unknown end may have left on a cluster is ended there, once the sandbox is on
 * another one. Before that it may be the only one: whoever asks again may get it, and by itself it ends in its time.
 */
export class Debts {
  readonly #options: DebtsOptions
  #count = 0
  /** Where the next round begins. */
  #next = 0
  #stop = (): void => {}
  #closed = false

  constructor(options: DebtsOptions) {
    this.#options = options
  }

  /** As last seen. */
  get count(): number {
    return this.#count
  }

  /** Pays again and again what was left by an earlier process, or comes up. */
  start(): void {
    if (this.#closed) return
    this.#stop = this.#options.clock.after(everyMs, () => void this.#round().finally(() => this.start()))
  }

  close(): void {
    this.#closed = true
    this.#stop()
  }

  async owe(target: { readonly cluster: string; readonly id: string; readonly tenant: string }): Promise<void> {
    const { store, clock, log } = this.#options
    log.warn(target, 'a call of unknown end may have left a sandbox there; it will be released')
    this.#count += 1
    await store.owe({ ...target, isReleased: false, settledAt: clock.wall() + settlingMs })
  }

  /** The sandbox is wanted there after all. */
  async forgive(cluster: string, id: string): Promise<void> {
    await this.#options.store.paid({ cluster, id })
  }

  async #round(): Promise<void> {
    const { store, turns, log } = this.#options
    try {
      const debts = await store.debts()
      this.#count = debts.length
      const due = debts.filter(debt => this.#isDue(debt))
      this.#next = this.#next >= due.length ? 0 : this.#next
      const payable = due.slice(this.#next, this.#next + mostInRound)
      this.#next += mostInRound
      for (let at = 0; at < payable.length; at += atOnce)
        await Promise.all(payable.slice(at, at + atOnce).map(debt => turns.run(debt.id, () => this.#pay(debt))))
      this.#count = (await store.debts()).length
    } catch (error) {
      log.warn({ err: error }, 'failed to release what calls of unknown end may have left')
    }
  }

  #isDue(debt: Debt): boolean {
    if (this.#isHopeless(debt)) return true
    const { clusters, clock } = this.#options
    const { cluster, isReleased, settledAt } = debt
    if (isReleased && clock.wall() < settledAt) return false
    return clusters.cluster(cluster)?.state !== 'disabled' && clusters.isHealthy(cluster)
  }

  /** Of a cluster that is configured no longer, or older than sandboxes get. */
  #isHopeless({ cluster, settledAt }: Debt): boolean {
    const { clusters, clock } = this.#options
    return !clusters.cluster(cluster) || clock.wall() > settledAt + hopelessMs
  }

  async #pay(debt: Debt): Promise<void> {
    const { store } = this.#options
    const place = await store.get(debt.id)
    if (place?.cluster === debt.cluster || this.#isHopeless(debt)) await store.paid(debt)
    else if (place?.state === 'placed') await this.#release(debt)
  }

  async #release(debt: Debt): Promise<void> {
    const { store, clusters, clock, log } = this.#options
    const { cluster, id, tenant } = debt
    const outcome = await clusters.call(cluster, { timeoutMs: releaseMs, headers: new Headers() }, (client, options) =>
      client.releaseSandbox({ id, tenant }, options)
    )
    if (!outcome.ok && !isNotFound(outcome.failure)) return
    if (outcome.ok) log.info({ cluster, id }, 'released what a call of unknown end may have left')
    if (clock.wall() >= debt.settledAt) await store.paid(debt)
    // Once more when the call can no longer be under way: it may come after the release.
    else if (outcome.ok) await store.owe({ ...debt, isReleased: true })
  }
}
