import { create } from '@bufbuild/protobuf'
import { Code } from '@connectrpc/connect'
import { type Choice, choose } from '../../../policies/clusters.ts'
import type { Random } from '../../clock.ts'
import { sandboxIdOf } from '../identity.ts'
import { type CreateSandboxRequest, CreateSandboxResponseSchema } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import type { Placement } from '../proto/generated/sandbox/v1/placement_pb.js'
import { refusal } from '../refusals.ts'
import { passedOn, unavailable } from './answers.ts'
import { type Asked, askedOf, considered, placementOf } from './asked.ts'
import type { Clusters } from './clusters.ts'
import type { Settings } from './entry.ts'
import { type Answer, type Holder, isHeld, targetOf } from './holder.ts'
import { type Finder, hasEnded } from './finder.ts'
import type { FrontDoorMetrics } from './metrics.ts'
import type { Place, Store } from './store.ts'
import type { Turns } from './turns.ts'

export type PlacerOptions = {
  readonly settings: Settings
  readonly clusters: Clusters
  readonly store: Store
  readonly finder: Finder
  readonly holder: Holder
  readonly turns: Turns
  readonly random: Random
  readonly metrics: FrontDoorMetrics
}

/** Of the clusters in order, so many are asked. */
const mostAttempts = 3
/** Other front doors may be faster so often. */
const mostRounds = 5
/** Codes with which a scheduler speaks of a sandbox that it has. */
const mayBeThere: ReadonlySet<Code> = new Set([Code.Aborted, Code.AlreadyExists, Code.FailedPrecondition])

/** Places sandboxes on clusters: each identity on one of them at a time, whatever fails on the way. */
export class Placer {
  readonly #options: PlacerOptions

  constructor(options: PlacerOptions) {
    this.#options = options
  }

  async create(request: CreateSandboxRequest, headers: Headers): Promise<Answer> {
    const { store, turns } = this.#options
    const asked = askedOf(request, headers)
    const place = await store.get(asked.id)
    const answer = place?.state === 'placed' ? await this.#atHolder(asked, place) : undefined
    return answer ?? turns.run(asked.id, () => this.#inTurn(asked))
  }

  /** Where a create would go now, as far as is remembered. */
  async preview(request: CreateSandboxRequest, headers: Headers): Promise<Placement> {
    const asked = askedOf(request, headers)
    const choice = await this.#choice(asked, await this.#options.store.get(asked.id))
    const [first] = choice.ranked
    if (!first) throw this.#nobody(asked, choice)
    return placementOf(asked, choice, first, choice.reason)
  }

  async #inTurn(asked: Asked): Promise<Answer> {
    for (let round = 0; round < mostRounds; round++) {
      const place = (await this.#options.store.get(asked.id)) ?? (await this.#discovered(asked))
      const isOpen = place && !asked.tried.has(place.cluster)
      const answer = (isOpen && (await this.#atHolder(asked, place))) || (await this.#elsewhere(asked, place))
      if (answer) return answer
    }
    throw refusal(Code.Aborted, 'in_flight', `sandbox ${asked.id} is being placed elsewhere; ask again`, {
      subject: asked.id,
      retryAfterMs: 1_000
    })
  }

  /** What is not remembered may be there all the same, where memory is no more than this process. */
  async #discovered(asked: Asked): Promise<Place | undefined> {
    const { store, finder, holder } = this.#options
    if (store.isComplete) return undefined
    const { found } = await finder.search(targetOf(asked), asked.headers)
    if (!found || !isHeld(found.sandbox, asked)) return undefined
    return store.swap(asked.id, undefined, holder.place(found.cluster, 'placed'))
  }

  async #atHolder(asked: Asked, place: Place): Promise<Answer | undefined> {
    const answer = await this.#options.holder.ask(asked, place)
    return answer && this.#answered(asked, answer, { name: place.cluster, reason: 'STICKY' })
  }

  /** Asks the clusters in order. Undefined: another front door has placed it meanwhile. */
  async #elsewhere(asked: Asked, before: Place | undefined): Promise<Answer | undefined> {
    const { store, holder } = this.#options
    const choice = await this.#choice(asked, undefined)
    let stands = before
    for (const [at, { name }] of choice.ranked.slice(0, mostAttempts).entries()) {
      const intent = await holder.intend(asked, name, stands)
      if (!intent) return undefined
      stands = intent
      const answer = await this.#attempt(asked, intent)
      if (answer && !(await holder.confirm(asked, intent))) return undefined
      const reason = at === 0 ? choice.reason : 'SPILLOVER'
      if (answer) return this.#answered(asked, answer, { name, reason, choice })
    }
    await store.swap(asked.id, stands, undefined)
    throw this.#nobody(asked, choice)
  }

