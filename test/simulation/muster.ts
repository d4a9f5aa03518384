import { Registry } from 'prom-client'
import { InvariantViolation, reasonOf } from '../../extender/errors.ts'
import { keepsAnnotation } from '../../extender/gangs/membership/dialects.ts'
import { Gangs } from '../../extender/gangs/gangs.ts'
import type { Life, Logic } from '../../extender/gangs/lives/life.ts'
import type { WorldPorts } from '../../extender/gangs/ports.ts'
import { Lives } from '../../extender/gangs/lives/lives.ts'
import { gangMetrics } from '../../extender/gangs/metrics.ts'
import { Quarantine } from '../../extender/gangs/planning/quarantine.ts'
import type { GangReport } from '../../extender/gangs/telling/report.ts'
import { alone } from '../../extender/gangs/lives/tenure.ts'
import { Binder } from '../../extender/kubernetes/binder.ts'
import { Cache } from '../../extender/kubernetes/cache.ts'
import { Evictor } from '../../extender/kubernetes/evictor.ts'
import { Lease } from '../../extender/kubernetes/lease.ts'
import { kubernetesMetrics } from '../../extender/kubernetes/metrics.ts'
import { Nominator } from '../../extender/kubernetes/nominator.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { State } from '../../extender/state.ts'
import type { Answer } from '../../extender/verbs/answer.ts'
import { bind } from '../../extender/verbs/bind.ts'
import { filter } from '../../extender/verbs/filter.ts'
import type { VerbParts } from '../../extender/verbs/ports.ts'
import { preempt } from '../../extender/verbs/preempt.ts'
import { Underway } from '../../extender/verbs/underway.ts'
import { muster as musterProfile } from '../../policies/index.ts'
import { lease as leaseRef } from './elector.ts'
import { Process } from './process.ts'
import { timing } from './timing.ts'
import { Wire, type WireParts } from './wire.ts'

/** A bind call of kube-scheduler that muster has not answered yet. */
export type BindCall = {
  readonly uid: string
  /** `namespace/name`. */
  readonly pod: string
  readonly node: string
  /** When muster got it. */
  arrivedAt: number
  /** muster has heard that nobody waits for the answer any more. */
  gone: boolean
  /** How often muster has asked the API server for it. */
  writes: number
}

/** It only remembers what equals what, so all lives may share one: its tables are large. */
export const projector = new Projector({ keepAnnotation: keepsAnnotation })

export type MusterParts = Omit<WireParts, 'process'> & {
  /** It follows the lease of its kube-scheduler; else nobody stands by. */
  readonly hasLease: boolean
  /** By how much the wall clock of its machine is wrong, in milliseconds. */
  readonly skew: () => number
  /** Grows with every life that decides, where no lease tells. */
  readonly epoch: () => number
  readonly tookOver: (muster: Muster) => void
  /** What must never happen has happened. */
  readonly broken: (what: string) => void
  readonly surprised: (error: unknown) => void
}

/** One process of muster: the real parts, put together as `main.ts` does, on the simulated world's clock and wire. */
export class Muster {
  readonly process: Process
  readonly wire: Wire
  readonly #parts: MusterParts
  readonly #lives: Lives
  readonly #verbs: VerbParts
  readonly #registry = new Registry()
  readonly #onEnd = new Set<() => void>()
  /** What the present life has seen of the cluster. */
  state = new State()
  alive = true
  /** Those that have no answer yet; a pod may have two after a timeout. */
  readonly calls = new Set<BindCall>()

