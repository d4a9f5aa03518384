import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const common: Readonly<Record<string, string>> = {
  apiVersion: 'APIVersion defines the versioned schema of this representation of an object.',
  kind: 'Kind is a string value representing the REST resource this object represents.'
}

let known: ReadonlyMap<string, string> | undefined

/** What a type or one of its fields is; read when somebody asks for the first time. */
export function descriptionOf(type: string, field?: string): string {
  known ??= read()
  if (field === undefined) return known.get(type) ?? ''
  return known.get(`${type}:${field}`) ?? common[field] ?? ''
}

/** A line at the margin is a type, one that is indented a field of it. */
function read(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let type = ''
  for (const line of readFileSync(join(import.meta.dirname, 'descriptions.txt'), 'utf8').split('\n')) {
    const [, indent = '', name = '', description = ''] = /^( ?)(\S+) ?(.*)$/.exec(line) ?? []
    if (indent === '') type = name
    found.set(indent === '' ? type : `${type}:${name}`, description)
  }
  return found
}
