import t from 'tap'
import { mostFeasible } from '../../extender/embedded/scheduler/filtering.ts'
import type { NodeOptions } from '../control-plane/objects.ts'
import { ManualClock } from '../kubernetes/manual-clock.ts'
import { bench, type BenchPod } from './scheduler-bench.ts'

type Case = {
  nodes?: Record<string, NodeOptions & { unschedulable?: boolean }>
  /** Bound ones, as name → node. */
  bound?: Record<string, [node: string, pod?: BenchPod]>
  pod?: BenchPod
  want: { node: string } | { said: string }
}

const taint = { key: 'only', value: 'gpu', effect: 'NoSchedule' }
const noHelp = (nodes: number) =>
  `no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${nodes} Preemption is not helpful for scheduling.`
const noVictims = (nodes: number) =>
  `no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${nodes} No preemption victims found for incoming pod.`
const port = { containers: [{ name: 'main', image: 'none', ports: [{ containerPort: 80, hostPort: 80 }] }] }
const required = (terms: object[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } }
})

const cases: Record<string, Case> = {
  'the node with room': {
    nodes: { small: { cpu: '1' }, large: { cpu: '8' } },
    pod: { cpu: '2' },
    want: { node: 'large' }
  },
  'the emptier of two nodes': {
    nodes: { full: { cpu: '8' }, empty: { cpu: '8' } },
    bound: { other: ['full', { cpu: '4', memory: '4Gi' }] },
    want: { node: 'empty' }
  },
  'the node without a taint that asks to stay away': {
    nodes: { shy: { taints: [{ ...taint, effect: 'PreferNoSchedule' }] }, open: {} },
    bound: { other: ['open', { cpu: '2', memory: '2Gi' }] },
    want: { node: 'open' }
  },
  'the node that is preferred': {
    nodes: { a: {}, b: { labels: { disk: 'ssd' } }, c: {} },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 10, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } }
            ]
          }
        }
      }
    },
    want: { node: 'b' }
  },
  'no node where there is none': { want: { said: 'Unschedulable: no nodes available to schedule pods' } },
  'every reason of every node, counted': {
    nodes: {
      a: { cpu: '2', memory: '4Gi' },
      b: { cpu: '2' },
      c: { cpu: '8', taints: [taint] },
      d: { cpu: '8', labels: { zone: 'x' }, taints: [taint] },
      e: { cpu: '8', unschedulable: true }
    },
    pod: { cpu: '4', memory: '8Gi' },
    want: {
      said: `Unschedulable: 0/5 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable, 2 Insufficient cpu, 2 node(s) had untolerated taint(s). ${noHelp(5)}`
    }
  },
  'a node selector that nothing has': {
    nodes: { a: {}, b: {} },
    pod: { nodeSelector: { zone: 'west' } },
    want: {
      said: `Unschedulable: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. ${noHelp(2)}`
    }
  },
  'a node that is named and gone': {
    nodes: { a: {}, b: {} },
    pod: { spec: required([{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['c'] }] }]) },
    want: {
      said: `Unschedulable: 0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. ${noHelp(2)}`
    }
  },
  'a node that is named and there': {
    nodes: { a: {}, b: {} },
    pod: { spec: required([{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }]) },
    want: { node: 'b' }
  },
  'the node where its port is free': {
    nodes: { a: {}, b: {} },
    bound: { other: ['a', { spec: port }] },
    pod: { spec: port },
    want: { node: 'b' }
  },
  'too many pods, and nobody to evict': {
    nodes: { a: { slots: 1 } },
    bound: { other: ['a'] },
    want: { said: `Unschedulable: 0/1 nodes are available: 1 Too many pods. ${noVictims(1)}` }
  },
  'a gate': {
    nodes: { a: {} },
    pod: { gates: ['wait'] },
    want: { said: 'SchedulingGated: Scheduling is blocked due to non-empty scheduling gates' }
  }
}

t.test('a pod gets', async t => {
  for (const [name, { nodes = {}, bound = {}, pod = {}, want }] of Object.entries(cases)) {
    t.test(name, async t => {
      const b = bench(t)
      for (const [name, { unschedulable, ...node }] of Object.entries(nodes)) {
        b.node(name, node)
        if (unschedulable) b.api.patch({ resource: 'nodes', name }, { spec: { unschedulable } }, { type: 'merge' })
      }
      for (const [name, [node, options]] of Object.entries(bound)) b.bound(name, node, options)
      b.pod('p', pod)
      await b.until('decided', () => b.nodeOf('p') !== undefined || b.said('p') !== '')
      t.strictSame('node' in want ? { node: b.nodeOf('p') } : { said: b.said('p') }, want)
    })
  }
})

