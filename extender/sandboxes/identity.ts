import { createHash } from 'node:crypto'

/** Who asks, and for which sandbox. */
export type Identity = { readonly tenant: string; readonly projectId: string; readonly idempotencyKey: string }

/** The tenant of those who name none. */
export const tenantOf = (tenant: string): string => tenant || 'default'

const letters = 'abcdefghijklmnopqrstuvwxyz234567'
const length = 26

/**
 * The id of a sandbox and the name of its Service, a DNS label: whoever knows the request knows where to look. With an
 * idempotency key that is the identity, inside its tenant; without one the project is.
 */
export function sandboxIdOf({ tenant, projectId, idempotencyKey }: Identity): string {
  const identity = idempotencyKey === '' ? ['project', projectId] : ['key', idempotencyKey]
  const digest = createHash('sha256')
    .update(['v1', tenantOf(tenant), ...identity].join('\0'))
    .digest()
  return `sbx-${base32(digest).slice(0, length)}`
}

function base32(octets: Uint8Array): string {
  const bits = [...octets].map(octet => octet.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map(five => letters[Number.parseInt(five, 2)]).join('')
}
