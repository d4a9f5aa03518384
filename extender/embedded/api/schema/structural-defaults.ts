import { type Fields, fields, isFields } from '../fields.ts'

/** A custom object with the defaults of its schema: of fields that are missing, or null where null is not allowed. */
export function structuralDefaults(schema: Fields, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = fields(schema['items'])
    return value.map(entry => structuralDefaults(items, entry))
  }
  if (!isFields(value)) return value
  const result: Record<string, unknown> = { ...value }
  const properties = fields(schema['properties'])
  for (const [name, property] of Object.entries(properties)) defaultOne(result, name, fields(property))
  const additional = schema['additionalProperties']
  if (isFields(additional))
    for (const name of Object.keys(result))
      if (!Object.hasOwn(properties, name)) result[name] = structuralDefaults(additional, result[name])
  return result
}

function defaultOne(result: Record<string, unknown>, name: string, property: Fields): void {
  const value = result[name]
  const absent = value === undefined || (value === null && property['nullable'] !== true)
  if (absent && property['default'] !== undefined) result[name] = property['default']
  else if (value === null && absent) delete result[name]
  if (result[name] !== undefined) result[name] = structuralDefaults(property, result[name])
}
