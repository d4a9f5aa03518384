import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import { InvariantViolation, NotNow, reasonOf } from '../../errors.ts'
import { Calls } from './calls.ts'
import type { BindAsk, Gangs, Placement } from '../gangs.ts'
import { type Condition, Life, type Logic } from './life.ts'
import type { GangMetrics } from '../metrics.ts'
import type { Log, OnViolation, TracedGang } from '../ports.ts'
import type { GangReport, PodReport } from '../telling/report.ts'
import type { Tenure } from './tenure.ts'

/** After a surprise nothing is decided for so long: what is under way ends, and what caused it may pass. */
const delayMs = 10_000
/** Between the beginnings of two new lives. */
const cooldownMs = 30_000

/** Constant, as every text that kube-scheduler writes into conditions of pods. */
const notReady = 'muster has not seen the whole cluster yet'
const standby = 'muster is on standby: the lease does not name its host'
const begunAnew = 'muster met an unexpected error and begins anew; the pod is scheduled again'
const deposed = 'muster does not lead any more; the pod is scheduled again'

export type LivesParts = {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: GangMetrics
  readonly tenure: Tenure
  /** Everything that decides or remembers, made afresh for that life. */
  readonly build: (life: Life) => Logic
  /** Told that a life has read everything, how many seconds that took, and whether it leads or stands by. */
  readonly wasRead: (seconds: number, leads: boolean) => void
  /** A promise to ourselves was broken: nothing in this process can be trusted. */
  readonly onViolation: OnViolation
}

/**
 * The gangs, life after life. What nobody expected ends the life in which it happened: logic and caches are thrown
 * away, and after a while the next one reads everything again and takes over what the API shows, as after a restart.
 * The end of a term ends the life as well. One that has read and does not lead stands by: its picture stays up to date,
 * it decides and writes nothing, and it takes over at the moment when this muster leads.
 */
export class Lives {
  readonly reports: {
    gangs(): readonly GangReport[]
    gang(namespace: string, name: string): GangReport | undefined
    pod(namespace: string, name: string): PodReport | undefined
  }
  readonly #parts: LivesParts
  readonly #calls = new Calls()
  #life: Life
  #logic: Logic
  /** Monotonic: when the present life began to read, unless it is the first. */
  #begunAt: number | undefined
  #problem: string | undefined = 'not taken over yet'

  constructor(parts: LivesParts) {
    this.#parts = parts
    parts.tenure.onChange(() => this.#tenureChanged())
    this.#life = this.#newLife()
    this.#logic = parts.build(this.#life)
    this.reports = {
      gangs: () => this.#now().reports.gangs(),
      gang: (namespace, name) => this.#now().reports.gang(namespace, name),
      pod: (namespace, name) => this.#now().reports.pod(namespace, name)
    }
  }

  /** Why the verbs may not decide, for kube-scheduler; undefined where they may. */
  get refusal(): string | undefined {
    if (this.#problem !== undefined) return notReady
    return this.#life.leads ? undefined : standby
  }

  /** Why neither deciding nor standing by is possible. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** kube-scheduler calls one that stands by: a sign, though no proof, that its lease is ours since a moment ago. */
  async hurry(): Promise<void> {
    if (this.#problem === undefined && !this.#life.leads) await this.#parts.tenure.look()
  }

  /** What has to be read first, of whichever life it is. */
  checks(): readonly Condition[] {
    return this.#logic.checks.map(({ name }, index) => ({
      name,
      problem: () => this.#logic.checks[index]?.problem()
    }))
  }

  start(): void {
    void this.#live(this.#life, this.#logic)
  }

  placement(pod: Pod): Placement {
    return this.#ask(gangs => gangs.placement(pod))
  }

  refusedInTree(pod: Pod, node: string, offered: readonly string[]): void {
    this.#ask(gangs => gangs.refusedInTree(pod, node, offered))
  }

  offered(pod: Pod, names: () => readonly string[]): void {
    this.#ask(gangs => gangs.offered(pod, names))
  }

  allowedPreemptions(pod: Pod, candidates: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
    return this.#ask(gangs => gangs.allowedPreemptions(pod, candidates))
  }

  /** The trace of the pod's gang, where it is in one and somebody traces. */
  traceOf(uid: string): TracedGang | undefined {
    return this.#ask(gangs => gangs.traceOf(uid))
  }

