import type { Clock } from '../../clock.ts'
import { type Claim, type Launched, podNameOf, podNote } from './claim.ts'
import type { Claims } from './claims.ts'
import { endedOf } from './decision.ts'
import { isOverQuota, isTransient, overQuota, saidIn } from './errors.ts'
import type { SandboxMetrics } from './metrics.ts'
import { type PodFacts, podFactsOf } from './pod-facts.ts'
import type { Adopter } from './pool/adopter.ts'
import type { Answer, Log } from './ports.ts'
import type { Record } from './record.ts'
import { podOf, type Start, type Templates } from './templates.ts'

export type LauncherParts = {
  readonly record: Record
  readonly claims: Claims
  readonly adopter: Adopter
  readonly templates: Templates
  readonly metrics: SandboxMetrics
  readonly clock: Clock
  readonly log: Log
}

const cold = (reason: string): Launched => ({ way: 'COLD', reason })

/** Gives a claim its pod, in the fastest way that is open, and records it. */
export class Launcher {
  readonly #parts: LauncherParts
  /** By uid: who comes for the same claim meanwhile waits for the same answer. */
  readonly #underway = new Map<string, Promise<Claim | undefined>>()

  constructor(parts: LauncherParts) {
    this.#parts = parts
  }

  /**
   * Answers the claim as it is then; undefined where it is gone. One whose pod the API server refuses for good has
   * ended. What may pass leaves the claim without a pod: it is looked at again.
   */
  launch(claim: Claim): Promise<Claim | undefined> {
    return this.#once(claim, () => this.#launch(claim))
  }

  /** Goes on where somebody stopped: with the pod that was adopted or made already, else with a cold one. */
  resume(claim: Claim): Promise<Claim | undefined> {
    return this.#once(claim, () => this.#resume(claim))
  }

  async #once(claim: Claim, work: () => Promise<Claim | undefined>): Promise<Claim | undefined> {
    const underway = this.#underway.get(claim.uid)
    if (underway) return underway
    const done = work()
    this.#underway.set(claim.uid, done)
    try {
      return await done
    } finally {
      this.#underway.delete(claim.uid)
    }
  }

  async #launch(claim: Claim): Promise<Claim | undefined> {
    const { adopter } = this.#parts
    const warm = await adopter.adopt(claim)
    if ('pod' in warm) return this.#record(claim, warm.pod)
    if (!adopter.has('placeholder', claim.spec.template)) return this.#make(claim, { launched: cold(warm.reason) })
    const room = await adopter.makeRoom(claim)
    if ('reason' in room) return this.#make(claim, { launched: cold(`${warm.reason}; ${room.reason}`) })
    return this.#make(claim, { launched: { way: 'PLACEHOLDER', reason: warm.reason }, node: room.node })
  }

  async #resume(claim: Claim): Promise<Claim | undefined> {
    const { adopter, claims } = this.#parts
    const pod = claims.podOf(claim)
    const isAdopted = pod?.launched.way === 'WARM' && !pod.leaving && pod.failure === undefined
    if (isAdopted && (await adopter.configure(claim, pod)) === undefined) return this.#record(claim, pod)
    if (isAdopted) await this.#remove(pod)
    return this.#make(claim, { launched: cold('a first attempt came to nothing, and the second one is always cold') })
  }

  async #make(claim: Claim, start: Start): Promise<Claim | undefined> {
    const { record, log } = this.#parts
    const pod = podOf(claim, this.#parts.templates.of(claim.spec.template), start)
    const answer = await record.ask(kubernetes => kubernetes.create('pods', pod))
    if (answer.status === 201) return this.#made(claim, answer)
    if (answer.status === 409) return this.#find(claim)
    if (isOverQuota(answer)) throw overQuota(answer, `the pod of sandbox ${claim.id}`)
    if (!isTransient(answer)) return this.#refused(claim, answer)
    log.warn({ sandbox: claim.id, reason: saidIn(answer) }, 'a pod could not be made yet')
    return claim
  }

  /** Somebody made it before. */
  async #find(claim: Claim): Promise<Claim | undefined> {
    const answer = await this.#parts.record.ask(kubernetes => kubernetes.get('pods', podNameOf(claim)))
    if (answer.status !== 200) return claim
    if (podFactsOf(answer.body)?.owner !== claim.uid)
      return this.#refused(claim, {
        status: 409,
        body: { message: `pod ${podNameOf(claim)} belongs to somebody else` }
      })
    return this.#made(claim, answer)
  }

  #made(claim: Claim, { body }: Answer): Promise<Claim | undefined> | Claim {
    const pod = podFactsOf(body)
    return pod === undefined ? claim : this.#record(claim, pod)
  }

  async #record(claim: Claim, pod: PodFacts): Promise<Claim | undefined> {
    const { claims, record } = this.#parts
    claims.putPod(pod)
    const recorded = await record.change(claim, current => (current.pod || current.ended ? undefined : podNote(pod)))
    // It was released meanwhile, or somebody else gave it another one: nobody will ever look for this pod.
    if (recorded === undefined || recorded.ended || recorded.pod?.uid !== pod.uid) await this.#remove(pod)
    else this.#count(recorded)
    return recorded
  }

  #count({ launched: { way }, createdAt }: Claim): void {
    const { metrics, clock } = this.#parts
    metrics.launches.inc({ launch: way })
    if (way === 'WARM') metrics.readySeconds.observe({ launch: way }, Math.max(0, clock.wall() - createdAt) / 1000)
  }

  async #remove({ name, uid }: PodFacts): Promise<void> {
    await this.#parts.record.ask(kubernetes => kubernetes.remove('pods', name, uid))
  }

  #refused(claim: Claim, answer: Answer): Promise<Claim | undefined> {
    const message = `its pod was refused: ${saidIn(answer)}`
    const view = { pod: undefined, last: undefined, now: this.#parts.clock.wall() }
    return this.#parts.record.end(claim, endedOf('FAILED', view, { code: 'UNSCHEDULABLE', message }))
  }
}
