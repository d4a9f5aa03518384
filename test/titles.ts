import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const nameOf =
  /(?:\b(?:test|example|story|scenario)\(\s*|\blab, \[\s*|^\s*\[?|^\s*(?:const |[{ ])*(?:name|title)(?: =|:)\s*)(["'`])(.*?)\1\s*(?:[,:\]}]|$)/gm
/** Skipped whatever the machine; what is skipped only where something is missing says so by an expression. */
const skipped = /^\s*\{\s*(?:skip|todo):\s*(?:true|["'`])/

/** The names of tests in a source: what `test`, `example`, `story` and `scenario` are called with, and the keys of tables of tests. */
export const titlesIn = (source: string): string[] =>
  [...source.matchAll(nameOf)]
    .filter(match => !skipped.test(source.slice(match.index + match[0].length)))
    .map(([, , name]) => name!)

/** The names of tests by file under test/. */
export const titles: ReadonlyMap<string, readonly string[]> = new Map(
  globSync('**/*.test.ts', { cwd: import.meta.dirname }).map(file => [
    file,
    titlesIn(readFileSync(join(import.meta.dirname, file), 'utf8'))
  ])
)
