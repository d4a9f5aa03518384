import { StatusError } from './objects.ts'

/** Nobody means JSON nested deeper than this; recursion over it would end in a full stack. */
const deepest = 200

/**
 * The value as it is stored: a frozen copy without undefined fields, in which everything that equals its counterpart
 * in `previous` is that counterpart. The answer is `previous` itself exactly when nothing differs.
 */
export function settle(previous: unknown, next: unknown, depth = 0): unknown {
  if (next === previous || typeof next !== 'object' || next === null) return next
  if (depth > deepest) throw new StatusError(400, 'BadRequest', `the object is nested deeper than ${deepest} levels`)
  if (Array.isArray(next)) return settleArray(previous, next, depth)
  return settleObject(previous, next as Fields, depth)
}

type Fields = Readonly<Record<string, unknown>>

function settleArray(previous: unknown, next: readonly unknown[], depth: number): unknown {
  const before: readonly unknown[] = Array.isArray(previous) ? previous : []
  let same = Array.isArray(previous) && before.length === next.length
  const copy: unknown[] = []
  for (let index = 0; index < next.length; index++) {
    const value = settle(before[index], next[index], depth + 1)
    if (value !== before[index]) same = false
    copy.push(value)
  }
  return same ? previous : Object.freeze(copy)
}

function settleObject(previous: unknown, next: Fields, depth: number): unknown {
  const before = fieldsOf(previous)
  let same = before !== undefined
  let size = 0
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(next)) {
    // A field of this name would become the copy's prototype.
    if (next[key] === undefined || key === '__proto__') continue
    const old = own(before, key)
    const value = settle(old, next[key], depth + 1)
    if (value !== old) same = false
    copy[key] = value
    size++
  }
  if (same && before !== undefined && Object.keys(before).length === size) return previous
  return Object.freeze(copy)
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

function own(fields: Fields | undefined, key: string): unknown {
  return fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined
}
