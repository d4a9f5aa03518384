/** Further careful reads of untrusted JSON, in bounds that every format of ours can write. */
import { type Json, object, text } from '../../json.ts'

const longest = { span: 10 * 366 * 86_400_000, moment: Date.UTC(9_900, 0) }

/** A whole number, of 32 bits where nothing else is said. */
export function whole(value: unknown, most = 2 ** 31 - 1): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= most ? value : undefined
}

/** A length of time in milliseconds, of at most ten years. */
export function span(value: unknown): number | undefined {
  const ms = whole(value, longest.span)
  return ms === undefined || ms < 0 ? undefined : ms
}

/** Milliseconds since the epoch, in years that every format of ours can write, also after a longest span. */
export function moment(value: unknown): number | undefined {
  const at = whole(value, longest.moment)
  return at === undefined || at < 0 ? undefined : at
}

/** The object that a text holds; an empty one where it holds none. */
export function parsed(value: unknown): Json {
  try {
    return object(JSON.parse(text(value) ?? '{}'))
  } catch {
    return object(undefined)
  }
}

/** RFC 3339 in milliseconds since the epoch. */
export const time = (value: unknown): number | undefined => moment(Date.parse(text(value) ?? ''))
