import t from 'tap'
import { type Fault, faults, kinds } from './faults.ts'
import { titles, titlesIn } from './titles.ts'

const ids = Object.entries(kinds).flatMap(([kind, last]) =>
  Array.from({ length: last }, (_, index) => `${kind}${index + 1}`)
)

/** What a title that a template makes looks like; undefined where hardly anything but the template is left of it. */
function pattern(title: string): RegExp | undefined {
  const parts = title.split(/\$\{[^}]*\}/)
  if (parts.length > 1 && parts.join('').length < 12) return undefined
  return new RegExp(`^${parts.map(part => RegExp.escape(part)).join('.*')}$`, 's')
}

/** What a row promises and the tree does not keep. */
function broken({ shown }: Fault): string[] {
  if ('why' in shown) return shown.why === '' ? ['no reason'] : []
  const named = Object.entries(shown)
  if (named.length === 0) return ['no test']
  return named.flatMap(([file, wanted]) => {
    const known = (titles.get(file) ?? []).map(title => pattern(title)).filter(found => found !== undefined)
    return wanted.filter(title => !known.some(found => found.test(title))).map(title => `${file} has no test: ${title}`)
  })
}

t.test('each fault has its tests, or the reason why it cannot be tried here', async t => {
  t.strictSame(
    ids.filter(id => !faults[id]),
    [],
    'no row is missing'
  )
  t.strictSame(
    Object.keys(faults).filter(id => !ids.includes(id)),
    [],
    'and none is too much'
  )
  for (const [id, fault] of Object.entries(faults)) t.strictSame(broken(fault), [], `${id}: ${fault.fault}`)
})

const of = (shown: Fault['shown']): string[] => broken({ fault: 'a', shown })

t.test('the check bites', async t => {
  t.strictSame(of({ 'faults.test.ts': ['the check bites'] }), [])
  t.strictSame(of({ 'faults.test.ts': ['the check bite'] }), ['faults.test.ts has no test: the check bite'])
  t.strictSame(of({ 'gone.test.ts': ['the check bites'] }), ['gone.test.ts has no test: the check bites'])
  t.strictSame(of({}), ['no test'])
  t.strictSame(of({ why: '' }), ['no reason'])
  t.ok(pattern("killed after ${count}${lost ? ', lost' : ''} of them")?.test('killed after 3, lost of them'))
  t.equal(pattern('${way}: ${name}'), undefined)
  const source = "t.test('one', { skip: true }, f)\nt.test('two', { skip: 'not now' }, f)\nt.test('three', { skip }, f)"
  t.strictSame(titlesIn(`${source}\nt.skip('four', f)`), ['three'], 'what is skipped whatever the machine is no test')
})
