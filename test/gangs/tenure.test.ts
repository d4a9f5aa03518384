import t from 'tap'
import type { WorldPorts } from '../../extender/gangs/ports.ts'
import { Life } from '../../extender/gangs/lives/life.ts'
import { epochOf, type Tenure } from '../../extender/gangs/lives/tenure.ts'
import { pod } from '../builders.ts'
import { gang, Rig, type Wrap } from './rig.ts'
import { VirtualClock } from './virtual-clock.ts'

/** A lease whose holder the test names. */
class Lease implements Tenure {
  current: number | undefined
  ends = Number.POSITIVE_INFINITY
  looks = 0
  /** What a look finds out. */
  onLook: () => void = () => {}
  #listener: () => void = () => {}

  term(): number | undefined {
    return this.current
  }

  until(): number {
    return this.ends
  }

  async look(): Promise<void> {
    this.looks++
    this.onLook()
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  /** Undefined: another host leads. */
  pass(term: number | undefined): void {
    this.current = term
    this.#listener()
  }
}

const standby = 'muster is on standby: the lease does not name its host'
const same: Wrap = ports => ports

t.test('one that stands by follows the cluster, is ready, and writes nothing', async t => {
  const lease = new Lease()
  const rig = new Rig(gang('a', 3), same, lease)
  await rig.clock.advance(90_000)
  t.equal(rig.lives.problem, undefined, 'so that a rollout goes on')
  t.equal(rig.lives.refusal, standby)
  t.throws(() => rig.lives.reports.gangs(), { statusCode: 503, message: `${standby}; ask the one that leads` })
  t.strictSame(rig.api.writes, [])
  t.equal(await rig.metric('muster_active'), 0)
  for (const one of gang('late', 1)) rig.api.setPod(one.obj())
  await rig.clock.advance(10)
  lease.pass(7)
  t.equal(rig.lives.refusal, undefined, 'at once')
  await rig.clock.advance(10_000)
  t.equal(rig.bound.length, 4, 'what it saw before it led is planned')
  t.equal(rig.reads.length, 1, 'from the picture that was there')
  t.equal(await rig.metric('muster_active'), 1)
  t.equal(Math.floor((await rig.metric('muster_epoch')) / 10 ** 11), 7)
})

t.test('a call while it stands by makes it look for the lease, and a look that finds it ours is enough', async t => {
  const lease = new Lease()
  const rig = new Rig(gang('a', 3), same, lease)
  await rig.lives.hurry()
  t.equal(lease.looks, 0, 'what has not read the cluster need not ask')
  await rig.clock.advance(10)
  await rig.lives.hurry()
  t.strictSame([lease.looks, rig.lives.refusal], [1, standby], 'the call alone proves nothing')
  lease.onLook = () => lease.pass(1)
  await rig.lives.hurry()
  t.strictSame([lease.looks, rig.lives.refusal], [2, undefined])
  await rig.lives.hurry()
  t.equal(lease.looks, 2, 'who leads does not ask')
})

t.test('O1 the lease lost with members at the barrier: they hear so at once, and nothing more is written', async t => {
  const lease = new Lease()
  const answered = Promise.withResolvers<void>()
  let bindings = 0
  const rig = new Rig(
    gang('a', 3),
    ports => ({
      ...ports,
      binder: {
        async bind(binding, limits) {
          bindings++
          const result = await ports.binder.bind(binding, limits)
          if (bindings === 1) await answered.promise
          return result
        }
      }
    }),
    lease
  )
  lease.pass(1)
  await rig.clock.advance(5_000)
  t.strictSame([bindings, rig.bound.length], [1, 1], 'the first binding is on its way, two wait for its end')
  const [first] = rig.bound
  lease.pass(undefined)
  t.equal(await rig.metric('muster_active'), 0)
  t.ok(rig.lives.refusal)
  const written = rig.api.writes.length
  answered.resolve()
  await rig.clock.advance(1_000)
  const refused = rig.scheduler.answers.filter(answer => answer.includes('muster does not lead any more'))
  t.equal(refused.length, 2)
  t.strictSame([rig.reads.length, rig.lives.refusal, rig.lives.problem], [2, standby, undefined], 'read anew')
  await rig.clock.advance(60_000)
  t.equal(rig.api.writes.length, written)
  t.strictSame(rig.bound, [first])
  lease.pass(3)
  await rig.clock.advance(20_000)
  t.equal(rig.bound.length, 3, 'the next leader finishes what has begun')
  t.equal(await rig.count(), 0, 'nobody met an error')
})

t.test('a term that ends and one that begins at once are two lives', async t => {
  const lease = new Lease()
  const rig = new Rig(gang('a', 3), same, lease)
  lease.pass(1)
  await rig.clock.advance(1_000)
  const epoch = await rig.metric('muster_epoch')
  lease.pass(2)
  t.ok(rig.lives.refusal, 'what the first knew is not taken over')
  await rig.clock.advance(20_000)
  t.strictSame([rig.reads.length, rig.lives.refusal, rig.bound.length], [2, undefined, 3])
  t.ok((await rig.metric('muster_epoch')) > epoch)
})

t.test('a surprise while it stands by is one as any other', async t => {
  const lease = new Lease()
  const rig = new Rig(gang('a', 3), same, lease)
  await rig.clock.advance(10)
  t.throws(() => rig.lives.offered(undefined as never, () => []))
  t.match(rig.lives.problem, /^beginning anew after an unexpected error/)
  lease.pass(1)
  await rig.clock.advance(60_000)
  t.strictSame([rig.lives.refusal, rig.bound.length, await rig.count()], [undefined, 3, 1])
})

/** A life over ports that write down that they were asked. */
function written(lease: Lease) {
  const clock = new VirtualClock()
  const calls: string[] = []
  const deadlines: number[] = []
  const done = async (what: string) => {
    calls.push(what)
    return { outcome: 'done' as const }
  }
  const world: WorldPorts = {
    binder: {
      async bind(_, limits) {
        calls.push('bind')
        deadlines.push(limits.deadline)
        lease.ends += 1_000
        deadlines.push(limits.deadline)
        return { outcome: 'bound' }
      }
    },
    nominator: { nominate: () => done('nominate'), ungate: () => done('ungate'), pin: () => done('pin') },
    terminator: { evict: () => done('evict'), mark: () => done('mark'), fail: () => done('fail') },
    recorder: { record: () => void calls.push('record') }
  }
  const life = new Life({ clock, tenure: lease, surprised: () => {} })
  const ports = life.ports(world)
  const ref = { namespace: 'ns', name: 'a', uid: 'a' }
  const signal = new AbortController().signal
  const all = async (): Promise<string[]> => {
    calls.length = 0
    await ports.binder.bind({ ...ref, node: 'n', annotations: {} }, { deadline: 5_000, signal })
    await ports.nominator.nominate(ref, 'n')
    await ports.nominator.ungate(ref, 'g')
    await ports.nominator.pin({ ...ref, shape: pod('a').obj().shape }, 'g', 'n')
    await ports.terminator.evict(ref)
    await ports.terminator.mark(ref, 'k', 'v')
    await ports.terminator.fail(ref, 'r', 'm')
    ports.recorder.record(undefined as never)
    return calls
  }
  return { life, all, deadlines }
}
const everything = ['bind', 'nominate', 'ungate', 'pin', 'evict', 'mark', 'fail', 'record']

t.test('O1 no write starts before the term, nor after its end, even where nobody told of the end', async t => {
  const lease = new Lease()
  const { life, all } = written(lease)
  t.strictSame(await all(), [])
  lease.current = 1
  t.strictSame(await all(), [], 'not before it has taken over')
  t.ok(life.takeOver())
  t.strictSame(await all(), everything)
  lease.current = undefined
  t.strictSame(await all(), [], 'a process that stood still looks at the clock first')
  lease.current = 2
  t.strictSame(await all(), [], 'another term is another life')
  lease.current = 1
  t.strictSame(await all(), everything, 'the same holder went on all the time')
  life.end('over')
  t.strictSame(await all(), [])
})

t.test('the end of the term is a deadline of bindings, and moves with renewals', async t => {
  const lease = new Lease()
  const { life, all, deadlines } = written(lease)
  lease.pass(1)
  life.takeOver()
  lease.ends = 3_500
  await all()
  t.strictSame(deadlines, [3_500, 4_500])
  await all()
  t.strictSame(deadlines.slice(2), [4_500, 5_000], "kube-scheduler's patience is the other")
})

t.test('epochs order lives', t => {
  const noon = Date.UTC(2026, 10, 30, 12)
  const cases: Record<string, readonly [earlier: number, later: number]> = {
    'without a lease, by time': [epochOf(0, noon), epochOf(0, noon + 100)],
    'of one term, by time': [epochOf(5, noon), epochOf(5, noon + 100)],
    'of two terms, by the term, whatever the clocks say': [epochOf(5, noon + 3_600_000), epochOf(6, noon)],
    'from no lease to one': [epochOf(0, noon), epochOf(1, noon - 3_600_000)],
    'beyond the most terms, by time': [epochOf(100_000, noon), epochOf(90_001, noon + 100)]
  }
  for (const [name, [earlier, later]] of Object.entries(cases)) {
    t.ok(earlier < later, name)
    t.ok(Number.isSafeInteger(later), name)
  }
  t.end()
})
