import { pause, type Clock } from '../../clock.ts'
import { finalizer } from '../labels.ts'
import { type Claim, claimOf, type Ended, endedNotes } from './claim.ts'
import type { Claims } from './claims.ts'
import { done, refusedBy, unreachable } from './errors.ts'
import type { Answer, Json, Kubernetes } from './ports.ts'

export type RecordParts = { readonly kubernetes: Kubernetes; readonly claims: Claims; readonly clock: Clock }

/** So many others may write in between; each of them has brought the claim forward. */
const attempts = 20
const retryMs = 20

/** Reads and changes claims. Every change is a compare-and-swap on the Service, by uid and version. */
export class Record {
  readonly #parts: RecordParts

  constructor(parts: RecordParts) {
    this.#parts = parts
  }

  /** As the API server has it now; undefined where there is none of ours. */
  async read(id: string): Promise<Claim | undefined> {
    const answer = await this.ask(kubernetes => kubernetes.get('services', id))
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusedBy(answer, `a look at sandbox ${id}`)
    return this.learn(answer.body)
  }

  /**
   * Changes the claim of that uid by what `change` says about its present state, until nobody writes in between; where
   * it says nothing, nothing is written. Answers the claim as it is then; undefined where it is gone.
   */
  async change(claim: Claim, change: (claim: Claim) => Json | undefined): Promise<Claim | undefined> {
    let current: Claim | undefined = claim
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (current?.uid !== claim.uid) return undefined
      const notes = change(current)
      if (notes === undefined) return current
      const answer = await this.#annotate(current, notes)
      if (answer.status === 200) return this.learn(answer.body)
      if (answer.status === 404) return this.#gone(claim)
      if (answer.status !== 409 && answer.status !== 422) throw refusedBy(answer, `a change of sandbox ${claim.id}`)
      if (attempt > 0) await pause(this.#parts.clock, retryMs * attempt)
      current = await this.read(claim.id)
    }
    throw contended(claim.id)
  }

  /** The first end counts: whoever comes later gets it as it was. `still` says whether it is over at all. */
  end(claim: Claim, ended: Ended, still: (claim: Claim) => boolean = () => true): Promise<Claim | undefined> {
    return this.change(claim, current => (current.ended || !still(current) ? undefined : endedNotes(ended)))
  }

  /** Takes the Service of that uid out, past the finalizer that keeps it. */
  async discard({ id, uid }: Claim): Promise<void> {
    await this.#letGo(id, uid)
    done(await this.ask(kubernetes => kubernetes.remove('services', id, uid)), `to delete Service ${id}`)
    this.#gone({ id, uid })
  }

  /** Others may have finalizers of their own beside ours, and write at the same time. */
  async #letGo(id: string, uid: string): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const now = await this.read(id)
      if (now?.uid !== uid || !now.finalizers.includes(finalizer)) return
      const finalizers = now.finalizers.filter(each => each !== finalizer)
      const metadata = { uid, resourceVersion: now.version, finalizers }
      const answer = await this.ask(kubernetes => kubernetes.patch('services', id, { metadata }))
      if (answer.status !== 409) return done(answer, `to let go of Service ${id}`)
    }
    throw contended(id)
  }

  /** Takes a Service in; undefined where it is no claim of ours. */
  learn(service: Json): Claim | undefined {
    const claim = claimOf(service)
    if (claim) this.#parts.claims.put(claim)
    return claim
  }

  /** An answer, or the refusal that says that there is none. */
  async ask(call: (kubernetes: Kubernetes) => Promise<Answer>): Promise<Answer> {
    try {
      return await call(this.#parts.kubernetes)
    } catch (error) {
      throw unreachable(error)
    }
  }

  #annotate({ id, uid, version }: Claim, annotations: Json): Promise<Answer> {
    const metadata = { uid, resourceVersion: version, annotations }
    return this.ask(kubernetes => kubernetes.patch('services', id, { metadata }))
  }

  #gone({ id, uid }: Pick<Claim, 'id' | 'uid'>): undefined {
    this.#parts.claims.drop(id, uid)
  }
}

const contended = (id: string): Error =>
  refusedBy({ status: 503, body: { message: 'others write to it all the time' } }, `a change of sandbox ${id}`)