  /** Undefined: it is not there, or will not stay. Throws what the cluster decided. */
  async #attempt(asked: Asked, intent: Place): Promise<Answer | undefined> {
    const { store, finder, holder } = this.#options
    const { cluster } = intent
    const outcome = await holder.send(asked, cluster)
    if (outcome.ok) return this.#unlessLeft(asked, cluster, outcome.value)
    const { failure } = outcome
    asked.tried.set(cluster, failure.text)
    if (failure.kind === 'answered') {
      if (!mayBeThere.has(failure.error.code)) await store.swap(asked.id, intent, undefined)
      throw passedOn(failure)
    }
    if (failure.kind !== 'unknown') return undefined
    const there = await finder.lookup(cluster, targetOf(asked), asked.headers)
    if (there.kind === 'found' && isHeld(there.sandbox, asked)) {
      const response = create(CreateSandboxResponseSchema, { sandbox: there.sandbox, created: true })
      return { response, replayed: false }
    }
    await holder.owe(asked, cluster)
    return undefined
  }

  /** Where nothing is remembered, an ended sandbox of the key is what was released for being left behind there. */
  #unlessLeft({ tried }: Asked, cluster: string, answer: Answer): Answer | undefined {
    const { sandbox, created } = answer.response
    if (created || !sandbox || !hasEnded(sandbox)) return answer
    tried.set(cluster, 'has an ended sandbox of this key')
    return undefined
  }

  async #choice(asked: Asked, held: Place | undefined): Promise<Choice> {
    const { clusters, settings, random, store } = this.#options
    const { tenant, request, labels, tried } = asked
    const near = asked.keyed ? await store.get(sandboxIdOf({ ...request, idempotencyKey: '' })) : undefined
    const views = clusters.views().filter(({ cluster }) => !tried.has(cluster.name))
    const key = settings.strategy === 'rendezvous' ? `${tenant}/${request.projectId}` : String(random())
    return choose(views, {
      key,
      labels,
      failoverAfterMs: settings.failoverAfterMs,
      ...(held && { held: held.cluster }),
      ...(near && { near: near.cluster })
    })
  }

  #nobody(asked: Asked, choice: Choice): Error {
    const said = considered(choice, asked, '').map(({ name, verdict }) => `${name}: ${verdict}`)
    const message = `no cluster can take sandbox ${asked.id} of project ${asked.request.projectId} now`
    return unavailable(`${message}: ${said.join('; ')}`, asked.id, this.#options.clusters.retryAfterMs())
  }

  /** Says in the answer how its cluster was chosen. */
  async #answered(asked: Asked, answer: Answer, { name, reason, choice }: Chosen): Promise<Answer> {
    const { clusters, metrics, store, holder } = this.#options
    const { response } = answer
    metrics.placed(name, reason)
    if (response.created) clusters.added(name)
    const place = holder.place(name, 'placed')
    // A key that is used anew while its first sandbox still lives makes one of another id.
    const id = response.sandbox?.id ?? asked.id
    if (id !== asked.id) await store.swap(id, undefined, place)
    const cluster = clusters.cluster(name)
    if (cluster) response.placement = placementOf(asked, choice ?? (await this.#choice(asked, place)), cluster, reason)
    return answer
  }
}

type Chosen = { readonly name: string; readonly reason: Choice['reason']; readonly choice?: Choice }
