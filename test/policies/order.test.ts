import * as fc from 'fast-check'
import t from 'tap'
import { annotations, commit, gangGate } from '../../policies/names.ts'
import { order, type Waiting } from '../../policies/order.ts'

const gang = (key: string, more: Partial<Waiting> = {}): Waiting => ({
  key,
  namespace: 'ns',
  name: key,
  priority: 0,
  size: 0,
  annotationPriority: 0,
  createdAt: 0,
  ...more
})
const [x, y] = [{ namespace: 'x' }, { namespace: 'y' }]

const cases: Record<string, { readonly entries: readonly Waiting[]; readonly want: string }> = {
  'priority first': { entries: [gang('a'), gang('b', { priority: 1, createdAt: 9 })], want: 'b a' },
  'S3.22 then size, smaller first, where sizes are told': {
    entries: [gang('a', { size: 3 }), gang('b', { size: 1, createdAt: 9 })],
    want: 'b a'
  },
  'then age': { entries: [gang('a', { createdAt: 2 }), gang('b', { createdAt: 1 })], want: 'b a' },
  'then namespace, then name': {
    entries: [gang('b', y), gang('c', x), gang('a', y)],
    want: 'c a b'
  },
  'the annotation orders its namespace': { entries: [gang('a'), gang('b', { annotationPriority: 1 })], want: 'b a' },
  'and takes places of that namespace only': {
    entries: [
      gang('x1', { ...x, createdAt: 1 }),
      gang('y1', { ...y, createdAt: 2 }),
      gang('x2', { ...x, createdAt: 3, annotationPriority: 9 }),
      gang('y2', { ...y, createdAt: 4 })
    ],
    want: 'x2 y1 x1 y2'
  },
  'never across priorities': {
    entries: [gang('a', { priority: 1 }), gang('b', { annotationPriority: 9 })],
    want: 'a b'
  },
  'a negative annotation steps back': { entries: [gang('a', { annotationPriority: -1 }), gang('b')], want: 'b a' }
}
for (const [name, { entries, want }] of Object.entries(cases)) {
  t.test(name, async t =>
    t.equal(
      order(entries)
        .map(each => each.key)
        .join(' '),
      want
    )
  )
}

const anyGangs = fc.uniqueArray(
  fc.record({
    key: fc.string(),
    namespace: fc.constantFrom('x', 'y'),
    name: fc.constantFrom('a', 'b'),
    priority: fc.nat(2),
    size: fc.nat(1),
    annotationPriority: fc.integer({ min: -2, max: 2 }),
    createdAt: fc.nat(3)
  }),
  { selector: each => each.key }
)

t.test('is total: the same in whatever order they come, and nobody is lost', async () => {
  fc.assert(
    fc.property(anyGangs, entries => {
      const keys = order(entries).map(each => each.key)
      return (
        keys.join('|') ===
          order(entries.toReversed())
            .map(each => each.key)
            .join('|') && new Set(keys).size === entries.length
      )
    }),
    { seed: 7 }
  )
})

const places = (entries: readonly Waiting[]) => order(entries).map(each => (each.namespace === 'y' ? each.key : ''))
t.test("a namespace's annotations leave the places of all others alone", async () => {
  fc.assert(
    fc.property(anyGangs, entries => {
      const plain = entries.map(each => (each.namespace === 'x' ? { ...each, annotationPriority: 0 } : each))
      return places(entries).join('|') === places(plain).join('|')
    }),
    { seed: 7 }
  )
})

t.test('own names are unique and under one domain', async t => {
  const names = [...Object.values(annotations), ...Object.values(commit)]
  t.equal(new Set(names).size, names.length)
  t.strictSame(
    names.filter(name => !/^muster\.dev\/[a-z-]+$/.test(name)),
    []
  )
  t.equal(gangGate, 'muster.dev/gang')
})
