import t from 'tap'
import { node, nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const slots = nodes(3, 'n', each => each.cpu(1))
const member = (each: PodBuilder): PodBuilder => each.gang('a', 3).cpu(1000)
const record = (one: PodBuilder, plan = '7-3'): PodBuilder =>
  one.annotation('muster.dev/plan', plan).annotation('muster.dev/plan-members', '{"a-0":"n-0","a-1":"n-2","a-2":"n-1"}')
const begun = [record(member(pod('a-0')), '7-3').on('n-0'), member(pod('a-1')), member(pod('a-2'))]

const rival = (index: number): PodBuilder =>
  pod(`r-${index}`)
    .gang('r', 2)
    .cpu(1000)
    .gated()
    .nominated(`n-${index + 1}`)

t.test('what a new life takes over', async t => {
  const cases = {
    'a plan that has begun, from its record: firmly, where it was, under its id': {
      pods: begun,
      want: { held: ['a-1@n-2', 'a-2@n-1'], plan: { id: '7-3', firm: true } }
    },
    'the newest record, if there are several': {
      pods: [
        member(pod('a-0'))
          .on('n-0')
          .annotation('muster.dev/plan', '7-9')
          .annotation('muster.dev/plan-members', '{"a-2":"n-2"}'),
        member(pod('a-1'))
          .on('n-1')
          .annotation('muster.dev/plan', '7-10')
          .annotation('muster.dev/plan-members', '{"a-2":"n-3"}'),
        member(pod('a-2'))
      ],
      nodes: nodes(4, 'n', each => each.cpu(1)),
      want: { held: ['a-2@n-3'], plan: { id: '7-10', firm: true } }
    },
    'a complete quorum of nominations: as a plan of its own': {
      pods: ['n-1', 'n-2', 'n-0'].map((on, index) =>
        member(pod(`a-${index}`))
          .gated()
          .nominated(on)
      ),
      want: { held: ['a-0@n-1', 'a-1@n-2', 'a-2@n-0'], plan: { id: '1-1', firm: false } }
    },
    'of a record whose node is full now, only the rest; that member is planned anew': {
      pods: [...begun, pod('f').cpu(1000).on('n-2')],
      nodes: nodes(4, 'n', each => each.cpu(1)),
      want: { held: ['a-1@n-3', 'a-2@n-1'], plan: { id: '7-3', firm: true } }
    },
    'no record that cannot be read: the gang is repaired': {
      pods: [
        member(pod('a-0'))
          .on('n-0')
          .annotation('muster.dev/plan', '7-3')
          .annotation('muster.dev/plan-members', '{"a-1":'),
        member(pod('a-1')),
        member(pod('a-2'))
      ],
      want: { held: ['a-1@n-1', 'a-2@n-2'], plan: { id: '1-1', firm: true } }
    }
  }
  for (const [name, { pods: all, want, ...rest }] of Object.entries(cases)) {
    const h = harness({ scheduler: false, nodes: 'nodes' in rest ? rest.nodes : slots, pods: all })
    await h.run(1)
    t.match({ held: h.held, plan: h.gang('a').plan }, want, name)
  }
})

t.test('a gang that has begun is first to find its room again, whoever else was nominated for it', async t => {
  for (const all of [
    [rival(0), rival(1), ...begun],
    [...begun, rival(0), rival(1)]
  ]) {
    const h = harness({ scheduler: false, nodes: slots, pods: all })
    await h.run(1)
    t.strictSame(h.held, ['a-1@n-2', 'a-2@n-1'])
  }
})

t.test('a pod of whose end nobody tells is written to ever more seldom', async t => {
  const h = harness({
    ...{ scheduler: false, nodes: slots, watchDelay: () => 90_000 },
    pods: pods(2, 'a', each => member(each).gated().nominated('n-1'))
  })
  h.api.deletePod('ns/a-0')
  await h.run(60_000)
  const tried = h.api.writes.filter(({ pod: name }) => name === 'a-0').length
  t.ok(tried >= 2 && tried <= 15, `${tried} times in a minute`)
})

t.test('incomplete nominations are cleared', async t => {
  const h = harness({
    scheduler: false,
    nodes: slots,
    pods: pods(2, 'a', each => member(each).gated().nominated('n-1'))
  })
  await h.run(100)
  t.strictSame([h.held, h.nominated, h.api.written('clear')], [[], [], ['a-0', 'a-1']])
})

t.test('nominations that do not fit together any more are given up, and the gang is planned anew', async t => {
  const h = harness({
    scheduler: false,
    nodes: slots,
    pods: pods(3, 'a', each => member(each).gated().nominated('n-1'))
  })
  await h.run(500)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  t.strictSame(h.nominated, h.held)
})

t.test('killed at any moment of its start, a gang comes to stand whole, and nothing is left over', async t => {
  for (const isGated of [true, false]) {
    for (let at = 0; at <= 60; at += 1) {
      const h = harness({ nodes: slots, pods: pods(3, 'a', each => (isGated ? member(each).gated() : member(each))) })
      await h.run(at)
      h.kill()
      await h.run(at % 7 === 0 ? 3_000 : 1)
      h.start()
      await h.run(60_000)
      const end = [h.bound, h.held, h.nominated, h.violations]
      if (JSON.stringify(end) !== JSON.stringify([h.bound, [], [], []]) || h.bound.length !== 3)
        t.strictSame(end, [['3 members'], [], [], []], `killed after ${at} ms, ${isGated ? 'gated' : 'ungated'}`)
    }
  }
  t.pass()
})

t.test('while muster is down nobody of a gang is bound, and pods of others are', async t => {
  const h = harness({ nodes: slots })
  h.kill()
  h.add(pods(3, 'a', member), pod('f').scheduler('default-scheduler').on('n-0'))
  await h.run(5_000)
  t.strictSame(h.bound, ['f@n-0'])
})

t.test('a nomination that others erase is written again, cheaply when they insist', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'a', member), holdTtlMs: 10_000_000 })
  await h.run(100)
  const before = h.api.writes.length
  h.api.change('ns/a-0', { nominatedNodeName: undefined })
  await h.run(50)
  t.strictSame(
    h.api.writes.slice(before).map(({ verb, pod: name }) => `${verb} ${name}`),
    ['nominate a-0'],
    'once: at once'
  )
  for (let second = 0; second < 120; second += 1) {
    if (h.pod('a-0').nominatedNodeName !== undefined) h.api.change('ns/a-0', { nominatedNodeName: undefined })
    await h.run(1_000)
  }
  const fight = h.api.writes.length - before
  t.ok(fight < 30, `${fight} writes in two minutes of fight`)
})

