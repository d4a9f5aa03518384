import { backoff } from '../../backoff.ts'
import type { Clock, Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { type Claim, type Ended, podNameOf } from './claim.ts'
import type { Claims } from './claims.ts'
import type { Clearing } from './clearing.ts'
import { decide, type Decision, type View } from './decision.ts'
import type { Launcher } from './launcher.ts'
import type { SandboxMetrics } from './metrics.ts'
import { podFactsOf } from './pod-facts.ts'
import type { Log, Settings } from './ports.ts'
import type { Record } from './record.ts'

export type KeeperParts = {
  readonly claims: Claims
  readonly record: Record
  readonly launcher: Launcher
  readonly clearing: Clearing
  readonly metrics: SandboxMetrics
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: Settings
}

const again = { first: 500, most: 30_000 }

/** Looks at each sandbox whenever something about it changes, and when its time comes, and does what is due. */
export class Keeper {
  readonly #parts: KeeperParts
  readonly #busy = new Set<string>()
  readonly #again = new Set<string>()
  readonly #timers = new Map<string, () => void>()
  readonly #failures = new Map<string, number>()
  /** Uids of those that this process has ended. */
  readonly #mine = new Set<string>()
  #stopped = false
  #resync: () => void = () => {}

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  start(): void {
    const { clock, claims, settings } = this.#parts
    const turn = (): void => {
      for (const { id } of claims.all()) this.look(id)
      this.#resync = clock.after(settings.resyncMs, turn)
    }
    this.#resync = clock.after(settings.resyncMs, turn)
  }

  stop(): void {
    this.#stopped = true
    this.#resync()
    for (const cancel of this.#timers.values()) cancel()
  }

  /** Something about it may have changed. */
  look(id: string): void {
    if (this.#stopped) return
    if (this.#busy.has(id)) {
      this.#again.add(id)
      return
    }
    this.#timers.get(id)?.()
    this.#timers.delete(id)
    const claim = this.#parts.claims.get(id)
    if (claim === undefined) return void this.#failures.delete(id)
    const view = this.#view(claim)
    const decision = decide(view, this.#parts.settings)
    if (decision.what === 'wait') this.#lookAt(id, decision.until)
    else void this.#work(view, decision)
  }

  /** Ends it; the first end counts. Answers the claim as it is then; undefined where it is gone. */
  async end(claim: Claim, ended: Ended, still?: (claim: Claim) => boolean): Promise<Claim | undefined> {
    const after = await this.#parts.record.end(claim, ended, still)
    const won = after?.ended?.at === ended.at && after.ended.reason === ended.reason
    if (won && !this.#mine.has(after.uid)) {
      this.#mine.add(after.uid)
      this.tell(after, ended)
    }
    this.look(claim.id)
    return after
  }

  /** Counts an end, and says it in the log. */
  tell({ id, uid, projectId }: Claim, { reason, failure }: Ended): void {
    const { metrics, log } = this.#parts
    metrics.terminated.inc({ reason, code: failure?.code ?? '' })
    const why = failure === undefined ? {} : { code: failure.code, problem: failure.message }
    log.info({ sandbox: id, uid, project: projectId, reason, ...why }, 'a sandbox has ended')
  }

  #view(claim: Claim): View {
    const { claims, clock } = this.#parts
    const [pod, last, mine] = [claims.podOf(claim), claims.lastOf(claim), this.#mine.has(claim.uid)]
    const strays = claims.podsOf(claim).filter(({ uid, leaving }) => uid !== pod?.uid && !leaving)
    return { claim, pod, last, strays, mine, listed: claims.listed.pods, now: clock.wall() }
  }

  async #work(view: View, decision: Exclude<Decision, { what: 'wait' }>): Promise<void> {
    const { id } = view.claim
    this.#busy.add(id)
    let failed = false
    try {
      await this.#carryOut(view, decision)
      this.#failures.delete(id)
    } catch (error) {
      failed = true
      this.#parts.log.warn({ sandbox: id, reason: reasonOf(error) }, `could not ${decision.what} a sandbox; retrying`)
    }
    this.#busy.delete(id)
    if (failed) this.#later(id)
    else if (this.#again.delete(id) || decision.what !== 'finish') this.look(id)
  }

  async #carryOut(view: View, decision: Exclude<Decision, { what: 'wait' }>): Promise<void> {
    const { claim } = view
    switch (decision.what) {
      case 'launch':
        await this.#launch(claim)
        return
      case 'tidy':
        for (const stray of decision.strays) await this.#parts.clearing.removePod(stray)
        return
      case 'end':
        if (await this.#isThereAfterAll(view)) return
        await this.end(
          claim,
          decision.ended,
          current => decide({ ...this.#view(current) }, this.#parts.settings).what === 'end'
        )
        return
      case 'finish':
        if (await this.#parts.clearing.finish(claim)) this.#mine.delete(claim.uid)
    }
  }

  /** One that still has no pod afterwards is tried again after a while. */
  async #launch(claim: Claim): Promise<void> {
    const after = await this.#parts.launcher.resume(claim)
    if (after !== undefined && after.pod === undefined && after.ended === undefined)
      throw new Error(`there is no pod ${podNameOf(claim)} yet`)
  }

  /** A pod that we have not been told of yet is no pod that is gone. */
  async #isThereAfterAll({ claim, pod }: View): Promise<boolean> {
    const { record, claims } = this.#parts
    const { pod: recorded } = claim
    if (pod !== undefined || recorded === undefined) return false
    const { status, body } = await record.ask(kubernetes => kubernetes.get('pods', recorded.name))
    const facts = status === 200 ? podFactsOf(body) : undefined
    if (facts?.uid !== recorded.uid) return false
    claims.putPod(facts)
    return facts.failure === undefined
  }

  #later(id: string): void {
    const failures = this.#failures.get(id) ?? 0
    this.#failures.set(id, failures + 1)
    this.#lookAt(id, this.#parts.clock.wall() + backoff(again, failures, this.#parts.random))
  }

  #lookAt(id: string, until: number): void {
    const { clock } = this.#parts
    if (this.#stopped || !Number.isFinite(until)) return
    this.#timers.get(id)?.()
    const ms = Math.max(1, until - clock.wall())
    const cancel = clock.after(ms, () => this.look(id))
    this.#timers.set(id, cancel)
  }
}
