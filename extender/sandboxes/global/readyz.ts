import { request } from 'undici'
import type { Probe } from './clusters.ts'

/** Asks a scheduler's /readyz. */
export const readyz: Probe = async (endpoint, signal) => {
  const { statusCode, body } = await request(`${endpoint}/readyz`, { signal })
  await body.dump()
  return statusCode === 200 ? undefined : `/readyz answers ${statusCode}`
}
