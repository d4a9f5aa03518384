import { reasonOf } from '../errors.ts'

/** Of one text of a line; whoever names a pod or writes an annotation decides how long it is. */
const longestText = 1_024
const longestStack = 8_192
const longestList = 32
const deepest = 3

/** The fields of a line with whatever is in them cut to what a line can bear. */
export function bounded(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, shorter(value, deepest)]))
}

/** A text of at most that length, which says so where it was longer. */
export function cut(text: string, most = longestText): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`
}

/** What is told of an error: its own words, not what else hangs on it, such as a request with its headers. */
function errorFields(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? { code: cut(error.code, 64) } : {}
  return {
    ...{ type: error.constructor.name || name, message: cut(message), ...code },
    ...(stack !== undefined && { stack: cut(stack, longestStack) }),
    ...(cause !== undefined && { cause: reasonOf(cause) })
  }
}

function shorter(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return errorFields(value)
  if (depth === 0) return '…'
  if (Array.isArray(value)) {
    const some: unknown[] = value.slice(0, longestList).map(each => shorter(each, depth - 1))
    return value.length > longestList ? [...some, `… (${value.length} in all)`] : some
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, longestList)
      .map(([key, each]) => [cut(key), shorter(each, depth - 1)])
  )
}
