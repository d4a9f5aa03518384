/**
 * Preloaded (`node --import`) where muster is to be made wrong: as a file is loaded, one text of it becomes another.
 * The product knows nothing of it, and a text that is not there, or stands there twice, fails loudly.
 */
import { registerHooks } from 'node:module'
import { mutants } from './mutants.ts'

const name = process.env['MUTANT'] ?? ''
const mutant = mutants.find(each => each.name === name)
if (!mutant) throw new Error(`there is no mutant ${JSON.stringify(name)}`)
const target = new URL(`../../${mutant.file}`, import.meta.url).href

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (url !== target) return loaded
    const parts = textOf(loaded.source).split(mutant.from)
    if (parts.length !== 2)
      throw new Error(`mutant ${name}: ${mutant.file} has ${JSON.stringify(mutant.from)} ${parts.length - 1} times`)
    return { ...loaded, source: parts.join(mutant.to) }
  }
})

function textOf(source: unknown): string {
  if (typeof source === 'string') return source
  if (source instanceof Uint8Array) return Buffer.from(source).toString()
  throw new TypeError(`mutant ${name}: ${mutant?.file} is not loaded as text`)
}
