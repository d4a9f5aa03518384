import t from 'tap'
import { muster } from '../../policies/index.ts'
import { nodes, pod, pods } from '../builders.ts'
import { harness, type Harness } from './harness.ts'

const states = async (h: Harness): Promise<Readonly<Record<string, number>>> => {
  const text = await h.metrics()
  const found = [...text.matchAll(/^muster_gangs\{state="(\w+)"\} ([1-9]\d*)$/gm)]
  return Object.fromEntries(found.map(([, state, count]) => [state!, Number(count)]))
}

/** How often a histogram was told something, and the sum of it. */
const observed = async (h: Harness, name: string, labels = ''): Promise<readonly [count: number, sum: number]> => {
  const text = await h.metrics()
  const read = (part: string): number => {
    const line = text.split('\n').find(each => each.startsWith(`${name}_${part}${labels} `))
    return Number(line?.split(' ').at(-1))
  }
  return [read('count'), read('sum')]
}

t.test('a gang on its way: its states, its plan, the room that is held, its members at the barrier', async t => {
  const bindTimeoutMs = 30_000
  const h = harness({ scheduler: false, bindTimeoutMs, nodes: nodes(4, 'n', each => each.cpu(1)) })
  h.add(pods(2, 'a', each => each.gang('a', 2).cpu(1000).gated().createdAt(h.clock.wall())))
  await h.run(1_000)
  t.strictSame(await states(h), { planned: 1 })
  t.equal((await observed(h, 'muster_plan_duration_seconds', '{outcome="planned"}'))[0], 1)
  t.equal(await h.metric('muster_holds'), 1)
  t.equal(await h.metric('muster_held_ratio', { resource: 'cpu' }), 0.5)
  t.strictSame(await observed(h, 'muster_gang_start_duration_seconds'), [0, 0])

  const first = h.bind('a-0', 'n-0')
  await h.run(4_000)
  const all = [first, h.bind('a-1', 'n-1')]
  await h.run(1_000)
  t.strictSame(await Promise.all(all), ['', ''])
  t.strictSame(await states(h), { running: 1 })
  t.strictSame(await observed(h, 'muster_barrier_wait_seconds'), [2, 4], 'one of the two waited for four seconds')
  const [starts, seconds] = await observed(h, 'muster_gang_start_duration_seconds')
  t.equal(starts, 1)
  t.ok(seconds >= 5 && seconds < 6, `started ${seconds} s after its last member was made`)
  const [placements, waited] = await observed(h, 'muster_gang_placement_duration_seconds')
  t.equal(placements, 1)
  t.ok(waited >= 4.9 && waited < 6, `placed ${waited} s after it had room`)
  t.equal(await h.metric('muster_holds'), 0)
  t.equal(await h.metric('muster_held_ratio', { resource: 'cpu' }), 0)
  for (const [to, want] of Object.entries({ forming: 1, planned: 1, running: 1, waiting: 0 }))
    t.equal(await h.metric('muster_gang_transitions_total', { to }), want, to)
})

t.test('the time that a gang waits for others to leave is no time of its placement', async t => {
  const low = pods(2, 'low', each => each.cpu(1000).with({ graceMs: 20_000 })).map((each, index) =>
    each.on(`n-${index}`)
  )
  const h = harness({ nodes: nodes(2, 'n', each => each.cpu(1)), pods: low })
  h.add(pods(2, 'high', each => each.gang('high', 2).priority(10).cpu(1000).gated().createdAt(h.clock.wall())))
  await h.run(60_000)
  t.equal(h.gang('high').state, 'running')
  const [, start] = await observed(h, 'muster_gang_start_duration_seconds')
  const [placements, placement] = await observed(h, 'muster_gang_placement_duration_seconds')
  t.equal(placements, 1)
  t.ok(start >= 20 && start < 60 && placement < 5, `started after ${start} s, ${placement} s after it had room`)
})

t.test('gangs that cannot start: without room, without members, declared wrongly', async t => {
  const h = harness({
    nodes: nodes(1, 'n', each => each.cpu(1)),
    pods: [
      ...pods(2, 'large', each => each.gang('large', 2).cpu(1000).gated()),
      pod('lonely').gang('lonely', 2).gated(),
      pod('wrong').gang('wrong', 1).annotation('muster.dev/preemption-policy', 'Sometimes').gated()
    ]
  })
  await h.run(1_000)
  t.strictSame(await states(h), { forming: 1, refused: 1, waiting: 1 })
  t.ok((await observed(h, 'muster_plan_duration_seconds', '{outcome="infeasible"}'))[0] > 0)
})

t.test('a gang that lost a member is partial for as long as it lacks one', async t => {
  const h = harness({
    nodes: nodes(2, 'n', each => each.cpu(1)),
    pods: pods(2, 'a', each => each.gang('a', 2).cpu(1000))
  })
  const partial = async (): Promise<readonly number[]> => {
    await h.metrics()
    return [await h.metric('muster_partial_gangs'), await h.metric('muster_oldest_partial_gang_seconds')]
  }
  await h.run(30_000)
  t.strictSame(await partial(), [0, 0])
  h.delete('a-1')
  await h.run(20_000)
  const [count, seconds] = await partial()
  t.equal(count, 1)
  t.ok(seconds! > 19 && seconds! <= 20, `${seconds} s`)
  h.add(pod('a-2').gang('a', 2).cpu(1000))
  await h.run(30_000)
  t.strictSame([h.gang('a').state, await partial()], ['running', [0, 0]])
})

t.test('a broken promise to ourselves is counted by its name', async t => {
  const blind = new Map([['muster', { ...muster, filters: [] }]])
  const h = harness({ profiles: blind, nodes: nodes(1, 'n', each => each.cpu(1)) })
  h.add(pods(2, 'a', each => each.gang('a', 2).cpu(1000).gated()))
  await h.run(100)
  t.equal(h.violations.length, 1, 'a planner that looks at nothing fills a node twice')
  t.equal(await h.metric('muster_invariant_violations_total', { invariant: 'I1' }), 1)
})

t.test('whose life it is can be seen', async t => {
  const h = harness({})
  t.equal(await h.metric('muster_epoch'), 1)
  h.restart()
  t.equal(await h.metric('muster_epoch'), 2)
})
