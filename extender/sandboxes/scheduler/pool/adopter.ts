import type { Clock } from '../../../clock.ts'
import { reasonOf } from '../../../errors.ts'
import { type Claim } from '../claim.ts'
import { isTransient, refusedBy, saidIn } from '../errors.ts'
import { type PodFacts, podFactsOf } from '../pod-facts.ts'
import type { Answer, Configure } from '../ports.ts'
import type { Record } from '../record.ts'
import { configPathOf, type Templates, variablesOf } from '../templates.ts'
import { adoptionOf, type Mould } from './bodies.ts'
import type { PoolPod, Way } from './pool-pod.ts'
import type { Pool } from './refiller.ts'
import type { Stock } from './stock.ts'

export type AdopterParts = {
  readonly stock: Stock
  readonly pools: readonly Pool[]
  readonly record: Record
  readonly templates: Templates
  readonly configure: Configure
  readonly clock: Clock
}

type Taken = { readonly pod: PodFacts }
/** It is the claim's, and cannot be told so. */
type Deaf = { readonly problem: string }
/** Why a way is not open. */
type No = { readonly reason: string }

/** Others may be faster so often; each time one candidate fewer is left. */
const mostTries = 50
/** An image that does not take its variables will not take them next time. */
const mostDeaf = 2

/** Gives claims what stands ready: a warm pod, or the room of a placeholder. Each goes to one claim alone. */
export class Adopter {
  readonly #parts: AdopterParts

  constructor(parts: AdopterParts) {
    this.#parts = parts
  }

  /** Whether there is such a pool. */
  has(way: Way, template: string): boolean {
    return this.#mouldOf(way, template) !== undefined
  }

  /** A running pod that is the claim's from now on, and knows it. */
  async adopt(claim: Claim): Promise<Taken | No> {
    const mould = this.#mouldOf('warm', claim.spec.template)
    if (mould === undefined) return { reason: `template ${claim.spec.template} has no warm pool` }
    const unfit = this.#unfit(claim)
    if (unfit !== undefined) return { reason: unfit }
    const deaf: string[] = []
    for (const candidate of this.#candidates(mould)) {
      const taken = await this.#take(claim, candidate)
      if (taken === undefined) continue
      if (!('problem' in taken)) return taken
      if (deaf.push(taken.problem) === mostDeaf) break
    }
    const [problem] = deaf
    if (problem !== undefined) return { reason: `a warm pod did not take its variables: ${problem}` }
    return { reason: `no warm pod of template ${mould.template} was ready` }
  }

  /** The node where a placeholder gave up its room. */
  async makeRoom({ spec: { template, gang } }: Claim): Promise<{ readonly node: string } | No> {
    const none = { reason: `no placeholder of template ${template} was there` }
    const mould = this.#mouldOf('placeholder', template)
    if (gang) return { reason: 'the room of a gang is planned as a whole' }
    if (mould === undefined) return none
    for (const candidate of this.#candidates(mould)) {
      const answer = await this.#release(candidate)
      if (answer) return answer
    }
    return none
  }

  /** One after the other, each promised to nobody else; whoever takes one settles it. */
  *#candidates(mould: Mould): Generator<PoolPod> {
    for (let attempt = 0; attempt < mostTries; attempt++) {
      const candidate = this.#parts.stock.promise(mould)
      if (candidate === undefined) return
      yield candidate
    }
  }

  /** Tells a warm pod whose it is; the same again is harmless. Answers what went wrong. */
  async configure(claim: Claim, { ip }: PodFacts): Promise<string | undefined> {
    const path = configPathOf(this.#parts.templates.of(claim.spec.template))
    if (path === undefined) return undefined
    const url = `http://${ip.includes(':') ? `[${ip}]` : ip}:${claim.port}${path}`
    try {
      const status = await this.#parts.configure(url, variablesOf(claim))
      return status < 300 ? undefined : `HTTP ${status} at ${path}`
    } catch (error) {
      return reasonOf(error)
    }
  }

  #mouldOf(way: Way, template: string): Mould | undefined {
    return this.#parts.pools.find(({ mould }) => mould.way === way && mould.template === template)?.mould
  }

  /** What a running pod cannot be given any more. */
  #unfit({ spec: { template, priority, gang, env } }: Claim): string | undefined {
    if (gang) return 'members of a gang start together, and a warm pod runs already'
    if (priority !== 0) return `a warm pod has no priority of its own, and priority ${priority} was asked for`
    const hasEnv = Object.keys(env).length > 0
    const takesEnv = configPathOf(this.#parts.templates.of(template)) !== undefined
    return hasEnv && !takesEnv ? `a running sandbox of template ${template} takes no env` : undefined
  }

  /** Undefined where somebody else has it, or it is gone. */
  async #take(claim: Claim, candidate: PoolPod): Promise<Taken | Deaf | No | undefined> {
    const { stock, record, clock } = this.#parts
    try {
      const patch = adoptionOf(claim, candidate, clock.wall())
      const answer = await record.ask(kubernetes => kubernetes.patch('pods', candidate.name, patch))
      if (answer.status === 200) return await this.#introduced(claim, answer)
      if (answer.status === 404 || answer.status === 409) return await this.#lookAgain(candidate)
      if (isTransient(answer)) throw refusedBy(answer, `the adoption of pod ${candidate.name}`)
      return { reason: `a warm pod could not be adopted: ${saidIn(answer)}` }
    } finally {
      stock.settle(candidate)
    }
  }

  /** One that does not take its variables is of no use to anybody. */
  async #introduced(claim: Claim, { body }: Answer): Promise<Taken | Deaf | undefined> {
    const { stock, record } = this.#parts
    stock.learn(body)
    const pod = podFactsOf(body)
    const problem = pod && (await this.configure(claim, pod))
    if (pod === undefined || problem === undefined) return pod && { pod }
    await record.ask(kubernetes => kubernetes.remove('pods', pod.name, pod.uid))
    return { problem }
  }

  /** Its node, once the room is free; undefined where it is somebody else's. */
  async #release(candidate: PoolPod): Promise<{ readonly node: string } | No | undefined> {
    const { stock, record } = this.#parts
    const { name, uid, version } = candidate
    try {
      const answer = await record.ask(kubernetes => kubernetes.remove('pods', name, uid, version))
      if (answer.status === 404 || answer.status === 409) return await this.#lookAgain(candidate)
      if (answer.status >= 300) return { reason: `a placeholder could not be deleted: ${saidIn(answer)}` }
      stock.drop(candidate)
      return { node: candidate.node }
    } finally {
      stock.settle(candidate)
    }
  }

  /** Somebody was faster: what has become of it? */
  async #lookAgain(candidate: PoolPod): Promise<undefined> {
    const { stock, record } = this.#parts
    const { status, body } = await record.ask(kubernetes => kubernetes.get('pods', candidate.name))
    if (status !== 200 || stock.learn(body)?.uid !== candidate.uid) stock.drop(candidate)
  }
}
