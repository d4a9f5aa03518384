import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import type { Scope } from '../idempotence-store.ts'
import {
  FailureCode,
  FailurePhase,
  Reason,
  type Sandbox,
  SandboxSchema,
  State
} from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { Claim } from './claim.ts'
import { type Claimed, type Claimer, keyReused } from './claimer.ts'
import type { Claims } from './claims.ts'
import { sandboxOf } from './answer.ts'
import { aborted } from './errors.ts'
import { text } from '../../json.ts'
import { parsed } from './json.ts'
import type { Keys, Made } from './keys.ts'
import type { Launcher } from './launcher.ts'
import type { SandboxMetrics } from './metrics.ts'
import type { Settings } from './ports.ts'
import type { Record } from './record.ts'
import { idOf, type Wanted } from './request.ts'

export type CreatorParts = {
  readonly claimer: Claimer
  readonly launcher: Launcher
  readonly keys: Keys
  readonly record: Record
  readonly claims: Claims
  readonly metrics: SandboxMetrics
  readonly clock: Clock
  readonly settings: Settings
}

/** A sandbox, and whether this request made it. */
export type Created = { readonly sandbox: Sandbox; readonly created: boolean }

type Flight = { readonly fingerprint: string; readonly landing: Promise<Created> }

/** Makes a sandbox for a request, once however often it is asked. */
export class Creator {
  readonly #parts: CreatorParts
  /** Requests under way in this process: the same again joins. */
  readonly #flights = new Map<string, Flight>()

  constructor(parts: CreatorParts) {
    this.#parts = parts
  }

  async create(wanted: Wanted): Promise<Created> {
    const id = idOf(wanted)
    const flight = this.#flights.get(id)
    if (flight) return this.#join(flight, wanted)
    const landing = this.#timed(wanted)
    this.#flights.set(id, { fingerprint: wanted.fingerprint, landing })
    try {
      return await landing
    } finally {
      this.#flights.delete(id)
    }
  }

  async #join({ fingerprint, landing }: Flight, wanted: Wanted): Promise<Created> {
    if (fingerprint !== wanted.fingerprint && wanted.key !== '') throw keyReused()
    // Another wish for the same project waits, and is then compared with what is there.
    if (fingerprint !== wanted.fingerprint) {
      await landing.catch(() => undefined)
      return this.create(wanted)
    }
    const { sandbox } = await landing
    this.#parts.metrics.creates.inc({ result: 'joined' })
    return { sandbox, created: false }
  }

  async #timed(wanted: Wanted): Promise<Created> {
    const { metrics, clock } = this.#parts
    const from = clock.now()
    try {
      const made = await (wanted.key === '' ? this.#make(wanted) : this.#once(wanted))
      metrics.creates.inc({ result: made.created ? 'created' : 'replayed' })
      if (made.created) metrics.createSeconds.observe((clock.now() - from) / 1000)
      return made
    } catch (error) {
      metrics.creates.inc({ result: 'refused' })
      throw error
    }
  }

  /** With a key: what was answered before is answered again, for as long as the key is remembered. */
  async #once(wanted: Wanted): Promise<Created> {
    const { keys } = this.#parts
    const scope = { tenant: wanted.tenant, method: 'create', key: wanted.key }
    const begun = await keys.begin(scope, wanted.fingerprint)
    switch (begun?.outcome) {
      case 'replay':
        return this.#replay(wanted, begun.response)
      case 'mismatch':
        throw keyReused()
      case 'inflight': {
        const message = 'the same request is under way elsewhere; ask again'
        throw aborted('in_flight', message, 'idempotency_key', Math.min(begun.retryAfterMs, 1_000))
      }
      case 'new':
        return this.#saved(wanted, scope, begun.token)
      case undefined:
        return this.#make(wanted)
    }
  }

  /** Whatever was refused made nothing, or what it made is found again by its name: the key is not spent. */
  async #saved(wanted: Wanted, scope: Scope, token: number): Promise<Created> {
    const { keys } = this.#parts
    try {
      const made = await this.#make(wanted)
      await keys.done(scope, token, made.sandbox)
      return made
    } catch (error) {
      await keys.forget(scope, token)
      throw error
    }
  }

  async #make(wanted: Wanted): Promise<Created> {
    const { claimer } = this.#parts
    const { claim, isNew }: Claimed = await claimer.claim(wanted)
    if (!isNew) return { sandbox: this.#told(claim), created: false }
    return { sandbox: this.#told(await this.#launched(claim)), created: true }
  }

  /**
   * A pod that there is no room for takes its claim with it: nothing of the request is left. For all that may pass the
   * claim stands, and gets its pod as soon as it can.
   */
  async #launched(claim: Claim): Promise<Claim> {
    const { launcher, record } = this.#parts
    try {
      return (await launcher.launch(claim)) ?? claim
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== Code.ResourceExhausted) return claim
      await record.discard(claim)
      throw error
    }
  }

  /** What that key made, as it is now: alive, or how it ended. A second one is never made. */
  async #replay(wanted: Wanted, response: string): Promise<Created> {
    const made = madeIn(response)
    const { claims, record, keys } = this.#parts
    const known = claims.get(made.id)
    const claim = known?.uid === made.uid ? known : await record.read(made.id)
    if (claim?.uid === made.uid) return { sandbox: this.#told(claim), created: false }
    const ended = await keys.recall(wanted.tenant, made.id)
    return { sandbox: ended?.uid === made.uid ? ended : lost(wanted, made), created: false }
  }

  #told(claim: Claim): Sandbox {
    const { claims, settings } = this.#parts
    return sandboxOf(claim, claims.podOf(claim), settings)
  }
}

function madeIn(response: string): Made {
  const { id, uid } = parsed(response)
  return { id: text(id) ?? '', uid: text(uid) ?? '' }
}

/** It was there, it is not there any more, and nobody of us has ended it. */
function lost({ tenant, projectId }: Wanted, { id, uid }: Made): Sandbox {
  return create(SandboxSchema, {
    ...{ id, uid, tenant, projectId, state: State.TERMINATED, reason: Reason.FAILED },
    failure: {
      phase: FailurePhase.RUNTIME,
      code: FailureCode.DELETED_EXTERNALLY,
      message: 'its Service is gone, and not by us; when is not known'
    }
  })
}
