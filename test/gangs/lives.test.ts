import t from 'tap'
import { InvariantViolation } from '../../extender/errors.ts'
import { pod, type PodBuilder, pods } from '../builders.ts'
import { cursed, gang, Rig, type Wrap } from './rig.ts'

const boom = new TypeError('nobody expected this')

/** Nominations throw at these numbers, counted from 1, whichever life makes them. */
function nominating(error: Error, ...at: readonly number[]): Wrap {
  let calls = 0
  return ports => ({
    ...ports,
    nominator: {
      ...ports.nominator,
      nominate(...args) {
        calls++
        if (at.includes(calls)) throw error
        return ports.nominator.nominate(...args)
      }
    }
  })
}

t.test('S3.66 S3.67 an exception in the logic: a fresh one reads all pods and nodes again 10 s later', async t => {
  const rig = new Rig(gang('a', 3), nominating(boom, 1))
  await rig.clock.advance(1_000)
  const [first] = rig.reads
  const epoch = await rig.metric('muster_epoch')
  t.equal(rig.lives.refusal, 'muster has not seen the whole cluster yet', 'the verbs decide nothing in the meantime')
  t.equal(rig.lives.problem, 'beginning anew after an unexpected error: nobody expected this')
  t.throws(() => rig.lives.reports.gangs(), { statusCode: 503, message: /^muster is beginning anew/ })
  t.strictSame(rig.errors, ['an unexpected error; everything is read anew in 10 s'])
  t.equal(await rig.count(), 0)
  t.equal(await rig.metric('muster_active'), 0)
  await rig.clock.advance(8_990)
  t.equal(rig.reads.length, 1, 'not sooner')
  await rig.clock.advance(20)
  t.equal(rig.reads.length, 2)
  t.ok(rig.reads[1]! - first! >= 10_000)
  t.equal(rig.lives.refusal, undefined)
  t.equal(await rig.count(), 1)
  t.equal(await rig.metric('muster_active'), 1)
  t.ok((await rig.metric('muster_epoch')) > epoch)
  await rig.clock.advance(10_000)
  t.equal(rig.bound.length, 3, 'and goes on')
  t.not(rig.states[0], rig.states[1], 'caches and logic are others')
  t.equal(rig.states[1]!.snapshot().nodes.length, 4)
})

t.test('S3.68 between two new beginnings there are at least 30 s', async t => {
  const rig = new Rig(gang('a', 3), nominating(boom, 1, 4, 5))
  await rig.clock.advance(120_000)
  const [, ...again] = rig.reads
  t.equal(again.length, 3)
  t.ok(again[1]! - again[0]! >= 30_000 && again[2]! - again[1]! >= 30_000, again.join())
  t.ok(again[2]! - again[0]! < 62_000, 'and no more than that')
  t.equal(rig.bound.length, 3)
})

t.test('S3.71 a gang that was half bound is completed where it was planned, by its record', async t => {
  let bindings = 0
  const planned = new Map<string, string>()
  const rig = new Rig([...gang('a', 3), pod('in the way').cpu(1000).on('n-3')], ports => ({
    ...ports,
    binder: {
      bind: async (binding, limits) => {
        planned.set(binding.name, binding.node)
        bindings++
        if (bindings === 3) throw boom
        return ports.binder.bind(binding, limits)
      }
    }
  }))
  await rig.clock.advance(9_000)
  t.ok(rig.lives.refusal)
  t.equal(rig.bound.length, 3, 'what was on its way arrived: two of the gang, beside who was there')
  const refused = rig.scheduler.answers.filter(answer => answer.includes('begins anew'))
  t.ok(refused.length > 0, 'who was not bound hears why')
  // It would fit where the third member is to go.
  rig.api.setPod(pod('rival').cpu(1000).obj())
  await rig.clock.advance(30_000)
  const members = rig.bound.filter(each => each.startsWith('a-'))
  t.strictSame(members, [...planned].map(each => each.join('@')).toSorted(), 'all three, as planned')
  t.equal(await rig.count(), 1)
})

const runs = (name: string, on: string): PodBuilder => pod(name).cpu(1000).on(on).with({ startedAt: 1_000_000_000 })

/** Every port throws at that call, counted over all of them; `struck` tells whether it came to that. */
function striking(at: number): { readonly wrap: Wrap; readonly struck: () => boolean } {
  let calls = 0
  const strike = <A extends readonly unknown[], R>(port: (...args: A) => R) => {
    return (...args: A): R => {
      if (++calls === at) throw boom
      return port(...args)
    }
  }
  const wrap: Wrap = ({ binder, nominator, terminator, recorder }) => ({
    binder: { bind: strike((binding, limits) => binder.bind(binding, limits)) },
    nominator: {
      nominate: strike((ref, node) => nominator.nominate(ref, node)),
      ungate: strike((ref, gate) => nominator.ungate(ref, gate)),
      pin: strike((ref, gate, node) => nominator.pin(ref, gate, node))
    },
    terminator: {
      evict: strike(ref => terminator.evict(ref)),
      mark: strike((ref, key, value) => terminator.mark(ref, key, value)),
      fail: strike((ref, reason, message) => terminator.fail(ref, reason, message))
    },
    recorder: { record: strike(notice => recorder.record(notice)) }
  })
  return { wrap, struck: () => calls >= at }
}

