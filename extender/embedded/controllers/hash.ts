/** Letters and digits that cannot spell words, as upstream's rand.SafeEncodeString. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** A short name for a JSON value: equal values, in whatever order their fields stand, have equal names. */
export function hashOf(value: unknown): string {
  let hash = 0x811c9dc5
  const text = canonical(value)
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return String(hash).replaceAll(/\d/g, digit => alphabet[digit.charCodeAt(0) % alphabet.length] ?? digit)
}

/** JSON with sorted fields. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(',')}}`
}
