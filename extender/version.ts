import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { object, text } from './json.ts'

/** muster's version; `package.json` is the one place where it is written. */
export const version: string = read()

function read(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'))
  return text(object(manifest).version) ?? 'unknown'
}
