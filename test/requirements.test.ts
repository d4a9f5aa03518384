import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Group, groups, type Shown } from './requirements.ts'
import { titles, titlesIn } from './titles.ts'

const root = join(import.meta.dirname, '..')
const idIn = /\bS[0-4]\.\d+\b/g

/** The names of tests with ids in them, by file under test/. */
const tests = new Map([...titles].map(([file, names]) => [file, names.filter(name => name.search(idIn) >= 0)]))
const hasId = (name: string, id: string) => [...name.matchAll(idIn)].some(([found]) => found === id)
const { scripts: commands } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

/** What a line promises and the tree does not keep. */
function brokenPromises(
  id: string,
  { tests: files = [], speakOf = [], documents = {}, scripts = {} }: Shown
): string[] {
  const named = files.map(file => ({ file, names: (tests.get(file) ?? []).filter(name => hasId(name, id)) }))
  const all = named.flatMap(({ names }) => names).join('\n')
  return [
    ...named.filter(({ names }) => names.length === 0).map(({ file }) => `no test of ${file} names ${id}`),
    ...speakOf.filter(words => !all.includes(words)).map(words => `no test of ${id} speaks of ${words}`),
    ...Object.entries(documents).flatMap(([file, wanted]) => missingIn(file, wanted)),
    ...Object.entries(scripts)
      .filter(([name, start]) => commands[name]?.startsWith(start) !== true)
      .map(([name, start]) => `the script ${name} does not begin with ${start}`)
  ]
}

/** A heading has to be a line of its own; other words may stand anywhere. */
function missingIn(file: string, wanted: readonly string[]): string[] {
  if (!existsSync(join(root, file))) return [`there is no ${file}`]
  const text = readFileSync(join(root, file), 'utf8')
  const isThere = (words: string) => (words.startsWith('#') ? text.split('\n').includes(words) : text.includes(words))
  return wanted.filter(words => !isThere(words)).map(words => `${file} does not say: ${words}`)
}

const idsOf = (name: string, { last }: Group) => Array.from({ length: last }, (_, index) => `${name}.${index + 1}`)
const lineOf = ({ shown }: Group, id: string) => shown[Number(id.split('.')[1])]

for (const [name, group] of Object.entries(groups))
  t.test(`${name}, ${group.title}: each line is shown`, async t => {
    const ids = idsOf(name, group)
    const missing = ids.filter(id => lineOf(group, id) === undefined)
    t.strictSame(missing, [], 'nothing is missing')
    t.strictSame(
      Object.keys(group.shown).filter(number => !ids.includes(`${name}.${number}`)),
      [],
      'nothing is shown that is not asked for'
    )
    for (const id of ids) {
      const shown = lineOf(group, id)
      if (shown === undefined) continue
      t.not(Object.keys(shown).length, 0, `${id} is shown somewhere`)
      t.strictSame(brokenPromises(id, shown), [], id)
    }
  })

t.test('every id that a test names is one', async t => {
  const known = new Set(Object.entries(groups).flatMap(([name, group]) => idsOf(name, group)))
  for (const [file, names] of tests)
    for (const name of names) for (const [id] of name.matchAll(idIn)) t.ok(known.has(id), `${id} in ${file}: ${name}`)
})

t.test('the check bites', async t => {
  const cases: Record<string, { shown: Shown; want: string[] }> = {
    'a file without the id': {
      shown: { tests: ['config.test.ts'] },
      want: ['no test of config.test.ts names S4.20']
    },
    'a file that is gone': {
      shown: { tests: ['gone.test.ts'] },
      want: ['no test of gone.test.ts names S4.20']
    },
    'a feature that no name speaks of': {
      shown: { tests: ['embedded/k4s.test.ts'], speakOf: ['load balancing', 'time travel'] },
      want: ['no test of S4.20 speaks of time travel']
    },
    'a heading that is none': {
      shown: { documents: { 'README.md': ['# muster', '# mus'] } },
      want: ['README.md does not say: # mus']
    },
    'a document that is gone': { shown: { documents: { 'NO.md': ['x'] } }, want: ['there is no NO.md'] },
    'a script': { shown: { scripts: { nope: 'x' } }, want: ['the script nope does not begin with x'] }
  }
  for (const [name, { shown, want }] of Object.entries(cases)) t.strictSame(brokenPromises('S4.20', shown), want, name)
  t.strictSame(titlesIn(`t.test('S4.1 a', f)\n  "S4.2 it's": {`), ['S4.1 a', "S4.2 it's"])
  t.notOk(hasId('S4.10 x', 'S4.1'))
})
