import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'
import { InvariantViolation, NotNow, reasonOf } from '../errors.ts'
import type { BindAsk, Gangs, Placement } from './gangs.ts'
import { Life } from './life.ts'
import type { GangMetrics } from './metrics.ts'
import type { Log, OnViolation, TracedGang } from './ports.ts'
import type { GangReport, PodReport } from './report.ts'

/** After a surprise nothing is decided for so long: what is under way ends, and what caused it may pass. */
const delayMs = 10_000
/** Between the beginnings of two new lives. */
const cooldownMs = 30_000

const begunAnew = 'muster met an unexpected error and begins anew; the pod is scheduled again'

/** A bind call under way: hung up on, it is refused where it still can be; given up, it is answered in any case. */
type Call = { readonly hangUp: AbortController; readonly giveUp: () => void }

/** One condition of readiness. */
export type Condition = { readonly name: string; readonly problem: () => string | undefined }

/** The logic of one life and the picture that it decides on. */
export type Logic = {
  readonly gangs: Gangs
  /** The same names in every life. */
  readonly checks: readonly Condition[]
  /** Lists everything and keeps it up to date; resolves once it is listed. */
  read(): Promise<void>
  /** Nobody is told of changes any more; resolves once nothing of it runs. */
  stop(): Promise<void>
}

export type LivesParts = {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: GangMetrics
  /** Everything that decides or remembers, made afresh for that life. */
  readonly build: (life: Life) => Logic
  /** Told that a life has taken over, and how many seconds it took to read. */
  readonly tookOver: (seconds: number) => void
  /** A promise to ourselves was broken: nothing in this process can be trusted. */
  readonly onViolation: OnViolation
}

/**
 * The gangs, life after life. What nobody expected ends the life in which it happened: logic and caches are thrown
 * away, and after a while the next one reads everything again and takes over what the API shows, as after a restart.
 */
export class Lives {
  readonly reports: {
    gangs(): readonly GangReport[]
    gang(namespace: string, name: string): GangReport | undefined
    pod(namespace: string, name: string): PodReport | undefined
  }
  readonly #parts: LivesParts
  /** Bind calls that have no answer yet. */
  readonly #calls = new Set<Call>()
  #life: Life
  #logic: Logic
  /** Monotonic: when the present life began to read, unless it is the first. */
  #begunAt: number | undefined
  #problem: string | undefined = 'not taken over yet'

  constructor(parts: LivesParts) {
    this.#parts = parts
    this.#life = this.#newLife()
    this.#logic = parts.build(this.#life)
    this.reports = {
      gangs: () => this.#now().reports.gangs(),
      gang: (namespace, name) => this.#now().reports.gang(namespace, name),
      pod: (namespace, name) => this.#now().reports.pod(namespace, name)
    }
  }

  /** Whether the verbs may decide. */
  get ready(): boolean {
    return this.#problem === undefined
  }

  /** Why they may not. */
  get problem(): string | undefined {
    return this.#problem
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
    const hangUp = new AbortController()
    const unanswered = Promise.withResolvers<string>()
    const call = { hangUp, giveUp: () => unanswered.resolve(begunAnew) }
    const onAbort = (): void => hangUp.abort()
    ask.signal.addEventListener('abort', onAbort, { once: true })
    if (ask.signal.aborted) onAbort()
    this.#calls.add(call)
    try {
      const answer = this.#logic.gangs.bind({ ...ask, signal: hangUp.signal })
      const text = await Promise.race([answer, unanswered.promise])
      return text !== '' && life.isOver ? begunAnew : text
    } catch (error) {
      life.surprised(error)
      return begunAnew
    } finally {
      this.#calls.delete(call)
      ask.signal.removeEventListener('abort', onAbort)
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

  /** What is told to people; between two lives there is nothing that could be relied on. */
  #now(): Gangs {
    if (this.#life.isOver) throw new NotNow(`muster is ${this.#problem}`)
    return this.#logic.gangs
  }

  #newLife(): Life {
    return new Life({ clock: this.#parts.clock, surprised: (error, life) => this.#surprised(error, life) })
  }

  async #live(life: Life, logic: Logic): Promise<void> {
    const { clock, metrics, tookOver } = this.#parts
    const from = clock.now()
    try {
      await logic.read()
      if (life.isOver) return
      logic.gangs.start()
      // Taking over may itself have been the surprise.
      if (life.isOver) return
      this.#problem = undefined
      const seconds = (clock.now() - from) / 1000
      metrics.rebuildDuration.set(seconds)
      metrics.active.set(1)
      tookOver(seconds)
    } catch (error) {
      life.surprised(error)
    }
  }

  #surprised(error: unknown, life: Life): void {
    const { clock, log, metrics, onViolation } = this.#parts
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
    metrics.active.set(0)
    const ended = this.#end(life)
    clock.after(waitMs, () => void this.#beginAnew(ended))
  }

  /** Who waits is refused at once, who is being bound hears how that ended, and nobody waits for a broken logic. */
  async #end(life: Life): Promise<void> {
    const open = [...this.#calls]
    life.end()
    this.#parts.metrics.collectFrom(undefined)
    for (const { hangUp } of open) hangUp.abort()
    const stopped = this.#logic.stop()
    await life.settled()
    this.#parts.clock.after(0, () => {
      for (const { giveUp } of open) giveUp()
    })
    await stopped
  }

  /** Nothing of the old life is on its way when the new one begins to read. */
  async #beginAnew(ended: Promise<void>): Promise<void> {
    const { clock, log, metrics, build } = this.#parts
    await ended
    this.#begunAt = clock.now()
    metrics.reinitializations.inc()
    log.info({}, 'reading everything anew')
    this.#life = this.#newLife()
    this.#logic = build(this.#life)
    await this.#live(this.#life, this.#logic)
  }
}
