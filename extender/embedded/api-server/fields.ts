/** Reads what a dotted path names in plain JSON; whatever is not there is undefined. */
export function at(value: unknown, path: string): unknown {
  let found = value
  for (const key of path.split('.')) found = record(found)[key]
  return found
}

/** An object, or an empty one. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** A list, or an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : []
}

/** The text at a path, or what stands in for it. */
export function text(value: unknown, path: string, fallback = ''): string {
  const found = at(value, path)
  if (typeof found === 'string') return found === '' ? fallback : found
  return typeof found === 'number' || typeof found === 'boolean' ? String(found) : fallback
}

/** The number at a path, or 0. */
export function count(value: unknown, path: string, fallback = 0): number {
  const found = at(value, path)
  return typeof found === 'number' ? found : fallback
}