t.test('pods of other schedulers are left alone', async t => {
  const b = bench(t)
  b.node('n1')
  b.pod('other', { schedulerName: 'somebody-else' })
  b.pod('ours')
  await b.until('ours is bound', () => b.nodeOf('ours') === 'n1')
  t.equal(b.nodeOf('other'), undefined)
})

t.test('events tell of the binding and of the refusal', async t => {
  const b = bench(t)
  b.node('n1', { cpu: '1' })
  b.pod('small')
  b.pod('large', { cpu: '2' })
  await b.until('both are decided', () => b.nodeOf('small') !== undefined && b.said('large') !== '')
  t.strictSame(b.events(), [
    ['Normal', 'Scheduled', 'Successfully assigned default/small to n1'],
    ['Warning', 'FailedScheduling', b.said('large').replace('Unschedulable: ', '')]
  ])
})

t.test('who is nominated for a node keeps its room', async t => {
  const nominated = { status: { nominatedNodeName: 'n1' } }
  const table = {
    'from an equal': { nominee: 5, comer: 5, want: undefined },
    'from a lesser': { nominee: 5, comer: 1, want: undefined },
    'not from one above it': { nominee: 5, comer: 9, want: 'n1' }
  }
  for (const [name, { nominee, comer, want }] of Object.entries(table)) {
    t.test(name, async t => {
      const b = bench(t)
      b.node('n1', { slots: 1 })
      b.pod('nominee', { priority: nominee, gates: ['wait'] })
      b.patch('nominee', nominated, 'status')
      b.pod('comer', { priority: comer })
      await b.until('decided', () => b.nodeOf('comer') !== undefined || b.said('comer') !== '')
      t.equal(b.nodeOf('comer'), want)
      if (want) return
      b.patch('nominee', { status: { nominatedNodeName: null } }, 'status')
      await b.until('the nomination ends, and with it the wait', () => b.nodeOf('comer') === 'n1')
    })
  }
})

t.test('priority first, then whoever came first', async t => {
  const b = bench(t)
  for (const [name, priority] of [
    ['late', 1],
    ['low', 0],
    ['high', 9],
    ['later', 1]
  ] as const)
    b.pod(name, { priority })
  for (const name of ['late', 'low', 'high', 'later']) t.equal(b.nodeOf(name), undefined)
  const order: string[] = []
  b.api.watch('pods', ({ object: { metadata } }) => {
    if (b.nodeOf(metadata.name) !== undefined && !order.includes(metadata.name)) order.push(metadata.name)
  })
  b.node('n1')
  await b.until('all are bound', () => order.length === 4, 20_000)
  t.strictSame(order, ['high', 'late', 'later', 'low'])
})

t.test('how many feasible nodes are enough', async t => {
  const table: [nodes: number, percentage: number, want: number][] = [
    [0, 0, 0],
    [99, 0, 99],
    [100, 0, 100],
    [1_000, 0, 420],
    [5_000, 0, 500],
    [6_000, 0, 300],
    [1_000, 5, 100],
    [1_000, 70, 700],
    [1_000, 100, 1_000]
  ]
  for (const [nodes, percentage, want] of table) t.equal(mostFeasible(nodes, percentage), want, `${nodes} nodes`)
})

t.test('the search goes on where it ended, so that all nodes have their turn', async t => {
  const b = bench(t, { clock: new ManualClock() })
  for (let index = 0; index < 300; index++) b.node(`n${index}`)
  for (let index = 0; index < 3; index++) {
    b.pod(`p${index}`)
    await b.until('bound', () => b.nodeOf(`p${index}`) !== undefined)
  }
  const looked = [0, 1, 2].map(index => Number(b.nodeOf(`p${index}`)?.slice(1)))
  const [first = -1, second = -1, third = -1] = looked
  t.ok(first < 144, '144 of 300 are looked at')
  t.ok(second >= 144 && second < 288, 'then the next 144')
  t.ok(third >= 288 || third < 132, 'then the rest, and again from the first')
})
