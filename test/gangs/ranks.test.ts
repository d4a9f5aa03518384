import t from 'tap'
import { node, nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { type Harness, harness } from './harness.ts'

const slots = nodes(2, 'n', each => each.cpu(1))
const gang =
  (name: string, priority: number, min = 2) =>
  (each: PodBuilder) =>
    each.gang(name, min).cpu(1000).priority(priority).gated()

/** Gang a of rank 5 holds both nodes; the test is kube-scheduler. */
async function planned(): Promise<Harness> {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(2, 'a', gang('a', 5)) })
  await h.run(100)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
  return h
}

/** As above, with the first binding under way. */
async function begun(): Promise<Harness> {
  const h = await planned()
  h.api.latency = () => 1_000
  void h.bind('a-0', 'n-0')
  void h.bind('a-1', 'n-1')
  await h.run(10)
  t.equal(h.gang('a').plan?.firm, true)
  return h
}

t.test('who takes the room of a gang of rank 5 that has not begun', async t => {
  const cases: Record<string, { readonly priority: number; readonly passes: boolean }> = {
    'a lower gang does not': { priority: 4, passes: false },
    'an equal gang does not': { priority: 5, passes: false },
    'a higher gang does, and the plan is withdrawn whole': { priority: 6, passes: true }
  }
  for (const [name, { priority, passes }] of Object.entries(cases)) {
    const h = await planned()
    h.add(pods(1, 'b', gang('b', priority, 1)))
    await h.run(1_000)
    t.strictSame(h.held, passes ? ['b-0@n-0'] : ['a-0@n-0', 'a-1@n-1'], name)
    t.strictSame(h.nominated, passes ? ['b-0@n-0'] : ['a-0@n-0', 'a-1@n-1'], `${name}: nominations follow`)
    t.equal(h.gang('b').state, passes ? 'planned' : 'waiting', name)
  }
})

t.test('a higher gang withdraws nothing where it does not fit even so', async t => {
  const h = await planned()
  h.add(pods(3, 'b', gang('b', 6, 3)))
  await h.run(1_000)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1'])
})

t.test('a higher gang withdraws nothing where there is room beside', async t => {
  const h = await planned()
  h.node(node('n-2').cpu(1))
  h.add(pods(1, 'b', gang('b', 6, 1)))
  await h.run(1_000)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'b-0@n-2'])
})

t.test('a surplus member of a higher gang withdraws nothing', async t => {
  const h = await planned()
  h.node(node('n-2').cpu(1))
  h.add(pods(2, 'b', gang('b', 6, 1)))
  await h.run(1_000)
  t.equal(h.gang('a').state, 'planned')
})

t.test('a gang that has begun is withdrawn by nobody', async t => {
  const h = await begun()
  h.add(pods(1, 'b', gang('b', 1_000, 1)), pod('o').cpu(1000).priority(1_000))
  await h.run(100)
  t.strictSame([h.gang('a').state, h.gang('b').state], ['binding', 'waiting'])
  t.match(await h.bind('o', 'n-1'), /the room on this node is held for a gang/)
})

t.test('who comes first when all are new', async t => {
  const cases: Record<
    string,
    { readonly first: (each: PodBuilder) => PodBuilder; readonly second: (each: PodBuilder) => PodBuilder }
  > = {
    'the higher rank': { first: gang('first', 1), second: gang('second', 0) },
    'the older of equals': {
      first: each => gang('first', 0)(each).createdAt(1),
      second: each => gang('second', 0)(each).createdAt(2)
    },
    'the higher annotation among equals of a namespace': {
      first: each => gang('first', 0)(each).annotation('muster.dev/priority', '7'),
      second: gang('second', 0)
    }
  }
  for (const [name, { first, second }] of Object.entries(cases)) {
    const h = harness({ scheduler: false, nodes: slots, pods: [...pods(2, 'z', first), ...pods(2, 'a', second)] })
    await h.run(100)
    t.strictSame([h.gang('first').state, h.gang('second').state], ['planned', 'waiting'], name)
  }
})

