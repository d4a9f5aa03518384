import t from 'tap'
import { node, nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { type Harness, harness, type Options } from './harness.ts'
import type { Fault } from './model-api.ts'

const bindTimeoutMs = 20_000
const member = (each: PodBuilder): PodBuilder => each.gang('a', 3).cpu(1000)
const where = ['n-0', 'n-1', 'n-2']
const gone = "the gang's first binding failed; the gang will be planned again"
const notPlanned = 'the pod is not planned on this node (any more); it will be planned again'

/** A gang of three, ungated, planned and nominated on three nodes of one slot; the test is kube-scheduler. */
async function planned(options: Options = {}): Promise<Harness> {
  const h = harness({
    ...{ scheduler: false, bindTimeoutMs, nodes: nodes(3, 'n', each => each.cpu(1)), pods: pods(3, 'a', member) },
    ...options
  })
  await h.run(100)
  t.strictSame(h.nominated, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  return h
}

const bindAll = (h: Harness): Promise<string>[] => where.map((on, index) => h.bind(`a-${index}`, on))

t.test('nobody is bound before the quorum has arrived', async t => {
  const h = await planned()
  const early = [h.bind('a-0', 'n-0'), h.bind('a-1', 'n-1')]
  await h.run(10_000)
  t.strictSame([h.bound, h.gang('a').plan?.firm], [[], false])
  const all = [...early, h.bind('a-2', 'n-2')]
  await h.run(100)
  t.strictSame(await Promise.all(all), ['', '', ''])
  t.strictSame(h.bound, ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  t.equal(await h.metric('muster_barriers_total', { outcome: 'opened' }), 1)
  t.strictSame(h.held, [])
})

t.test('the first binding alone carries the plan, and the others start when it is known to have succeeded', async t => {
  const h = await planned()
  h.api.latency = () => 50
  const all = bindAll(h)
  await h.run(40)
  t.strictSame(h.api.written('bind'), ['a-0@n-0'])
  await h.run(40)
  t.strictSame(h.api.written('bind'), ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  await h.run(100)
  await Promise.all(all)
  const records = ['a-0', 'a-1', 'a-2'].map(name => h.pod(name).annotations.get('muster.dev/plan-members'))
  t.strictSame(records, ['{"a-0":"n-0","a-1":"n-1","a-2":"n-2"}', undefined, undefined])
})

t.test('when the member is gone that bore the plan, the next binding bears it', async t => {
  const h = await planned({ pods: pods(3, 'a', each => each.gang('a', 1).cpu(1000)) })
  h.api.fault = ({ verb, pod: name }) => (verb === 'bind' && name !== 'a-0' ? 'refused' : 'none')
  const all = bindAll(h)
  await h.run(100)
  t.strictSame(await Promise.all(all), ['', 'a webhook said no', 'a webhook said no'])
  const id = h.gang('a').plan?.id
  h.api.fault = () => 'none'
  h.delete('a-0')
  await h.run(100)
  const others = [h.bind('a-1', 'n-1'), h.bind('a-2', 'n-2')]
  await h.run(100)
  t.strictSame(await Promise.all(others), ['', ''])
  const written = ['a-1', 'a-2'].map(name => h.pod(name).annotations)
  t.strictSame(
    written.map(each => [each.get('muster.dev/plan'), each.get('muster.dev/plan-members')]),
    [
      [id, '{"a-1":"n-1","a-2":"n-2"}'],
      [id, undefined]
    ]
  )
})

t.test('when the first binding does not succeed, nobody else is bound', async t => {
  const cases: Record<string, { readonly fault: Fault; readonly want: string; readonly firm: boolean }> = {
    refused: { fault: 'refused', want: 'a webhook said no', firm: false },
    unknown: { fault: 'lost before', want: 'no answer came', firm: true }
  }
  for (const [name, { fault, want, firm }] of Object.entries(cases)) {
    const h = await planned()
    h.api.fault = write => (write.verb === 'bind' ? fault : 'none')
    const all = bindAll(h)
    await h.run(100)
    t.strictSame(await Promise.all(all), [want, gone, gone], name)
    t.strictSame([h.api.written('bind'), h.bound, h.gang('a').plan?.firm], [['a-0@n-0'], [], firm], name)
    h.api.fault = () => 'none'
    const again = bindAll(h)
    await h.run(100)
    t.strictSame(await Promise.all(again), ['', '', ''], `${name}: the next attempt goes through`)
  }
})

t.test('when the first member is gone by the time of its binding, nobody else is bound', async t => {
  const h = await planned({ watchDelay: () => 50 })
  h.delete('a-0')
  const all = bindAll(h)
  await h.run(20)
  t.strictSame(await Promise.all(all), ['the pod is gone', gone, gone])
  await h.run(100)
  t.strictSame([h.bound, h.held, h.gang('a').state], [[], [], 'forming'])
})

t.test('when the first binding was written but its answer was lost, the next attempt finds it and goes on', async t => {
  const h = await planned()
  h.api.fault = write => (write.verb === 'bind' ? 'lost after' : 'none')
  const all = bindAll(h)
  await h.run(3)
  t.strictSame(await Promise.all(all), ['no answer came', gone, gone])
  h.api.fault = () => 'none'
  await h.run(100)
  t.strictSame([h.bound, h.held, h.gang('a').state], [['a-0@n-0'], ['a-1@n-1', 'a-2@n-2'], 'binding'])
  const rest = [h.bind('a-0', 'n-0'), h.bind('a-1', 'n-1'), h.bind('a-2', 'n-2')]
  await h.run(100)
  t.strictSame(await Promise.all(rest), ['', '', ''])
})

t.test('a later binding that fails leaves the gang begun: its room is kept and it is tried again', async t => {
  const h = await planned()
  h.api.fault = write => (write.pod === 'a-2' && write.verb === 'bind' ? 'refused' : 'none')
  const all = bindAll(h)
  await h.run(100)
  t.strictSame(await Promise.all(all), ['', '', 'a webhook said no'])
  t.strictSame([h.held, h.gang('a').plan?.firm], [['a-2@n-2'], true])
  await h.run(300_000)
  t.strictSame(h.held, ['a-2@n-2'], 'however long it takes')
  h.api.fault = () => 'none'
  const again = h.bind('a-2', 'n-2')
  await h.run(100)
  t.strictSame([await again, h.gang('a').state, h.held], ['', 'running', []])
})

t.test('the barrier ends five seconds before kube-scheduler gives up', async t => {
  const h = await planned()
  const began = h.clock.now()
  let endedAt = 0
  const asked = h.bind('a-0', 'n-0')
  void asked.then(() => (endedAt = h.clock.now()))
  await h.run(bindTimeoutMs)
  t.equal(await asked, 'the rest of the gang did not arrive in time')
  t.equal(endedAt - began, bindTimeoutMs - 5_000)
  t.equal(await h.metric('muster_barriers_total', { outcome: 'timeout' }), 1)
  t.strictSame([h.api.written('bind'), h.held.length], [[], 3], 'the plan outlives it')
})

t.test('no write starts in the last second before kube-scheduler gives up', async t => {
  const h = await planned()
  const early = [h.bind('a-0', 'n-0'), h.bind('a-1', 'n-1')]
  await h.run(14_900)
  h.api.latency = () => 6_000
  const all = [...early, h.bind('a-2', 'n-2')]
  await h.run(20_000)
  t.strictSame(await Promise.all(all), ['', 'the deadline has passed', ''])
  t.strictSame(h.bound, ['a-0@n-0', 'a-2@n-2'])
})

t.test('a member whose client hangs up leaves the barrier and is not bound', async t => {
  const h = await planned()
  const client = new AbortController()
  const left = h.bind('a-0', 'n-0', client.signal)
  await h.run(100)
  client.abort()
  t.equal(await left, 'kube-scheduler gave up waiting for this binding')
  const others = [h.bind('a-1', 'n-1'), h.bind('a-2', 'n-2')]
  await h.run(1_000)
  t.strictSame(h.api.written('bind'), [])
  const all = [...others, h.bind('a-0', 'n-0')]
  await h.run(100)
  t.strictSame(await Promise.all(all), ['', '', ''])
})

t.test('a client that has hung up before it asks binds nothing', async t => {
  const h = await planned()
  const left = h.bind('a-0', 'n-0', AbortSignal.abort())
  await h.run(10)
  t.equal(await left, 'kube-scheduler gave up waiting for this binding')
})

t.test('S2.24 a repeated call joins the one under way', async t => {
  const h = await planned()
  const twice = [h.bind('a-0', 'n-0'), h.bind('a-0', 'n-0'), h.bind('a-1', 'n-1'), h.bind('a-2', 'n-2')]
  await h.run(100)
  t.strictSame(await Promise.all(twice), ['', '', '', ''])
  t.strictSame(h.api.written('bind'), ['a-0@n-0', 'a-1@n-1', 'a-2@n-2'])
  t.equal(await h.bind('a-0', 'n-0'), '', 'and one that comes later hears of success at once')
  t.equal(h.api.written('bind').length, 3)
})

t.test('only what is planned is bound, and only where it is planned', async t => {
  const h = await planned()
  t.equal(await h.bind('a-0', 'n-1'), notPlanned)
  t.equal(await h.bind('nobody', 'n-1'), 'muster does not know this pod (yet); it is scheduled again')
  h.api.setPod({ ...h.pod('a-0'), uid: 'ns/other' })
  h.delete('a-0')
  await h.run(100)
  t.equal(await h.bind('a-0', 'n-0'), 'muster does not know this pod (yet); it is scheduled again', 'the former uid')
  t.strictSame(h.api.written('bind'), [])
})

t.test('what goes wrong at the barrier fails it at once', async t => {
  const cases: Record<string, { readonly what: (h: Harness) => void; readonly want: RegExp; readonly held: string[] }> =
    {
      'a member that waits elsewhere is deleted': {
        what: h => h.delete('a-2'),
        want: /plan was withdrawn: a member is gone/,
        held: []
      },
      'a member that waits here is deleted': { what: h => h.delete('a-0'), want: /gone/, held: [] },
      'a node goes': { what: h => h.api.deleteNode('n-2'), want: /node n-2 does not take it any more/, held: [] },
      'a node is cordoned': {
        what: h => h.node(node('n-2').cpu(1).cordoned()),
        want: /node n-2 does not take it/,
        held: []
      },
      'a node shrinks': {
        what: h => h.node(node('n-2').allocatable('cpu', 500)),
        want: /node n-2 does not take it/,
        held: []
      },
      'a pod from outside takes the room': {
        what: h => h.add(pod('f').scheduler('default-scheduler').cpu(1000).on('n-2')),
        want: /node n-2 does not take it any more/,
        held: []
      }
    }
  for (const [name, { what, want, held }] of Object.entries(cases)) {
    const h = await planned()
    const waiting = [h.bind('a-0', 'n-0'), h.bind('a-1', 'n-1')]
    await h.run(100)
    what(h)
    await h.run(10)
    for (const answer of await Promise.all(waiting)) t.match(answer, want, name)
    t.strictSame([h.held, h.api.written('bind')], [held, []], name)
  }
})

t.test('the room is looked at again when the barrier opens', async t => {
  const h = await planned()
  const early = [h.bind('a-0', 'n-0'), h.bind('a-1', 'n-1')]
  await h.run(100)
  h.state.setPod(pod('f').scheduler('default-scheduler').cpu(1000).on('n-2').obj())
  const all = [...early, h.bind('a-2', 'n-2')]
  await h.run(100)
  for (const answer of await Promise.all(all)) t.not(answer, '')
  t.strictSame(h.bound, [])
})

t.test('what has begun loses only the member whose room is gone', async t => {
  const h = await planned({ nodes: nodes(4, 'n', each => each.cpu(1)) })
  h.api.latency = () => 50
  const all = bindAll(h)
  await h.run(20)
  t.equal(h.gang('a').plan?.firm, true)
  h.api.deleteNode('n-2')
  await h.run(20)
  t.strictSame(h.held, ['a-0@n-0', 'a-1@n-1', 'a-2@n-3'], 'and it gets another place')
  await h.run(200)
  t.strictSame(await Promise.all(all), ['', '', notPlanned])
  t.strictSame([h.bound, h.held], [['a-0@n-0', 'a-1@n-1'], ['a-2@n-3']])
  const rest = h.bind('a-2', 'n-3')
  await h.run(200)
  t.strictSame([await rest, h.gang('a').state], ['', 'running'])
})

t.test('what has begun gives up the room of a member that is deleted, and keeps that of the others', async t => {
  const h = await planned()
  h.api.fault = write => (write.pod === 'a-0' || write.verb !== 'bind' ? 'none' : 'refused')
  const all = bindAll(h)
  await h.run(100)
  await Promise.all(all)
  t.strictSame(h.held, ['a-1@n-1', 'a-2@n-2'])
  h.delete('a-2')
  await h.run(100)
  t.strictSame([h.held, h.gang('a').state], [['a-1@n-1'], 'binding'])
})
