import t from 'tap'
import { choose, type Condition, type Wish } from '../../policies/clusters.ts'
import { ejectionMs, mayEject } from '../../policies/clusters/ejection.ts'
import { view } from './cluster-views.ts'

const wish = (more: Partial<Wish> = {}): Wish => ({
  key: 'project',
  labels: new Map(),
  failoverAfterMs: 300_000,
  ...more
})
const [lost, gone]: readonly Partial<Condition>[] = [{ lostMs: 1_000 }, { lostMs: 300_000 }]
const first = view('a')
const second = view('b', { priority: 1 })
const third = view('c', { priority: 2 })
const eu = view('eu', { priority: 9, labels: new Map([['region', 'eu']]) })

const cases = {
  'S0.26 the lowest priority number is preferred': {
    views: [third, second, first],
    want: { reason: 'WEIGHTED', ranked: ['a', 'b', 'c'] }
  },
  'S0.26 labels that are asked for leave no choice': {
    views: [first, eu],
    wish: wish({ labels: new Map([['region', 'eu']]) }),
    want: { reason: 'WEIGHTED', ranked: ['eu'], verdicts: { a: 'lacks the labels that are asked for', eu: '' } }
  },
  'a tier that is lost whole spills over': {
    views: [view('a', {}, lost), second],
    want: { reason: 'SPILLOVER', ranked: ['b'], verdicts: { a: 'not healthy', b: '' } }
  },
  'S0.29 where it is held, it is alone, whatever else is preferred': {
    views: [first, second],
    wish: wish({ held: 'b' }),
    want: { reason: 'STICKY', ranked: ['b'], verdicts: { a: 'the sandbox is held elsewhere', b: '' } }
  },
  'S0.29 a cluster that is saturated, set aside or lost for a moment keeps what it holds': {
    views: [first, view('b', {}, { ...lost, saturated: true, ejected: true })],
    wish: wish({ held: 'b' }),
    want: { reason: 'STICKY', ranked: ['b'] }
  },
  'a draining cluster keeps what it holds': {
    views: [first, view('b', { state: 'draining' })],
    wish: wish({ held: 'b' }),
    want: { reason: 'STICKY', ranked: ['b'] }
  },
  'a draining cluster gets nothing new, and its weight is missed by nobody': {
    views: [view('a', { state: 'draining', weight: 99 }), view('a2'), second],
    want: { reason: 'WEIGHTED', ranked: ['a2', 'b'], verdicts: { a: 'draining' } }
  },
  'a disabled cluster holds nothing any more': {
    views: [first, view('b', { state: 'disabled' })],
    wish: wish({ held: 'b' }),
    want: { reason: 'WEIGHTED', ranked: ['a'], verdicts: { a: '', b: 'disabled' } }
  },
  'a cluster that is lost for too long holds nothing any more': {
    views: [first, view('b', {}, gone)],
    wish: wish({ held: 'b' }),
    want: { reason: 'WEIGHTED', ranked: ['a'] }
  },
  'a cluster that is configured no longer holds nothing': {
    views: [first],
    wish: wish({ held: 'z' }),
    want: { reason: 'WEIGHTED', ranked: ['a'] }
  },
  'near the others of its project, with the rest behind': {
    views: [first, second, third],
    wish: wish({ near: 'c' }),
    want: { reason: 'STICKY', ranked: ['c', 'a', 'b'] }
  },
  'not near a cluster that cannot take it': {
    views: [first, view('b', { state: 'draining' })],
    wish: wish({ near: 'b' }),
    want: { reason: 'WEIGHTED', ranked: ['a'] }
  },
  'weight 0 comes last in its tier, but before the next tier': {
    views: [view('a', { weight: 0 }), view('a2', { weight: 1 }), second],
    want: { reason: 'WEIGHTED', ranked: ['a2', 'a', 'b'] }
  },
  'weight 0 is what the tier has when nothing else is left of it': {
    views: [view('a', { weight: 0 }), view('a2', { weight: 1 }, lost), second],
    want: { reason: 'WEIGHTED', ranked: ['a', 'b'] }
  },
  'saturated and full clusters are passed over, in words': {
    views: [view('a', {}, { saturated: true }), view('a2', { capacity: 3 }, { sandboxes: 3 }), second],
    want: {
      reason: 'SPILLOVER',
      ranked: ['b'],
      verdicts: { a: 'saturated: it takes no more for the moment', a2: 'full: 3 of 3 sandboxes', b: '' }
    }
  },
  'whoever came back a moment ago waits, unless there is nobody else': {
    views: [view('a', {}, { returning: true }), second],
    want: { reason: 'SPILLOVER', ranked: ['b'], verdicts: { a: 'healthy again, not yet for long enough' } }
  },
  'and takes it where there is nobody else': {
    views: [view('a', {}, { returning: true }), view('b', {}, lost)],
    want: { reason: 'WEIGHTED', ranked: ['a'] }
  },
  'in panic one is tried, the preferred': {
    views: [view('c', { priority: 2 }, lost), view('b', { priority: 1 }, { ejected: true })],
    want: { reason: 'PANIC', ranked: ['b'], verdicts: { b: '', c: 'not healthy' } }
  },
  'no panic changes that a full cluster is full, a saturated one saturated, a draining one draining': {
    views: [view('a', { capacity: 0 }), view('b', {}, { saturated: true }), view('c', { state: 'draining' })],
    want: { reason: 'PANIC', ranked: [] }
  },
  'without clusters there is nobody to ask': { views: [], want: { reason: 'PANIC', ranked: [], verdicts: {} } }
} as const

for (const [name, each] of Object.entries(cases)) {
  t.test(name, async t => {
    const { want, views } = each
    const { reason, ranked, verdicts } = choose(views, 'wish' in each ? each.wish : wish())
    t.equal(reason, want.reason)
    t.strictSame(
      ranked.map(cluster => cluster.name),
      want.ranked
    )
    const said = Object.fromEntries(verdicts.map(({ cluster, verdict }) => [cluster, verdict]))
    if ('verdicts' in want) t.match(said, want.verdicts)
  })
}

t.test('a cluster is set aside for longer each time, up to five minutes', async t => {
  t.strictSame([1, 2, 9, 10, 11].map(ejectionMs), [30_000, 60_000, 270_000, 300_000, 300_000])
})

t.test('half of the clusters may be set aside, never the last candidate', async t => {
  const aside = { ejected: true }
  const table = {
    'the only one': { views: [view('a')], want: false },
    'one of two': { views: [view('a'), view('b')], want: true },
    'the second of two': { views: [view('a'), view('b', {}, aside)], want: false },
    'the second of three is more than half': { views: [view('a'), view('b', {}, aside), view('c')], want: false },
    'the second of four': { views: [view('a'), view('b', {}, aside), view('c'), view('d')], want: true },
    'where the other one is lost': { views: [view('a'), view('b', {}, lost)], want: false },
    'where the other one drains': { views: [view('a'), view('b', { state: 'draining' })], want: false },
    'disabled ones do not count': { views: [view('a'), view('b', { state: 'disabled' })], want: false }
  }
  for (const [name, { views, want }] of Object.entries(table)) t.equal(mayEject(views, 'a'), want, name)
})
