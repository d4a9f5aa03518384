import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Answer, Call } from './fake-extender.ts'
import { bench, type BenchPod, entry, fakeExtender } from './scheduler-bench.ts'

type Scripts = Record<string, (call: Call) => Answer | Promise<Answer>>
type Want = { calls: string[]; node?: string | undefined; said?: string }
type Case = {
  script?: Scripts
  config?: Record<string, unknown>
  nodes?: string[]
  pod?: BenchPod
  /** A node in the pod's status before the scheduler sees it ungated. */
  nominated?: string
  want: Want
}

const bothVerbs = { filterVerb: 'filter', prioritizeVerb: 'prioritize', weight: 1, bindVerb: 'bind' }
const noHelp = (nodes: number) =>
  ` no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${nodes} Preemption is not helpful for scheduling.`
const onlyOn =
  (node: string) =>
  ({ nodes }: Call) => ({ NodeNames: nodes.filter(each => each === node) })
const gpu = {
  spec: {
    containers: [
      {
        name: 'm',
        image: 'none',
        resources: { requests: { 'example.com/gpu': '1' }, limits: { 'example.com/gpu': '1' } }
      }
    ]
  }
}

const cases: Record<string, Case> = {
  'all verbs in order': {
    config: bothVerbs,
    script: { prioritize: () => [{ Host: 'b', Score: 10 }] },
    want: { calls: ['filter p a,b', 'prioritize p a,b', 'bind p b'], node: undefined }
  },
  'one feasible node is not scored': {
    config: bothVerbs,
    script: { filter: onlyOn('b') },
    want: { calls: ['filter p a,b', 'bind p b'], node: undefined }
  },
  'without a bind verb the scheduler binds': {
    script: { filter: onlyOn('b') },
    want: { calls: ['filter p a,b'], node: 'b' }
  },
  'a nominated node is asked alone, and taken': {
    nominated: 'b',
    want: { calls: ['filter p b'], node: 'b' }
  },
  'a nominated node that is refused: all nodes in the same cycle': {
    nominated: 'b',
    script: { filter: ({ nodes }) => ({ NodeNames: nodes.length === 1 ? [] : ['a'] }) },
    want: { calls: ['filter p b', 'filter p a,b'], node: 'a' }
  },
  'an extender that breaks on the nominated node does not end the cycle': {
    nominated: 'b',
    script: { filter: ({ nodes }) => (nodes.length === 1 ? 500 : { NodeNames: ['a'] }) },
    want: { calls: ['filter p b', 'filter p a,b'], node: 'a' }
  },
  'a nominated node that is gone is not asked': {
    nominated: 'gone',
    script: { filter: onlyOn('a') },
    want: { calls: ['filter p a,b'], node: 'a' }
  },
  'no node in the tree: nobody is asked': {
    pod: { nodeSelector: { zone: 'west' } },
    want: {
      calls: [],
      said: `Unschedulable: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.${noHelp(2)}`
    }
  },
  'reasons of unresolvable nodes; absent ones have none': {
    script: { filter: () => ({ NodeNames: [], FailedAndUnresolvableNodes: { a: 'not now' } }) },
    want: {
      calls: ['filter p a,b', 'filter p a,b'],
      said: `Unschedulable: 0/2 nodes are available: 1 not now.${noHelp(2)}`
    }
  },
  'failed nodes may be preempted on, but nobody is there': {
    script: { filter: () => ({ NodeNames: [], FailedNodes: { a: 'full', b: 'full' } }) },
    want: {
      calls: ['filter p a,b', 'filter p a,b'],
      said: 'Unschedulable: 0/2 nodes are available: 2 full. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.'
    }
  },
  'unresolvable wins where a node stands in both': {
    script: {
      filter: () => ({
        NodeNames: [],
        FailedNodes: { a: 'full', b: 'full' },
        FailedAndUnresolvableNodes: { a: 'never', b: 'never' }
      })
    },
    want: {
      calls: ['filter p a,b', 'filter p a,b'],
      said: `Unschedulable: 0/2 nodes are available: 2 never.${noHelp(2)}`
    }
  },
  'null everywhere is no node': {
    script: {
      filter: () => ({ NodeNames: null, Nodes: null, FailedNodes: null, FailedAndUnresolvableNodes: null, Error: '' })
    },
    want: { calls: ['filter p a,b', 'filter p a,b'], said: `Unschedulable: 0/2 nodes are available:${noHelp(2)}` }
  },
  'a bare null is no node': {
    script: { filter: () => null },
    want: { calls: ['filter p a,b', 'filter p a,b'], said: `Unschedulable: 0/2 nodes are available:${noHelp(2)}` }
  },
  'keys of another case are read': {
    script: { filter: () => ({ nodenames: ['b'] }) },
    want: { calls: ['filter p a,b'], node: 'b' }
  },
  'an error in the answer': {
    script: { filter: () => ({ NodeNames: ['a'], Error: 'not ready' }) },
    want: { calls: ['filter p a,b'], said: 'SchedulerError: not ready' }
  },
  'a status that is not 200': {
    script: { filter: () => 201 },
    want: { calls: ['filter p a,b'], said: 'SchedulerError: failed filter with extender at URL URL/filter, code 201' }
  },
  'a node that was not offered': {
    script: { filter: () => ({ NodeNames: ['c'] }) },
    want: {
      calls: ['filter p a,b'],
      said: 'SchedulerError: extender "URL" claims a filtered node "c" which is not found in the input node list'
    }
  },
  'an answer that is no JSON': {
    script: { filter: () => 'nonsense' },
    want: { calls: ['filter p a,b'], said: 'SchedulerError: Post "URL/filter": ' }
  },
  'a wrong type in the answer': {
    script: { filter: () => ({ NodeNames: 'a' }) },
    want: {
      calls: ['filter p a,b'],
      said: 'SchedulerError: json: cannot unmarshal the answer: a list of NodeNames expected'
    }
  },
  'an answer that does not come': {
    config: { httpTimeout: '100ms' },
    script: { filter: () => 'never' },
    want: {
      calls: ['filter p a,b'],
      said: 'SchedulerError: Post "URL/filter": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    }
  },
  'an ignorable extender that breaks is skipped': {
    config: { ignorable: true },
    nodes: ['a'],
    script: { filter: () => 500 },
    want: { calls: ['filter p a'], node: 'a' }
  },
  'scores are scaled by ten and weighted: 2 × 13 × 10 beats every plugin': {
    config: { ...bothVerbs, bindVerb: '', weight: 13 },
    script: {
      prioritize: () => [
        { Host: 'b', Score: 2 },
        { Host: 'unknown', Score: 9 }
      ]
    },
    want: { calls: ['filter p a,b', 'prioritize p a,b'], node: 'b' }
  },
  'scores that are no whole numbers are ignored, and so is an extender that breaks': {
    config: { ...bothVerbs, bindVerb: '' },
    nodes: ['a', 'b'],
    script: { prioritize: () => [{ Host: 'b', Score: 7.5 }] },
    want: { calls: ['filter p a,b', 'prioritize p a,b'] }
  },
  'a pod that asks for none of the managed resources is none of its business': {
    config: { managedResources: [{ name: 'example.com/gpu', ignoredByScheduler: true }], bindVerb: 'bind' },
    nodes: ['a'],
    want: { calls: [], node: 'a' }
  },
  'a managed resource that the scheduler ignores selects the pod': {
    config: { managedResources: [{ name: 'example.com/gpu', ignoredByScheduler: true }] },
    nodes: ['a'],
    pod: gpu,
    want: { calls: ['filter p a'], node: 'a' }
  },
  'the scheduler does not ignore what it was not told to': {
    config: { managedResources: [{ name: 'example.com/gpu' }] },
    nodes: ['a'],
    pod: gpu,
    want: {
      calls: [],
      said: `Unschedulable: 0/1 nodes are available: 1 Insufficient example.com/gpu.${noHelp(1)}`
    }
  }
}

t.test('the calls of one pod:', async t => {
  for (const [name, { script = {}, config = {}, nodes = ['a', 'b'], pod = {}, nominated, want }] of Object.entries(
    cases
  )) {
    t.test(name, async t => {
      const x = await fakeExtender(t, script)
      const b = bench(t, { extenders: [entry(x, config)] })
      for (const node of nodes) b.node(node)
      b.pod('p', { ...pod, gates: ['wait'] })
      if (nominated) b.patch('p', { status: { nominatedNodeName: nominated } }, 'status')
      b.patch('p', { spec: { schedulingGates: null } })
      const decided = () => b.nodeOf('p') !== undefined || !b.said('p').startsWith('SchedulingGated')
      await b.until('decided', () => decided() || x.calls.at(-1)?.verb === 'bind')
      await b.until('all calls came', () => x.calls.length >= want.calls.length)
      t.strictSame(x.lines.slice(0, want.calls.length), want.calls)
      if ('node' in want) t.equal(b.nodeOf('p'), want.node)
      if (want.said !== undefined) {
        const said = b.said('p').replaceAll(x.url, 'URL')
        if (want.said.endsWith(' ')) t.equal(said.slice(0, want.said.length), want.said)
        else t.equal(said, want.said)
      }
    })
  }
})

t.test('a refused pod is tried twice and rests: its own first refusal wakes it once', async t => {
  const x = await fakeExtender(t, { filter: () => ({ NodeNames: [], FailedAndUnresolvableNodes: { a: 'not now' } }) })
  const b = bench(t, { extenders: [entry(x)] })
  b.node('a')
  b.pod('p')
  await b.until('two tries', () => x.calls.length === 2)
  await b.quiet()
  t.equal(x.calls.length, 2)
  t.strictSame(b.scheduler.queue(), { active: 0, backoff: 0, parked: 1 })
})

t.test('a chain: each extender sees what the ones before it left, and those that may be ignored come last', async t => {
  const calls: Call[] = []
  const make = (name: string, keeps: string[]) =>
    fakeExtender(
      t,
      { filter: ({ nodes }) => ({ NodeNames: nodes.filter(each => keeps.includes(each)) }) },
      { name, calls }
    )
  const [ignorable, first, second, idle] = await Promise.all([
    make('ignorable', ['a', 'b']),
    make('first', ['b', 'c', 'd']),
    make('second', ['a', 'b', 'c']),
    make('idle', [])
  ])
  const extenders = [
    entry(ignorable, { ignorable: true }),
    entry(first),
    entry(idle, { managedResources: [{ name: 'example.com/x' }] }),
    entry(second)
  ]
  const b = bench(t, { extenders })
  for (const node of ['a', 'b', 'c', 'd']) b.node(node)
  b.pod('p')
  await b.until('bound', () => b.nodeOf('p') === 'b')
  t.strictSame(
    calls.map(call => `${call.extender}: ${call.nodes.join()}`),
    ['first: a,b,c,d', 'second: b,c,d', 'ignorable: b,c']
  )
})

t.test('the chain ends where no node is left', async t => {
  const none = await fakeExtender(t, { filter: () => ({ NodeNames: [] }) })
  const next = await fakeExtender(t)
  const b = bench(t, { extenders: [entry(none), entry(next)] })
  b.node('a')
  b.pod('p')
  await b.until('refused', () => b.said('p') !== '')
  t.strictSame(next.calls, [])
})

t.test('the bytes on the wire', async t => {
  for (const byName of [true, false]) {
    t.test(byName ? 'nodes by name' : 'nodes whole', async t => {
      const x = await fakeExtender(t, {
        filter: ({ body }) => ({ NodeNames: body.NodeNames, Nodes: body.Nodes })
      })
      const b = bench(t, { extenders: [entry(x, { ...bothVerbs, nodeCacheCapable: byName })] })
      b.node('a')
      b.node('b')
      b.pod('p')
      await b.until('bind', () => x.calls.length === 3)
      const [filter, prioritize, bind] = x.calls.map(({ body }) => body)
      t.strictSame(Object.keys(filter ?? {}).toSorted(), ['NodeNames', 'Nodes', 'Pod'])
      t.strictSame(Object.keys(filter?.Pod ?? {}).toSorted(), ['metadata', 'spec', 'status'])
      t.notOk('managedFields' in (filter?.Pod?.metadata ?? {}))
      t.strictSame(prioritize, filter)
      if (byName) t.equal(filter?.Nodes, null)
      else t.strictSame([filter?.NodeNames, Object.keys(filter?.Nodes ?? {})], [null, ['metadata', 'items']])
      t.strictSame(bind, { PodName: 'p', PodNamespace: 'default', PodUID: b.uid('p'), Node: bind?.Node })
    })
  }
})

t.test('bind: the pod is assumed until it is bound, and the loop goes on', async t => {
  const { promise, resolve } = Promise.withResolvers<object>()
  const x = await fakeExtender(t, {
    bind: ({ pod }) => (pod === 'slow' ? promise : { Error: '' })
  })
  const b = bench(t, { extenders: [entry(x, { bindVerb: 'bind', httpTimeout: '5s' })] })
  b.node('a', { slots: 1 })
  b.node('b', { slots: 1 })
  b.pod('slow')
  await b.until('the first is being bound', () => x.calls.length === 2)
  const taken = x.calls[1]!.nodes[0]!
  b.pod('next')
  await b.until('the next is being bound', () => x.calls.length === 4)
  t.strictSame(x.lines[2], `filter next ${taken === 'a' ? 'b' : 'a'}`, 'the assumed room is not offered')
  b.api.bind({ resource: 'pods', namespace: 'default', name: 'slow' }, { node: taken })
  resolve({ Error: '' })
  await b.until('told', () =>
    b.events().some(([, , message]) => message === `Successfully assigned default/slow to ${taken}`)
  )
})

t.test('bind: what fails is forgotten, told and tried again', async t => {
  let tries = 0
  const x = await fakeExtender(t, { bind: () => (tries++ === 0 ? { Error: 'the barrier broke' } : { Error: '' }) })
  const b = bench(t, { extenders: [entry(x, { bindVerb: 'bind' })] })
  b.node('a', { slots: 1 })
  b.pod('p', { gates: ['wait'] })
  b.patch('p', { status: { nominatedNodeName: 'a' } }, 'status')
  b.patch('p', { spec: { schedulingGates: null } })
  await b.until('the first bind failed', () => b.said('p') === 'SchedulerError: the barrier broke')
  t.equal(b.nominated('p'), undefined, 'the nomination is gone')
  const from = performance.now()
  await b.until('the second bind', () => tries === 2)
  t.ok(performance.now() - from > 900, 'an error backs off, however idle the scheduler is')
  t.strictSame(x.lines, ['filter p a', 'bind p a', 'filter p a', 'bind p a'])
})

t.test('bind: a lost answer of a bind that worked', async t => {
  const x = await fakeExtender(t, {
    bind: ({ pod, nodes }) => {
      b.api.bind({ resource: 'pods', namespace: 'default', name: pod }, { node: nodes[0]! })
      return 500
    }
  })
  const b = bench(t, { extenders: [entry(x, { bindVerb: 'bind' })] })
  b.node('a')
  b.pod('p')
  await b.until('bound', () => b.nodeOf('p') === 'a')
  await b.quiet()
  t.strictSame(x.lines, ['filter p a', 'bind p a'], 'it is not tried again')
  t.equal(b.said('p'), 'True: ', 'nor told otherwise')
})

t.test('bind: an ignorable binder that breaks leaves it to the scheduler', async t => {
  const x = await fakeExtender(t, { bind: () => 500 })
  const b = bench(t, { extenders: [entry(x, { bindVerb: 'bind', ignorable: true })] })
  b.node('a')
  b.pod('p')
  await b.until('bound', () => b.nodeOf('p') === 'a')
})

t.test('bind: a pod that is deleted meanwhile leaves its room at once', async t => {
  const x = await fakeExtender(t, { bind: ({ pod }) => (pod === 'p' ? 'never' : { Error: '' }) })
  const b = bench(t, { extenders: [entry(x, { bindVerb: 'bind' })] })
  b.node('a', { slots: 1 })
  b.pod('p')
  await b.until('being bound', () => x.calls.length === 2)
  b.pod('q')
  await b.until('q waits', () => b.said('q') !== '')
  b.api.delete({ resource: 'pods', namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 })
  await b.until('q is being bound', () => x.lines.includes('bind q a'))
})

t.test('one pod at a time: no filter call begins before the one before it has ended', async t => {
  let inside = 0
  let most = 0
  const x = await fakeExtender(t, {
    filter: async ({ nodes }) => {
      most = Math.max(most, ++inside)
      await sleep(5)
      inside--
      return { NodeNames: nodes }
    }
  })
  const b = bench(t, { extenders: [entry(x)] })
  b.node('a')
  for (let index = 0; index < 8; index++) b.pod(`p${index}`)
  await b.until('all are bound', () => [0, 1, 2, 3, 4, 5, 6, 7].every(index => b.nodeOf(`p${index}`) === 'a'))
  t.equal(most, 1)
})
