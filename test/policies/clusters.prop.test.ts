import * as fc from 'fast-check'
import t from 'tap'
import { choose, type ClusterView, type Wish } from '../../policies/clusters.ts'
import { tiersOf } from '../../policies/clusters/tiers.ts'
import { view } from './cluster-views.ts'

const wish = (key: string): Wish => ({ key, labels: new Map(), failoverAfterMs: 300_000 })
const chosen = (views: readonly ClusterView[], key: string) => choose(views, wish(key)).ranked[0]?.name
const projects = Array.from({ length: 20_000 }, (_, at) => `project-${at}`)
const lost = { lostMs: 1 }

/** How many of the projects go where. */
function counts(views: readonly ClusterView[]) {
  const found = new Map<string | undefined, number>()
  for (const key of projects) {
    const name = chosen(views, key)
    found.set(name, (found.get(name) ?? 0) + 1)
  }
  return found
}

/** Pearson's statistic of what was found against shares of the whole. */
function chiSquare(found: ReadonlyMap<string | undefined, number>, shares: Readonly<Record<string, number>>): number {
  return Object.entries(shares).reduce((sum, [name, share]) => {
    const want = share * projects.length
    return sum + ((found.get(name) ?? 0) - want) ** 2 / want
  }, 0)
}
/** One in a thousand exceeds these, by degrees of freedom. */
const critical = { 1: 10.83, 2: 13.82, 3: 16.27 }

t.test('S0.26 shares of a tier are its weights', async t => {
  const thirds = [view('a', { weight: 60 }), view('b', { weight: 20 }), view('c', { weight: 20 })]
  t.ok(chiSquare(counts(thirds), { a: 0.6, b: 0.2, c: 0.2 }) < critical[2])
  const even = ['a', 'b', 'c', 'd'].map(name => view(name))
  t.ok(chiSquare(counts(even), { a: 0.25, b: 0.25, c: 0.25, d: 0.25 }) < critical[3])
  t.equal(counts([...thirds, view('d', { weight: 0 })]).get('d'), undefined, 'weight 0 gets nothing')
})

t.test('S0.26 a tier that is half healthy keeps 70 % and spills 30 %, by weight inside both', async t => {
  const views = [view('a'), view('b', {}, lost), view('c', { priority: 1 }), view('d', { priority: 1, weight: 2 })]
  t.ok(chiSquare(counts(views), { a: 0.7, c: 0.1, d: 0.2 }) < critical[2])
})

t.test('S0.26 random spread draws by weight too', async t => {
  const views = [view('a', { weight: 3 }), view('b', { weight: 1 })]
  const found = new Map<string | undefined, number>()
  let dice = 0
  for (const _ of projects) {
    dice = (dice + 0.618_033_988_75) % 1
    const name = chosen(views, String(dice))
    found.set(name, (found.get(name) ?? 0) + 1)
  }
  t.ok(chiSquare(found, { a: 0.75, b: 0.25 }) < critical[1])
})

const anyName = fc.integer({ min: 0, max: 9 }).map(at => `cluster-${at}`)
const anyView = fc
  .record({
    name: anyName,
    priority: fc.nat(2),
    weight: fc.nat(5),
    state: fc.constantFrom(
      'active' as const,
      'active' as const,
      'active' as const,
      'draining' as const,
      'disabled' as const
    ),
    lostMs: fc.constantFrom(0, 0, 0, 1_000, 300_000),
    ejected: fc.boolean(),
    saturated: fc.boolean(),
    returning: fc.boolean()
  })
  .map(({ name, priority, weight, state, ...condition }) => view(name, { priority, weight, state }, condition))
const anyViews = fc.uniqueArray(anyView, { maxLength: 6, selector: ({ cluster }) => cluster.name })
const healthyViews = anyViews.map(views =>
  views.map(({ cluster }) => view(cluster.name, { priority: cluster.priority, weight: cluster.weight }))
)

t.test('removing a cluster moves only what was there', async () => {
  fc.assert(
    fc.property(healthyViews, anyName, fc.uuid(), (views, removed, key) => {
      const before = chosen(views, key)
      const after = chosen(
        views.filter(({ cluster }) => cluster.name !== removed),
        key
      )
      return before === removed || before === after
    })
  )
})

t.test('more weight moves projects only to the cluster that got it', async () => {
  fc.assert(
    fc.property(healthyViews, anyName, fc.uuid(), (views, grown, key) => {
      const more = views.map(({ cluster }) =>
        view(cluster.name, { ...cluster, weight: cluster.weight + (cluster.name === grown ? 3 : 0) })
      )
      const [before, after] = [chosen(views, key), chosen(more, key)]
      return after === before || after === grown
    })
  )
})

t.test('the more of a tier is lost, the less it keeps, and all of the load is somewhere', async () => {
  fc.assert(
    fc.property(healthyViews, fc.nat(5), fc.infiniteStream(fc.boolean()), (views, at, dice) => {
      const all = views.map(({ cluster }) => cluster)
      const able = all.filter(() => dice.next().value)
      const [victim] = able.slice(at % Math.max(1, able.length))
      const fewer = able.filter(cluster => cluster !== victim)
      const load = (left: typeof able) =>
        new Map(tiersOf(all, left).map(({ priority, load }) => [priority, load] as const))
      const [before, after] = [load(able), load(fewer)]
      const sum = [...after.values()].reduce((a, b) => a + b, 0)
      const first = Math.min(...all.map(({ priority }) => priority))
      const isLess = victim?.priority !== first || (after.get(first) ?? 0) <= (before.get(first) ?? 0) + 1e-9
      return (fewer.length === 0 ? sum === 0 : Math.abs(sum - 1) < 1e-9) && (isLess || isAlone(before, first))
    })
  )
})

/** A tier that takes the whole load since no other can. */
const isAlone = (loads: ReadonlyMap<number, number>, first: number) =>
  [...loads].every(([priority, load]) => priority === first || load === 0)

t.test('S0.29 every replica chooses the same, whatever order its file has', async () => {
  fc.assert(
    fc.property(anyViews, fc.uuid(), (views, key) => {
      const names = (some: readonly ClusterView[]) => choose(some, wish(key)).ranked.map(({ name }) => name)
      return names(views).join() === names(views.toReversed()).join()
    })
  )
})

t.test('every cluster gets its verdict, and the chosen one alone an empty one', async () => {
  fc.assert(
    fc.property(anyViews, fc.uuid(), fc.option(anyName, { nil: undefined }), (views, key, held) => {
      const { verdicts, ranked } = choose(views, { ...wish(key), ...(held && { held }) })
      const names = views.map(({ cluster }) => cluster.name).toSorted()
      const empty = verdicts.filter(({ verdict }) => verdict === '').map(({ cluster }) => cluster)
      return verdicts.map(({ cluster }) => cluster).join() === names.join() && empty.join() === (ranked[0]?.name ?? '')
    })
  )
})

t.test('nothing new ever goes to a draining or disabled cluster', async () => {
  fc.assert(
    fc.property(anyViews, fc.uuid(), (views, key) =>
      choose(views, wish(key)).ranked.every(({ state }) => state === 'active')
    )
  )
})