t.test('a nomination that the watch never shows is written again after five seconds', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'a', member) })
  h.api.fault = write => (write.pod === 'a-0' ? 'lost before' : 'none')
  await h.run(100)
  h.api.fault = () => 'none'
  await h.run(5_000)
  t.strictSame(h.nominated, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
})

t.test('the nominations of a withdrawn plan keep their room until they are seen cleared', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'a', member) })
  await h.run(100)
  h.api.fault = write => (write.verb === 'clear' ? 'lost before' : 'none')
  h.delete('a-2')
  h.add(pods(3, 'b', each => each.gang('b', 3).cpu(1000)))
  await h.run(2_000)
  t.strictSame([h.gang('a').state, h.gang('b').state, h.nominated], ['forming', 'waiting', ['a-0@n-0', 'a-1@n-1']])
  h.api.fault = () => 'none'
  await h.run(10_000)
  t.strictSame(h.held, ['b-0@n-0', 'b-1@n-1', 'b-2@n-2'])
})

t.test('a hold that is not used in time goes to an equal, whose turn it is then', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(3, 'a', member), holdTtlMs: 10_000 })
  await h.run(9_900)
  t.equal(h.gang('a').state, 'planned')
  // So that nothing is left of its plan when its time is over.
  for (const name of ['a-0', 'a-1', 'a-2']) h.api.change(`ns/${name}`, { nominatedNodeName: undefined })
  h.api.fault = () => 'lost before'
  h.add(pods(3, 'b', each => each.gang('b', 3).cpu(1000).createdAt(h.clock.wall())))
  await h.run(200)
  t.strictSame([h.gang('a').state, h.gang('b').state], ['waiting', 'planned'])
  t.equal(await h.metric('muster_hold_expirations_total'), 1)
})

