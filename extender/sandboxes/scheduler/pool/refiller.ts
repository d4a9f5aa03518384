import { backoff } from '../../../backoff.ts'
import type { Clock, Random } from '../../../clock.ts'
import { reasonOf } from '../../../errors.ts'
import { saidIn } from '../errors.ts'
import type { SandboxMetrics } from '../metrics.ts'
import type { Answer, Log } from '../ports.ts'
import type { Record } from '../record.ts'
import { bodyOf, type Mould, nameOf } from './bodies.ts'
import { classBody } from './classes.ts'
import { type Due, dueOf } from './due.ts'
import type { PoolPod, Way } from './pool-pod.ts'
import type { PoolKey, Stock } from './stock.ts'

export type RefillerParts = {
  readonly stock: Stock
  readonly pools: readonly Pool[]
  readonly record: Record
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Pick<SandboxMetrics, 'poolErrors'>
  /** Whether all pods are known. */
  readonly listed: () => boolean
}

/** A pool that is to be kept full. */
export type Pool = { readonly mould: Mould; readonly size: number }

const again = { first: 500, most: 30_000 }
/** So many writes at a time, whatever is missing: requests come first. */
const mostWrites = 8
/** A placeholder that gave up its room is not made again before the pod has it that it was given up for. */
const patienceMs: { readonly [way in Way]: number } = { warm: 5, placeholder: 1_000 }

type State = {
  readonly key: PoolKey
  readonly pool: Pool | undefined
  /** Names that are being made. */
  readonly underway: Set<string>
  /** Names that pods have which are none of ours. */
  readonly foreign: Set<string>
  failures: number
  notBefore: number
  timer: { readonly at: number; readonly cancel: () => void } | undefined
}

/** Keeps each pool at its size: makes what is missing, takes out what is broken or too much. */
export class Refiller {
  readonly #parts: RefillerParts
  readonly #states = new Map<string, State>()
  /** Uids of pods that are being deleted. */
  readonly #going = new Set<string>()
  readonly #classes = new Map<Way, Promise<void>>()
  #writes = 0
  #stopped = false

