import type { Clock, Random } from '../../../clock.ts'

const [second, minute, hour] = [1_000, 60_000, 3_600_000]

/** Waits between attempts, as standard-webhooks suggests them: ten attempts in three days. */
export const waits: readonly number[] = [
  ...[0, 5 * second, 5 * minute, 30 * minute],
  ...[2, 5, 10, 14, 20, 24].map(hours => hours * hour)
]

/** A receiver may not ask for more. */
const longestWait = 24 * hour

/** How long to wait after so many attempts, at least what the receiver asks for; undefined where it is given up. */
export function waitAfter(attempts: number, asked: number, random: Random): number | undefined {
  const wait = waits[attempts]
  if (wait === undefined) return undefined
  // Upwards only, so that receivers are never called earlier than they were told.
  return Math.max(wait * (1 + random() / 5), Math.min(asked, longestWait))
}

/** How long a receiver with too much to do is spared: as long as it asks, else longer each time in a row. */
export function spareFor(times: number, asked: number): number {
  return asked > 0 ? Math.min(asked, longestWait) : Math.min(5 * minute, 5 * second * 2 ** Math.min(times, 10))
}

/** Retry-After, in seconds or as a date, in milliseconds; 0 where it is neither. */
export function askedWait(retryAfter: string | undefined, clock: Clock): number {
  if (retryAfter === undefined) return 0
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * second
  const date = Date.parse(retryAfter)
  return Number.isNaN(date) ? 0 : Math.max(0, date - clock.wall())
}
