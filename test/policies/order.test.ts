import * as fc from 'fast-check'
import t from 'tap'
import { annotations, commit, gangGate } from '../../policies/names.ts'
import { KeptOrder } from '../../policies/kept-order.ts'
import { older, type Waiting } from '../../policies/order.ts'

/** Who comes out, one after the other. */
function taken<T extends Waiting>(entries: readonly T[]): readonly T[] {
  const kept = new KeptOrder<T>()
  for (const entry of entries) kept.set(entry)
  return entries.map(() => kept.pop()).filter(entry => entry !== undefined)
}

const tier = ({ namespace, priority }: Waiting) => `${priority}/${namespace}`

/** The same, said as a rule for all at once: sort by age, then permute the equals of each namespace by annotation. */
function order(entries: readonly Waiting[]): readonly Waiting[] {
  const byAge = entries.toSorted(older)
  const tiers = Map.groupBy(byAge, tier)
  for (const equals of tiers.values()) equals.sort((a, b) => b.annotationPriority - a.annotationPriority)
  return byAge.map(one => tiers.get(tier(one))!.shift()!)
}

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
      taken(entries)
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
      const keys = taken(entries).map(each => each.key)
      return (
        keys.join('|') ===
          taken(entries.toReversed())
            .map(each => each.key)
            .join('|') && new Set(keys).size === entries.length
      )
    }),
    { seed: 7 }
  )
})

t.test('kept in step, it is the same, whoever comes, changes and goes between', async () => {
  fc.assert(
    fc.property(anyGangs, anyGangs, fc.array(fc.nat(9)), (first, then, pops) => {
      const kept = new KeptOrder<Waiting>()
      for (const entry of first) kept.set(entry)
      const there = new Map(first.map(entry => [entry.key, entry]))
      for (const pop of pops) {
        const changed = then[pop]
        const gone = first[pop]
        if (changed) kept.set(changed)
        if (changed) there.set(changed.key, changed)
        if (gone) kept.delete(gone.key)
        if (gone) there.delete(gone.key)
      }
      const popped = Array.from({ length: kept.size }, () => kept.pop()?.key)
      return (
        kept.pop() === undefined &&
        popped.join('|') ===
          order([...there.values()])
            .map(each => each.key)
            .join('|')
      )
    }),
    { seed: 7 }
  )
})

t.test('S3.73 to come and to go costs the logarithm of how many there are', async t => {
  let reads = 0
  const counted = (index: number): Waiting =>
    Object.defineProperty({ ...gang(`k${index}`), createdAt: index }, 'priority', { get: () => (reads++, index % 50) })
  const costs = [1_000, 16_000].map(count => {
    const kept = new KeptOrder<Waiting>()
    for (let index = 0; index < count; index++) kept.set(counted(index * 2))
    reads = 0
    for (let index = 0; index < 100; index++) kept.set(counted(index * 14 + 1))
    for (let index = 0; index < 100; index++) kept.pop()
    return reads / 200
  })
  t.ok(costs[1]! < 2 * costs[0]!, `${costs.join(' and ')} reads of priorities among 1,000 and 16,000`)
})

t.test('who is taken out holds no place of others: what is left comes as if nobody had gone', async () => {
  fc.assert(
    fc.property(anyGangs, fc.nat(9), (entries, count) => {
      const kept = new KeptOrder<Waiting>()
      for (const entry of entries) kept.set(entry)
      const popped = entries.slice(0, count).map(() => kept.pop()?.key)
      for (const key of ['new', 'other']) kept.set(gang(key, { priority: -1 }))
      for (const key of ['new', 'other']) kept.delete(key)
      while (kept.size > 0) popped.push(kept.pop()?.key)
      return (
        popped.join('|') ===
        order(entries)
          .map(each => each.key)
          .join('|')
      )
    }),
    { seed: 7 }
  )
})

const places = (entries: readonly Waiting[]) => taken(entries).map(each => (each.namespace === 'y' ? each.key : ''))
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
