/** Reads of objects whose shape is not sure: a wrong type reads as absent. */

export type Fields = Readonly<Record<string, unknown>>

const none: Fields = Object.freeze({})

/** The value as an object; an empty one where it is none. */
export function fields(value: unknown): Fields {
  return isFields(value) ? value : none
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value as a list of objects; entries that are none are left out. */
export function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

/** The value as text; undefined where it is none or empty. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(entry => typeof entry === 'string') : []
}

/** What stands at the end of a path of fields. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value
  for (const step of path) here = isFields(here) && Object.hasOwn(here, step) ? here[step] : undefined
  return here
}

/** An object without some of its fields. */
export function without(value: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}

/** Deep equality of JSON values, an undefined field being none. */
export function equal(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (Array.isArray(one) || Array.isArray(other)) return equalArrays(one, other)
  return isFields(one) && isFields(other) && covers(one, other) && covers(other, one)
}

function equalArrays(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false
  return one.every((value, index) => equal(value, other[index]))
}

const covers = (one: Fields, other: Fields): boolean => Object.keys(one).every(key => equal(one[key], other[key]))
