/** Careful reads of untrusted JSON: a wrong type reads as absent. */
import type { Json } from './ports.ts'

const nothing: Json = Object.freeze({})

export function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : nothing
}

export function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((entry): entry is Json => object(entry) === entry) : []
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** The object that a text holds; an empty one where it holds none. */
export function parsed(value: unknown): Json {
  try {
    return object(JSON.parse(text(value) ?? '{}'))
  } catch {
    return nothing
  }
}

/** RFC 3339 in milliseconds since the epoch. */
export function time(value: unknown): number | undefined {
  const at = Date.parse(text(value) ?? '')
  return Number.isNaN(at) ? undefined : at
}
