import { Code } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import { refusal } from '../refusals.ts'
import { type Claim, expiryNote, lastMoment, retainNote, usedNote } from './claim.ts'
import { hasEnded } from './claimer.ts'
import type { Claims } from './claims.ts'
import { endedOf, idleDeadline } from './decision.ts'
import type { Keeper } from './keeper.ts'
import type { Record } from './record.ts'

export type LifetimesParts = {
  readonly record: Record
  readonly claims: Claims
  readonly keeper: Keeper
  readonly clock: Clock
}

/** Uses closer together than this part of the idle time are one. */
const useShare = 10

/** Moves the end of a sandbox, or brings it about. */
export class Lifetimes {
  readonly #parts: LifetimesParts

  constructor(parts: LifetimesParts) {
    this.#parts = parts
  }

  /** It ends at least that much later than now, and never earlier than it would have. Never brings one back. */
  retain(claim: Claim, ttlMs: number = claim.spec.ttlMs): Promise<Claim | undefined> {
    return this.#parts.record.change(claim, current => {
      const now = this.#alive(current)
      const expiresAt = Math.min(lastMoment(current), Math.max(current.expiresAt, now + ttlMs))
      return { ...expiryNote(expiresAt), ...retainNote(current.retainCount + 1), ...usedNote(now) }
    })
  }

  /** Somebody uses it; when it expires stays as it was. */
  touch(claim: Claim): Promise<Claim | undefined> {
    return this.#parts.record.change(claim, current => {
      const now = this.#alive(current)
      const { idleTimeoutMs } = current.spec
      const isRecent = idleTimeoutMs === 0 || now - current.usedAt < idleTimeoutMs / useShare
      return isRecent ? undefined : usedNote(now)
    })
  }

  /** Ends it at once; where it has ended before, that end stands. */
  release(claim: Claim): Promise<Claim | undefined> {
    const { keeper, claims, clock } = this.#parts
    const view = { pod: claims.podOf(claim), last: claims.lastOf(claim), now: clock.wall() }
    return keeper.end(claim, endedOf('RELEASED', view))
  }

  /** Answers the time; throws where its end has come, whether anybody has noticed or not. */
  #alive(claim: Claim): number {
    const now = this.#parts.clock.wall()
    const isIdle = now >= idleDeadline(claim, this.#parts.claims.podOf(claim))
    if (!isIdle && !hasEnded(claim, now)) return now
    const message = `sandbox ${claim.id} has ended; ask for a new one`
    throw refusal(Code.FailedPrecondition, 'terminated', message, { subject: claim.id })
  }
}