t.test('what happens to a plan that has not begun', async t => {
  const more = nodes(5, 'n', each => each.cpu(1))
  const cases = {
    'its node goes': {
      what: (h: ReturnType<typeof harness>) => h.api.deleteNode('n-0'),
      held: ['a-0@n-1', 'a-1@n-2', 'a-2@n-3']
    },
    'its node is cordoned': {
      what: (h: ReturnType<typeof harness>) => h.node(node('n-0').cpu(1).cordoned()),
      held: ['a-0@n-1', 'a-1@n-2', 'a-2@n-3']
    },
    'its node shrinks': {
      what: (h: ReturnType<typeof harness>) => h.node(node('n-0').allocatable('cpu', 900)),
      held: ['a-0@n-1', 'a-1@n-2', 'a-2@n-3']
    },
    'a foreign pod takes its room': {
      what: (h: ReturnType<typeof harness>) => h.add(pod('f').scheduler('default-scheduler').cpu(1000).on('n-0')),
      held: ['a-0@n-1', 'a-1@n-2', 'a-2@n-3']
    },
    'a member is deleted': { what: (h: ReturnType<typeof harness>) => h.delete('a-0'), held: [] },
    'a member is replaced': {
      what: (h: ReturnType<typeof harness>) => {
        h.delete('a-0')
        h.add(member(pod('a-9')))
      },
      held: ['a-1@n-0', 'a-2@n-1', 'a-9@n-2']
    },
    'another node comes': {
      what: (h: ReturnType<typeof harness>) => h.node(node('m').cpu(1)),
      held: ['a-0@n-0', 'a-1@n-1', 'a-2@n-2']
    }
  }
  for (const [name, { what, held }] of Object.entries(cases)) {
    const h = harness({ scheduler: false, nodes: more, pods: pods(3, 'a', member) })
    await h.run(100)
    what(h)
    await h.run(1_000)
    t.strictSame([h.held, h.nominated], [held, held], name)
  }
})

const alone = (name: string): PodBuilder => pod(name).cpu(1000)
/** What kube-scheduler hears within so short a time. */
async function answered(h: ReturnType<typeof harness>, answer: Promise<string>): Promise<string> {
  await h.run(100)
  return answer
}

t.test('a new life gives no room away of whose binding kube-scheduler may not have heard, for a while', async t => {
  const h = harness({ scheduler: false, nodes: slots.slice(0, 1), pods: [alone('o').on('n-0'), alone('p')] })
  h.restart()
  t.match(await answered(h, h.bind('p', 'n-0')), /taken by a binding under way/)
  await h.run(10_000)
  t.equal(await answered(h, h.bind('p', 'n-0')), '', 'then kube-scheduler knows best who fits')
})

t.test('when kube-scheduler goes without its answer, the room is not given away a second time', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: ['o', 'p', 'q'].map(alone) })
  await answered(h, h.bind('q', 'n-1'))
  await h.run(10_000)
  const hungUp = new AbortController()
  const answer = h.bind('o', 'n-0', hungUp.signal)
  hungUp.abort()
  t.equal(await answered(h, answer), '', 'what is under way is waited for')
  t.match(await answered(h, h.bind('p', 'n-0')), /taken by a binding under way/)
})
