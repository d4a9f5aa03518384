import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { StatusError } from '../store/objects.ts'

export type User = { readonly username: string; readonly groups: readonly string[] }

/** One request that has been answered: who did what. */
export type AuditEntry = {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly user: string
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`. */
  readonly verb: string
  /** `pods`, `pods/binding`, `deployments.apps`; empty for what is no resource. */
  readonly resource: string
  readonly namespace: string
  readonly name: string
  readonly code: number
}

const anonymous: User = { username: 'system:anonymous', groups: ['system:unauthenticated'] }

/** The bearer tokens of one server. Whoever has none is anonymous and may do everything: there is no authorization. */
export class Users {
  readonly #byToken = new Map<string, User>()

  /** Draws a token for a user. */
  add(username: string, groups: readonly string[] = ['system:masters']): string {
    const token = randomBytes(16).toString('hex')
    this.#byToken.set(token, { username, groups: [...groups, 'system:authenticated'] })
    return token
  }

  /** Undefined for a token that is nobody's. */
  ofToken(token: string): User | undefined {
    return this.#byToken.get(token)
  }

  /** Who sends these headers; throws 401 where the token is nobody's. */
  of(headers: IncomingHttpHeaders): User {
    const user = this.#authenticated(headers.authorization)
    const impersonated = headers['impersonate-user']
    if (typeof impersonated !== 'string') return user
    const groups = [headers['impersonate-group'] ?? []].flat()
    return { username: impersonated, groups: [...groups, 'system:authenticated'] }
  }

  #authenticated(authorization: string | undefined): User {
    const [, token] = /^bearer\s+(\S+)$/i.exec(authorization ?? '') ?? []
    if (token === undefined) return anonymous
    const user = this.#byToken.get(token)
    if (!user) throw new StatusError(401, 'Unauthorized', 'Unauthorized')
    return user
  }
}

/** The latest requests that were answered. */
export class Audit {
  readonly #kept: number
  readonly #entries: AuditEntry[] = []

  constructor(kept = 10_000) {
    this.#kept = kept
  }

  /** The oldest first. */
  get entries(): readonly AuditEntry[] {
    return this.#entries.slice(-this.#kept)
  }

  record(entry: AuditEntry): void {
    this.#entries.push(entry)
    // In lumps, since taking away the first of many moves all others.
    if (this.#entries.length >= 2 * this.#kept) this.#entries.splice(0, this.#kept)
  }
}