  constructor(parts: RefillerParts) {
    this.#parts = parts
    parts.stock.onChange(key => this.look(key))
    for (const { mould } of parts.pools) this.look(mould)
  }

  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#states.values()) timer?.cancel()
  }

  /** Something about that pool may have changed. */
  look(key: PoolKey): void {
    const state = this.#stateOf(key)
    const { clock } = this.#parts
    this.#lookAt(state, Math.max(clock.now() + patienceMs[key.way], state.notBefore))
  }

  /** The soonest of what was asked for. */
  #lookAt(state: State, at: number): void {
    if (this.#stopped || !Number.isFinite(at) || (state.timer && state.timer.at <= at)) return
    const { clock } = this.#parts
    state.timer?.cancel()
    const turn = (): void => {
      state.timer = undefined
      this.#turn(state)
    }
    state.timer = { at, cancel: clock.after(Math.max(1, at - clock.now()), turn) }
  }

  #stateOf({ way, template }: PoolKey): State {
    const name = `${way}/${template}`
    const known = this.#states.get(name)
    if (known) return known
    const key = { way, template }
    const pool = this.#parts.pools.find(({ mould }) => mould.way === way && mould.template === template)
    const state: State = {
      ...{ key, pool, underway: new Set<string>(), foreign: new Set<string>() },
      ...{ failures: 0, notBefore: 0, timer: undefined }
    }
    this.#states.set(name, state)
    return state
  }

  #turn(state: State): void {
    const { listed, clock } = this.#parts
    if (this.#stopped || !listed()) return
    const due = this.#due(state)
    if (due.isFull) state.failures = 0
    this.#takeOut(state, [...due.broken, ...due.surplus])
    this.#fill(state, due.missing)
    this.#lookAt(state, clock.now() + Math.max(0, due.until - clock.wall()))
  }

  #takeOut(state: State, pods: readonly PoolPod[]): void {
    const shelf = this.#parts.stock.shelf(state.key)
    for (const pod of pods)
      if (this.#writes < mostWrites && !this.#going.has(pod.uid) && !shelf.isPromised(pod.uid))
        void this.#written(state, () => this.#remove(state, pod))
  }

  #fill(state: State, numbers: readonly number[]): void {
    const { pool } = state
    if (pool === undefined) return
    // In any order: another of us at the same work is then seldom at the same name.
    const drawn = numbers.map(number => ({ number, at: this.#parts.random() })).toSorted((a, b) => a.at - b.at)
    for (const { number } of drawn)
      if (this.#writes < mostWrites) void this.#written(state, () => this.#make(state, pool.mould, number))
  }

  #due({ key, pool, underway, foreign }: State): Due {
    const { stock, clock } = this.#parts
    const shelf = stock.shelf(key)
    return dueOf({
      ...{ key, underway, idle: [...shelf.idle()], names: new Set([...shelf.names(), ...foreign]) },
      ...{ size: pool?.size ?? 0, make: pool?.mould.make ?? '', now: clock.wall() }
    })
  }

  /** One write, and then a look at what is next. */
  async #written(state: State, write: () => Promise<string | undefined>): Promise<void> {
    this.#writes += 1
    const problem = await write().catch(reasonOf)
    this.#writes -= 1
    if (problem === undefined) return this.#lookAtAll()
    const { clock, random, log, metrics } = this.#parts
    const { key } = state
    metrics.poolErrors.inc({ template: key.template })
    state.notBefore = clock.now() + backoff(again, state.failures, random)
    state.failures += 1
    log.warn({ ...key, reason: problem }, 'a pool could not be kept full; retrying')
    this.#lookAt(state, state.notBefore)
  }

  #lookAtAll(): void {
    for (const { key } of this.#states.values()) this.look(key)
  }

  /** Answers what went wrong. */
  async #make(state: State, mould: Mould, number: number): Promise<string | undefined> {
    const { record, stock } = this.#parts
    const name = nameOf(mould, number)
    state.underway.add(name)
    try {
      await this.#class(mould.way)
      const answer = await record.ask(kubernetes => kubernetes.create('pods', bodyOf(mould, number)))
      if (answer.status === 409) return await this.#find(state, name)
      if (answer.status !== 201) return this.#refused(mould.way, answer)
      stock.learn(answer.body)
      return undefined
    } finally {
      state.underway.delete(name)
    }
  }

  /** Another of us was faster, or the name is somebody else's. */
  async #find({ foreign }: State, name: string): Promise<string | undefined> {
    const { record, stock } = this.#parts
    const { status, body } = await record.ask(kubernetes => kubernetes.get('pods', name))
    if (status === 200 && stock.learn(body) === undefined) foreign.add(name)
    return undefined
  }

  #refused(way: Way, answer: Answer): string {
    // Somebody may have deleted the PriorityClass.
    this.#classes.delete(way)
    return saidIn(answer)
  }

  #class(way: Way): Promise<void> {
    const known = this.#classes.get(way)
    if (known) return known
    const made = this.#makeClass(way)
    this.#classes.set(way, made)
    return made
  }

  /** Where it may not be made it may be there; else the pod is refused, and says so. */
  async #makeClass(way: Way): Promise<void> {
    const { record, log } = this.#parts
    const answer = await record.ask(kubernetes => kubernetes.create('priorityclasses', classBody(way)))
    if (answer.status !== 201 && answer.status !== 409)
      log.debug({ way, reason: saidIn(answer) }, 'the PriorityClass of a pool could not be made')
  }

  async #remove(state: State, pod: PoolPod): Promise<string | undefined> {
    const { record, stock } = this.#parts
    const { name, uid, version } = pod
    this.#going.add(uid)
    try {
      const answer = await record.ask(kubernetes => kubernetes.remove('pods', name, uid, version))
      if (answer.status === 404) stock.drop(pod)
      else if (answer.status === 409) await this.#find(state, name)
      else if (answer.status >= 300) return saidIn(answer)
      else stock.learn(answer.body)
      return pod.isBroken ? `pod ${name} has ended by itself` : undefined
    } finally {
      this.#going.delete(uid)
    }
  }
}
