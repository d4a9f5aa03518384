/** Reads of JSON that others wrote: a wrong type reads as absent. */

export type Json = Readonly<Record<string, unknown>>

const nothing: Json = Object.freeze({})

/** The value as an object; an empty one where it is none. */
export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : nothing
}

/** The value as a list of objects; entries that are none are left out. */
export function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((entry): entry is Json => object(entry) === entry) : []
}

/** The value as text; empty where it is none. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
