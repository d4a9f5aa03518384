/** Careful reads of untrusted JSON: a wrong type reads as absent, so that hostile content never throws. */

export type Json = Readonly<Record<string, unknown>>

const nothing: Json = Object.freeze({})

/** The value as an object; an empty one where it is none. */
export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : nothing
}

/** The value as a list of objects; entries that are none are left out. */
export function objects(value: unknown): readonly Json[] {
  if (!Array.isArray(value)) return []
  return value.filter((entry): entry is Json => object(entry) === entry)
}

/** The value as text; undefined where it is none or empty. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The value as a list of texts. */
export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(entry => typeof entry === 'string') : []
}

/** The value as an integer that JavaScript holds exactly. */
export function integer(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

/** A `Status` object's message, or what stands there instead, cut to a line. */
export function statusMessage(status: number, body: unknown): string {
  return text(object(body).message)?.slice(0, 500) ?? `HTTP ${status}`
}