const barred = (h: Harness, priority: number): string[] => {
  const placement = h.gangs.placement(pod('o').cpu(1000).priority(priority).obj())
  if (placement.kind !== 'ordinary') throw new Error(placement.kind)
  return ['n-0', 'n-1', 'n-2'].filter(name => placement.bars?.(name))
}

t.test('which nodes are barred to an ordinary pod', async t => {
  const plan = await planned()
  plan.node(node('n-2').cpu(1))
  await plan.run(10)
  t.strictSame(barred(plan, 4), ['n-0', 'n-1'], 'of lower priority: those where it would eat held room')
  t.strictSame(barred(plan, 5), ['n-0', 'n-1'], 'of equal priority: the same')
  t.strictSame(barred(plan, 6), [], 'of higher priority: none')
  t.strictSame(barred(await begun(), 1_000), ['n-0', 'n-1'], 'once the gang has begun: to everybody')
  plan.node(node('n-0').cpu(2))
  await plan.run(10)
  t.strictSame(barred(plan, 4), ['n-1'], 'room beside the hold is free')
})

t.test('what becomes of the binding of an ordinary pod', async t => {
  const cases: Record<string, { readonly priority: number; readonly want: RegExp; readonly state: string }> = {
    'of lower priority it is refused': { priority: 4, want: /held for a gang/, state: 'planned' },
    'of equal priority it is refused': { priority: 5, want: /held for a gang/, state: 'planned' },
    'of higher priority it is bound, and the plan is withdrawn': { priority: 6, want: /^$/, state: 'waiting' }
  }
  for (const [name, { priority, want, state }] of Object.entries(cases)) {
    const h = await planned()
    h.add(pod('o').cpu(1000).priority(priority))
    await h.run(10)
    const asked = h.bind('o', 'n-0')
    await h.run(1_000)
    t.match(await asked, want, name)
    t.equal(h.gang('a').state, state, name)
    t.strictSame(h.nominated, state === 'planned' ? ['a-0@n-0', 'a-1@n-1'] : [], name)
  }
})

t.test('the room of an ordinary binding under way is taken, whatever becomes of it', async t => {
  const cases = {
    refused: { fault: 'refused', want: 'planned' },
    unknown: { fault: 'lost before', want: 'waiting' }
  } as const
  for (const [name, { fault, want }] of Object.entries(cases)) {
    const h = harness({ scheduler: false, nodes: slots, pods: [pod('o').cpu(1000)] })
    await h.run(10)
    h.api.fault = () => fault
    const asked = h.bind('o', 'n-0')
    h.add(pods(2, 'a', gang('a', 0)))
    await h.run(1)
    h.api.fault = () => 'none'
    await h.run(100)
    t.not(await asked, '', name)
    t.equal(h.gang('a').state, want, name)
    await h.run(40_000)
    t.equal(h.gang('a').state, 'planned', `${name}: in the end the room is found free`)
  }
})

const running = (name: string, min: number) => (each: PodBuilder) => each.gang(name, min).cpu(1000).on('n-0')

t.test('which evictions kube-scheduler may make', async t => {
  const h = harness({
    ...{ scheduler: false, nodes: [node('n-0').cpu(8), node('n-1').cpu(1)] },
    pods: [...pods(3, 'g', running('g', 2)), pod('single').cpu(1000).on('n-0'), ...pods(1, 'w', gang('w', 0, 1))]
  })
  await h.run(100)
  const ask = (who: PodBuilder, ...victims: string[]): boolean =>
    h.gangs.allowedPreemptions(who.obj(), new Map([['n-0', victims.map(name => `ns/${name}`)]])).has('n-0')
  const ordinary = pod('o').cpu(1000).priority(9)
  t.equal(ask(ordinary, 'single'), true, 'a single pod')
  t.equal(ask(ordinary, 'g-0'), true, 'surplus of a gang')
  t.equal(ask(ordinary, 'g-0', 'g-1'), false, 'not so many that the gang is left partly running')
  t.equal(ask(ordinary, 'g-0', 'g-1', 'g-2'), true, 'a whole gang')
  t.equal(ask(pod('w-0').gang('w', 1), 'single'), false, 'none for a member: gangs are planned whole')
})
