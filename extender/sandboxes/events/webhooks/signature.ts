import { createHmac } from 'node:crypto'
import { UsageError } from '../../../errors.ts'

/** The key of a secret as standard-webhooks writes it: `whsec_` and base64 of 24 to 64 bytes. */
export function keyOf(secret: string, where: string): Buffer {
  const [, text = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const key = Buffer.from(text, 'base64')
  if (key.length < 24 || key.length > 64)
    throw new UsageError(
      `${where}: a secret must be whsec_ and base64 of 24 to 64 bytes, as \`openssl rand -base64 32\` gives`
    )
  return key
}

/** The headers of standard-webhooks 1.0: one signature for each key, so that secrets can be exchanged one after the other. */
export function signedHeaders(
  keys: readonly Buffer[],
  id: string,
  seconds: number,
  body: string
): Readonly<Record<string, string>> {
  const sign = (key: Buffer): string => createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': keys.map(key => `v1,${sign(key)}`).join(' ')
  }
}