t.test('S3.66 S3.71 wherever the exception strikes, the end is the same', async t => {
  const low = [0, 1, 2].map(i => runs(`low-${i}`, `n-${i}`).gang('low', 3))
  const urgent = gang('urgent', 3).map(each => each.priority(10))
  for (let at = 1; ; at++) {
    const { wrap, struck } = striking(at)
    const rig = new Rig([...low, runs('single', 'n-3'), ...urgent], wrap)
    await rig.clock.advance(90_000)
    const members = rig.bound.filter(each => each.startsWith('urgent-'))
    t.equal(members.length, 3, `call ${at}: the urgent gang is whole`)
    t.equal(new Set(rig.bound.map(each => each.split('@')[1])).size, rig.bound.length, `call ${at}: one to a node`)
    const left = rig.bound.filter(each => each.startsWith('low-')).length
    t.ok(left === 0, `call ${at}: the gang that had to go is gone whole`)
    t.equal(await rig.count(), struck() ? 1 : 0)
    if (!struck()) {
      t.ok(at > 12, `${at - 1} calls`)
      break
    }
  }
})

t.test('S3.71 nothing more is written by the logic that was discarded', async t => {
  const rig = new Rig([...gang('a', 2), ...gang('b', 2)], nominating(boom, 1))
  await rig.clock.advance(100)
  const written = rig.api.writes.length
  t.equal(written, 0, 'three more nominations waited for their turn')
  t.ok(rig.lives.refusal)
  await rig.clock.advance(9_000)
  t.equal(rig.api.writes.length, written)
  await rig.clock.advance(20_000)
  t.equal(rig.bound.length, 4)
})

t.test('who waits for an answer that the broken logic never gives is answered all the same', async t => {
  const rig = new Rig(gang('a', 3))
  let left = 1
  rig.onLog = message => {
    if (message === 'bound a member' && left-- > 0) throw boom
  }
  await rig.clock.advance(5_000)
  t.ok(rig.lives.refusal)
  const answers = rig.scheduler.answers.map(answer => answer.replace(/^a-\d: /, ''))
  t.strictSame(
    answers.slice(0, 3),
    Array(3).fill('muster met an unexpected error and begins anew; the pod is scheduled again')
  )
  t.equal(rig.bound.length, 1, 'the first binding carried the plan')
  await rig.clock.advance(40_000)
  t.equal(rig.bound.length, 3)
})

t.test('an exception in a look-up is one of the logic', async t => {
  const rig = new Rig(gang('a', 3))
  await rig.clock.advance(0)
  const cursed = new Proxy(pod('x').obj(), {
    get() {
      throw boom
    }
  })
  t.throws(() => rig.lives.placement(cursed), boom)
  t.ok(rig.lives.refusal)
  await rig.clock.advance(40_000)
  t.strictSame([rig.lives.refusal, await rig.count(), rig.bound.length], [undefined, 1, 3])
})

t.test('S3.69 S3.70 S3.30 what the API server refuses is no surprise: nothing is read anew', async t => {
  const cases = {
    'S3.69 404: the pod is gone, and its gang is cleaned up': 'gone',
    'S3.70 409: it stands elsewhere, and the gang is planned again': 'elsewhere',
    'a refusal': 'refused',
    'a lost answer': 'unknown',
    'out of time': 'late'
  } as const
  for (const [name, outcome] of Object.entries(cases)) {
    let left = 1
    const rig = new Rig(gang('a', 3), ports => ({
      ...ports,
      binder: {
        async bind(binding, limits) {
          if (left-- <= 0) return ports.binder.bind(binding, limits)
          if (outcome === 'gone') rig.api.deletePod(binding.uid)
          if (outcome === 'elsewhere') rig.api.change(binding.uid, { nodeName: 'n-3' })
          return { outcome, node: 'n-3', status: 403, message: 'no' }
        }
      }
    }))
    await rig.clock.advance(5_000)
    if (outcome === 'gone') rig.api.setPod(gang('a', 3)[0]!.obj())
    await rig.clock.advance(60_000)
    t.strictSame([await rig.count(), rig.reads.length, rig.errors], [0, 1, []], name)
    t.equal(rig.bound.length, 3, `${name}: the gang is whole in the end`)
  }
})

t.test('a broken promise to ourselves is not survived', async t => {
  const rig = new Rig(gang('a', 3), nominating(new InvariantViolation('I1', 'capacity'), 1))
  await rig.clock.advance(60_000)
  t.match(rig.violations[0], { invariant: 'I1' })
  t.equal(await rig.count(), 0, 'the process is to end')
})

t.test('a gang over which planning stumbles again is left alone, and nobody else waits for it', async t => {
  const bad = pods(2, 'bad', each => each.gang('bad', 2).cpu(cursed).gated())
  const rig = new Rig(bad)
  await rig.clock.advance(60_000)
  t.equal(await rig.count(), 2, 'two lives ended over it')
  t.equal(rig.lives.refusal, undefined)
  for (const one of gang('good', 3)) rig.api.setPod(one.obj())
  await rig.clock.advance(5_000)
  t.equal(rig.bound.length, 3)
  t.match(
    rig.lives.reports.gang('ns', 'bad')?.reason,
    /^muster met an unexpected error 2 times while it planned this gang, .* stumbled over a curse$/
  )
  await rig.clock.advance(300_000)
  t.equal(await rig.count(), 2, 'it stays so')

  for (const { uid } of bad.map(each => each.obj())) rig.api.deletePod(uid)
  for (const one of pods(2, 'new', each => each.gang('bad', 2).cpu(100).gated())) rig.api.setPod(one.obj())
  await rig.clock.advance(5_000)
  t.equal(rig.bound.length, 5, 'other members of the same gang are planned')
  t.equal(await rig.count(), 2)
})
