import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What stands on the first bound member of the gang `train` of four, as a muster of that version wrote it. */
export type KeptRecord = {
  readonly bound: { readonly pod: string; readonly node: string }
  readonly annotations: Readonly<Record<string, string>>
}

/** A record of a former version, kept as it was written. */
export function keptRecord(version: 'unversioned'): KeptRecord {
  const file = join(import.meta.dirname, 'records', `${version}.json`)
  return JSON.parse(readFileSync(file, 'utf8')) as KeptRecord
}
