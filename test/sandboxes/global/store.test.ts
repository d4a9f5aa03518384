import t, { type Test } from 'tap'
import { FallbackStore } from '../../../extender/sandboxes/global/fallback-store.ts'
import { RedisStore } from '../../../extender/sandboxes/global/redis-store.ts'
import { MemoryStore, type Place, type Store } from '../../../extender/sandboxes/global/store.ts'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { noRedis, redisServer } from '../redis-server.ts'

const place = (token: string, more: Partial<Place> = {}): Place => ({
  ...{ cluster: 'a', state: 'intended', token },
  ...more
})
const debt = { cluster: 'a', id: 'sbx-1', tenant: 'default', isReleased: false, settledAt: 1_000 }

/** What every store promises. */
const suite: Record<string, (t: Test, store: Store) => Promise<void>> = {
  'S0.29 of 50 that write down an intention at once, one stands': async (t, store) => {
    const all = Array.from({ length: 50 }, (_, at) => place(`t${at}`, { cluster: `c${at}` }))
    const stands = await Promise.all(all.map(each => store.swap('sbx-1', undefined, each)))
    t.equal(new Set(stands.map(each => each?.token)).size, 1)
    t.strictSame(await store.get('sbx-1'), stands[0])
  },
  'who was overtaken changes nothing, and hears what stands': async (t, store) => {
    const [mine, other] = [place('t1'), place('t2', { cluster: 'b' })]
    await store.swap('sbx-1', undefined, mine)
    t.strictSame(await store.swap('sbx-1', mine, other), other)
    t.strictSame(await store.swap('sbx-1', mine, { ...mine, state: 'placed' }), other)
    t.strictSame(await store.swap('sbx-1', mine, undefined), other)
    const placed = { ...other, state: 'placed' as const }
    t.strictSame(await store.swap('sbx-1', other, placed), placed)
    t.strictSame(await store.swap('sbx-1', other, mine), placed, 'an intention that has come true is another thing')
    t.equal(await store.swap('sbx-1', placed, undefined), undefined)
    t.equal(await store.get('sbx-1'), undefined)
  },
  'debts stay until they are paid, one for a cluster and id': async (t, store) => {
    await store.owe(debt)
    await store.owe({ ...debt, isReleased: true })
    await store.owe({ ...debt, cluster: 'b' })
    t.strictSame(
      (await store.debts()).toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1)),
      [
        { ...debt, isReleased: true },
        { ...debt, cluster: 'b' }
      ]
    )
    await store.paid({ cluster: 'a', id: 'sbx-1' })
    await store.paid({ cluster: 'a', id: 'sbx-1' })
    t.equal((await store.debts()).length, 1)
  }
}

for (const [name, promise] of Object.entries(suite)) {
  t.test(`memory: ${name}`, t => promise(t, new MemoryStore(new ManualClock())))
  t.test(`Redis: ${name}`, { skip: noRedis ?? false }, async t => {
    const { url } = await redisServer(t)
    const store = await RedisStore.open(url)
    t.teardown(() => store.close())
    await promise(t, store)
  })
}

t.test('memory forgets after a week', async t => {
  const clock = new ManualClock()
  const store = new MemoryStore(clock)
  await store.swap('sbx-1', undefined, place('t1'))
  clock.advance(7 * 24 * 3_600_000 - 1_000)
  t.ok(await store.get('sbx-1'))
  clock.advance(2_000)
  t.equal(await store.get('sbx-1'), undefined)
})

t.test('a store that does not serve is made up for by memory, which knows what passed here', async t => {
  const clock = new ManualClock()
  const shared = new MemoryStore(clock)
  const broken = new Proxy(shared, {
    get: (target, name: keyof Store) => {
      if (name === 'isComplete') return true
      return (...args: unknown[]) => {
        if (isDown) throw new Error('connection lost')
        return Reflect.apply(target[name] as (...args: unknown[]) => unknown, target, args)
      }
    }
  })
  let isDown = false
  const said: string[] = []
  const store = new FallbackStore(broken, new MemoryStore(clock), {
    onError: (_error, isNew) => said.push(isNew ? 'fails' : 'fails again'),
    onServing: () => said.push('serves')
  })
  await store.swap('sbx-1', undefined, place('t1'))
  await store.owe(debt)
  isDown = true
  t.strictSame(await store.get('sbx-1'), place('t1'))
  t.strictSame(await store.debts(), [debt])
  t.equal(store.isComplete, false)
  isDown = false
  await store.get('sbx-1')
  t.equal(store.isComplete, true)
  t.strictSame(said, ['fails', 'fails again', 'serves'])
})
