import { type Claim, podNameOf, podNote } from './claim.ts'
import type { Claims } from './claims.ts'
import { endedOf } from './decision.ts'
import { isOverQuota, isTransient, overQuota, saidIn } from './errors.ts'
import { type PodFacts, podFactsOf } from './pod-facts.ts'
import type { Answer, Log } from './ports.ts'
import type { Record } from './record.ts'
import { podOf, type Templates } from './templates.ts'
import type { Clock } from '../../clock.ts'

export type LauncherParts = {
  readonly record: Record
  readonly claims: Claims
  readonly templates: Templates
  readonly clock: Clock
  readonly log: Log
}

/** Gives a claim its pod: makes one, or finds the one that was made, and records it. */
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
  async launch(claim: Claim): Promise<Claim | undefined> {
    const launch = this.#underway.get(claim.uid) ?? this.#launch(claim)
    this.#underway.set(claim.uid, launch)
    try {
      return await launch
    } finally {
      this.#underway.delete(claim.uid)
    }
  }

  async #launch(claim: Claim): Promise<Claim | undefined> {
    const { record, log } = this.#parts
    const pod = podOf(claim, this.#parts.templates.of(claim.spec.template))
    const answer = await record.ask(kubernetes => kubernetes.create('pods', pod))
    if (answer.status === 201) return this.#adopt(claim, answer)
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
    return this.#adopt(claim, answer)
  }

  async #adopt(claim: Claim, { body }: Answer): Promise<Claim | undefined> {
    const pod = podFactsOf(body)
    if (pod === undefined) return claim
    this.#parts.claims.putPod(pod)
    const recorded = await this.#parts.record.change(claim, current =>
      current.pod || current.ended ? undefined : podNote(pod)
    )
    // It was released meanwhile: nobody will ever look for this pod.
    if (recorded === undefined || recorded.ended) await this.#remove(pod)
    return recorded
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
