import { fields, isFields } from './fields.ts'

/** RFC 7386: null deletes a field, lists are replaced. */
export function mergePatch(document: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch
  const result: Record<string, unknown> = { ...fields(document) }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}