  /** Whoever waits when the life ends hears so; a binding under way is waited for. */
  async bind(ask: BindAsk): Promise<string> {
    const life = this.#life
    try {
      const text = await this.#calls.answer(ask, each => this.#logic.gangs.bind(each))
      return text !== '' && life.isOver ? life.farewell : text
    } catch (error) {
      life.surprised(error)
      return begunAnew
    }
  }

  #ask<T>(question: (gangs: Gangs) => T): T {
    const life = this.#life
    try {
      return question(this.#logic.gangs)
    } catch (error) {
      life.surprised(error)
      throw error
    }
  }

  /** What is told to people; between two lives, and by one that stands by, there is nothing that could be relied on. */
  #now(): Gangs {
    if (this.#life.isOver) throw new NotNow(`muster is ${this.#problem}`)
    if (this.refusal === standby) throw new NotNow(`${standby}; ask the one that leads`)
    return this.#logic.gangs
  }

  #newLife(): Life {
    const { clock, tenure } = this.#parts
    return new Life({ clock, tenure, surprised: (error, life) => this.#surprised(error, life) })
  }

  async #live(life: Life, logic: Logic): Promise<void> {
    const { clock, metrics, wasRead } = this.#parts
    const from = clock.now()
    try {
      await logic.read()
      if (life.isOver) return
      this.#problem = undefined
      const seconds = (clock.now() - from) / 1000
      metrics.rebuildDuration.set(seconds)
      this.#tryToLead()
      if (!life.isOver) wasRead(seconds, life.leads)
    } catch (error) {
      life.surprised(error)
    }
  }

  #tryToLead(): void {
    const life = this.#life
    try {
      if (!life.takeOver()) return
      this.#logic.gangs.start()
      // Taking over may itself have been the surprise.
      if (!life.isOver) this.#parts.metrics.active.set(1)
    } catch (error) {
      life.surprised(error)
    }
  }

  /** Who reads, or is about to, asks by itself. */
  #tenureChanged(): void {
    const life = this.#life
    if (life.isOver || this.#problem !== undefined) return
    if (life.tookOver) {
      if (!life.leads) this.#stepDown()
      return
    }
    this.#tryToLead()
    if (life.leads) this.#parts.log.info({ epoch: life.epoch }, 'the lease names this host: muster leads')
  }

  /** What this life knows of its own doing is of no use to the next: others decide from now on. */
  #stepDown(): void {
    this.#parts.log.info({ epoch: this.#life.epoch }, 'muster does not lead any more; everything is read anew')
    this.#problem = 'reading everything anew since it does not lead any more'
    void this.#end(deposed).then(() => this.#nextLife())
  }

  #surprised(error: unknown, life: Life): void {
    const { clock, log, onViolation } = this.#parts
    if (life.isOver) {
      log.info({ reason: reasonOf(error) }, 'an error of the logic that was discarded')
      return
    }
    if (error instanceof InvariantViolation) {
      onViolation(error)
      return
    }
    const soonest = this.#begunAt === undefined ? 0 : this.#begunAt + cooldownMs
    const waitMs = Math.max(delayMs, soonest - clock.now())
    const seconds = Math.ceil(waitMs / 1000)
    log.error({ err: error, seconds }, `an unexpected error; everything is read anew in ${seconds} s`)
    this.#problem = `beginning anew after an unexpected error: ${reasonOf(error)}`
    const ended = this.#end(begunAnew)
    clock.after(waitMs, () => void this.#beginAnew(ended))
  }

  /** Who waits is refused at once, who is being bound hears how that ended, and nobody waits for a broken logic. */
  async #end(why: string): Promise<void> {
    const { clock, metrics } = this.#parts
    const life = this.#life
    life.end(why)
    metrics.active.set(0)
    metrics.collectFrom(undefined)
    const giveUp = this.#calls.hangUp()
    const stopped = this.#logic.stop()
    await life.settled()
    clock.after(0, () => giveUp(why))
    await stopped
  }

  async #beginAnew(ended: Promise<void>): Promise<void> {
    const { clock, log, metrics } = this.#parts
    await ended
    this.#begunAt = clock.now()
    metrics.reinitializations.inc()
    log.info({}, 'reading everything anew')
    await this.#nextLife()
  }

  /** Nothing of the old life is on its way when the new one begins to read. */
  async #nextLife(): Promise<void> {
    this.#life = this.#newLife()
    this.#logic = this.#parts.build(this.#life)
    await this.#live(this.#life, this.#logic)
  }
}
