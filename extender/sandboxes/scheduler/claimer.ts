import { pause, type Clock } from '../../clock.ts'
import { type Claim, claimOf, deadlineOf, serviceOf } from './claim.ts'
import { aborted, refusedBy, reused } from './errors.ts'
import type { Json, Settings } from './ports.ts'
import type { Record } from './record.ts'
import { idOf, type Wanted } from './request.ts'
import { portOf, type Templates } from './templates.ts'

export type ClaimerParts = {
  readonly record: Record
  readonly templates: Templates
  readonly clock: Clock
  readonly settings: Settings
  /** Whether the ends of sandboxes are published. */
  readonly withEvents: boolean
}

/** A claim, and whether this request made it. */
export type Claimed = { readonly claim: Claim; readonly isNew: boolean }

/** A name that is about to be free is waited for so long. */
const patienceMs = 2_000
const lookMs = 50
/** A key that was free again before its sandbox ended goes on to another name; so often, which nobody reaches. */
const rounds = 8

/** Creates the Service that claims a sandbox. The API server decides who comes first; everybody else gets that claim. */
export class Claimer {
  readonly #parts: ClaimerParts

  constructor(parts: ClaimerParts) {
    this.#parts = parts
  }

  async claim(wanted: Wanted): Promise<Claimed> {
    for (let round = 0; round < rounds; round++) {
      const claimed = await this.#take(wanted, idOf(wanted, round))
      if (claimed) return claimed
    }
    const message = `the idempotency key was used for ${rounds} sandboxes that still live; take another key`
    throw reused(message, 'idempotency_key')
  }

  /** Undefined where the name belongs to a sandbox whose key is free again. */
  async #take(wanted: Wanted, id: string): Promise<Claimed | undefined> {
    const { record, clock } = this.#parts
    const until = clock.now() + patienceMs
    for (;;) {
      const answer = await record.ask(kubernetes => kubernetes.create('services', this.#service(wanted, id)))
      const claim = answer.status === 201 ? record.learn(answer.body) : undefined
      if (claim) return { claim, isNew: true }
      if (answer.status !== 409) throw refusedBy(answer, `the Service of sandbox ${id}`)
      const there = await this.#present(id)
      const isMine = there && this.#isMine(wanted, there)
      if (there && isMine) return { claim: there, isNew: false }
      if (isMine === false) return undefined
      if (clock.now() >= until) {
        const message = `the last sandbox of project ${wanted.projectId} is still being cleared away; ask again`
        throw aborted('still_terminating', message, id, 1_000)
      }
      await pause(clock, lookMs)
    }
  }

  /** The claim of that name; undefined where it has just gone. */
  async #present(id: string): Promise<Claim | undefined> {
    const answer = await this.#parts.record.ask(kubernetes => kubernetes.get('services', id))
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusedBy(answer, `a look at sandbox ${id}`)
    if (claimOf(answer.body) === undefined)
      throw reused(`there is a Service ${id} that is no sandbox; delete it or take another key`, id)
    return this.#parts.record.learn(answer.body)
  }

  /**
   * Whether the request is for that sandbox; false where its key is free for another one, undefined where one has to
   * wait until it is gone. A key keeps its sandbox beyond the end, a project does not.
   */
  #isMine(wanted: Wanted, there: Claim): boolean | undefined {
    const now = this.#parts.clock.wall()
    if (wanted.key === '' && hasEnded(there, now)) return undefined
    if (wanted.key !== '' && now >= there.keyUntil) return false
    if (there.fingerprint === wanted.fingerprint) return true
    if (wanted.key !== '') throw keyReused()
    const message = `project ${there.projectId} has a sandbox of another template, env or gang; release it first`
    throw reused(message, there.id)
  }

  #service(wanted: Wanted, id: string): Json {
    const { clock, settings, templates, withEvents } = this.#parts
    const { tenant, projectId, fingerprint, keyHash, spec, traceparent } = wanted
    const createdAt = clock.wall()
    const port = portOf(templates.of(spec.template)) ?? 0
    const keyUntil = keyHash === '' ? 0 : createdAt + settings.idempotenceTtlMs
    const draft = { id, tenant, projectId, fingerprint, keyHash, keyUntil, createdAt, spec, port, traceparent }
    return serviceOf(draft, withEvents)
  }
}

export const keyReused = (): Error =>
  reused('the idempotency key was used for another request; send the same one, or take another key', 'idempotency_key')

/** Whether nothing can keep it alive any more. */
export const hasEnded = (claim: Claim, now: number): boolean =>
  claim.ended !== undefined || claim.leaving || now >= deadlineOf(claim)
