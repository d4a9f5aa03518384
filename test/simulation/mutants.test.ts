import { readFileSync } from 'node:fs'
import t from 'tap'
import { deathsOf, row } from './deaths.ts'
import { mutants } from './mutants.ts'

/** Within the seeds that simulation.test.ts runs, which muster itself passes. */
const seeds = 400

t.test('what the mutants change stands in its file once', async t => {
  for (const { name, file, from } of mutants)
    t.equal(readFileSync(file, 'utf8').split(from).length, 2, `${name}: ${file}`)
})

t.test('whoever makes muster wrong is noticed', async t => {
  const deaths = await deathsOf(mutants, { seeds })
  t.comment(['', ...deaths.map(row)].join('\n'))
  t.ok(deaths.length >= 20, `${deaths.length} mutants`)
  for (const { mutant, broken } of deaths) t.ok(broken, `${mutant.name}: ${broken ?? 'nothing noticed it'}`)
})

t.test('a mutant whose text is gone is no mutant', async t => {
  const [any] = mutants
  const [death] = await deathsOf([{ ...any!, name: 'no such mutant' }], { seeds: 1 }).catch((error: Error) => [error])
  t.match(death, /has ended/)
})