  constructor(parts: MusterParts) {
    this.#parts = parts
    this.process = new Process(parts.clock, parts.skew)
    const {
      process,
      process: { clock }
    } = this
    this.wire = new Wire({ ...parts, process })
    const { random, log } = { random: parts.chance.next, log: this.#log() }
    const metrics = kubernetesMetrics(this.#registry)
    const ofGangs = gangMetrics(this.#registry)
    const api = this.wire
    const world: WorldPorts = {
      binder: new Binder({ api, clock, random, metrics }),
      nominator: new Nominator(api, metrics),
      terminator: new Evictor(api, metrics),
      recorder: {
        record: ({ pod, reason, note }) => parts.journal.say(`${reason} ${pod.namespace}/${pod.name}: ${note}`)
      }
    }
    const quarantine = new Quarantine(clock)
    const build = (life: Life): Logic => {
      const state = new State()
      this.state = state
      this.wire.forget()
      const surprised = (error: unknown): void => life.surprised(error)
      const cache = new Cache({ api, clock, random, log, metrics, projector, state, handlerFailed: surprised })
      const ownEpoch = parts.epoch()
      const gangs = new Gangs({
        ...{ state, clock: life.clock, random, log, metrics: ofGangs, concurrency: 8 },
        epoch: () => (parts.hasLease ? life.epoch : ownEpoch),
        ...{ ...life.ports(world), profiles: new Map([['muster', musterProfile]]), priorityCap: () => 0 },
        ...{ ...timing, quarantine, scope: 'all', onViolation: surprised }
      })
      return { gangs, checks: cache.checks(), read: () => cache.start(), stop: () => cache.stop() }
    }
    const { namespace, name } = leaseRef
    const lease = new Lease({ api, clock, random, log, metrics, namespace, name, host: parts.who })
    const tenure = parts.hasLease ? lease : alone
    this.#lives = new Lives({
      ...{ clock, log, metrics: ofGangs, tenure, build },
      wasRead: () => this.alive && parts.tookOver(this),
      onViolation: error => parts.broken(reasonOf(error))
    })
    this.#verbs = {
      gangs: this.#lives,
      refusal: () => this.#lives.refusal,
      hurry: () => this.#lives.hurry(),
      project: projector.pod,
      absentIsUnresolvable: () => true,
      underway: new Underway()
    }
    if (parts.hasLease) lease.start()
    this.#lives.start()
  }

  get ready(): boolean {
    return this.alive && this.#lives.refusal === undefined
  }

  took(call: BindCall, signal: AbortSignal): void {
    call.arrivedAt = this.#parts.clock.now()
    call.gone = signal.aborted
    signal.addEventListener('abort', () => (call.gone = true))
    this.calls.add(call)
  }

  /** Calls back when the process ends; the answer takes that back. */
  onEnd(task: () => void): () => void {
    this.#onEnd.add(task)
    return () => this.#onEnd.delete(task)
  }

  kill(): void {
    this.alive = false
    for (const task of this.#onEnd) task()
    this.process.end()
    this.wire.kill()
  }

  /** What people are told; nothing while it is not ready. */
  gangs(): readonly GangReport[] {
    return this.ready ? this.#lives.reports.gangs() : []
  }

  /** Answers one call of kube-scheduler, as the routes do. */
  async answer(verb: string, body: Buffer, signal: AbortSignal): Promise<{ status: number; text: string }> {
    const answer = await this.#answer(verb, body, signal)
    return { status: answer.status ?? 200, text: answer.json }
  }

  async #answer(verb: string, body: Buffer, signal: AbortSignal): Promise<Answer> {
    try {
      if (verb === 'filter') return this.#filter(body)
      if (verb === 'preempt') return preempt(body, this.#verbs)
      return await bind(body, this.#verbs, signal)
    } catch (error) {
      this.#parts.journal.say(`${this.#parts.who} failed to answer ${verb}: ${reasonOf(error)}`)
      return { outcome: 'error', json: '{}', status: 500 }
    }
  }

  /** I10: the same question in the same moment has the same answer. */
  #filter(body: Buffer): Answer {
    const first = filter(body, this.#verbs)
    if (this.#parts.chance.is(0.1) && filter(body, this.#verbs).json !== first.json)
      this.#parts.broken('I10: filter, asked twice in one moment, answered differently')
    return first
  }

  /** Gangs for which room is held, and the share of all cores, as a scrape shows them. */
  async held(): Promise<{ readonly gangs: number; readonly share: number }> {
    // The first gauge of the gangs fills all others when it is collected.
    await this.#registry.getSingleMetric('muster_gangs')?.get()
    const gangs = await this.#registry.getSingleMetric('muster_holds')?.get()
    const ratio = await this.#registry.getSingleMetric('muster_held_ratio')?.get()
    const cores = ratio?.values.find(({ labels }) => labels['resource'] === 'cpu')
    return { gangs: gangs?.values[0]?.value ?? 0, share: cores?.value ?? 0 }
  }

  #log() {
    const say = (fields: object, message: string): void => {
      const { err, ...rest } = fields as { err?: unknown }
      if (err !== undefined) {
        if (!(err instanceof InvariantViolation)) this.#parts.surprised(err)
        this.#parts.journal.say(`${this.#parts.who}: ${message}: ${reasonOf(err)}`)
      } else this.#parts.journal.say(`${this.#parts.who}: ${message} ${JSON.stringify(rest)}`)
    }
    return { debug: () => {}, info: say, warn: say, error: say }
  }
}
