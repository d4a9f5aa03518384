import t from 'tap'
import { KeptSchedule } from '../../policies/kept-schedule.ts'
import { schedule } from '../../policies/schedule.ts'
import type { Pod } from '../../policies/types.ts'
import { node, type PodBuilder } from '../builders.ts'
import { group, mine, policyOf } from './clusters.ts'

/** So many pods, single and in gangs of four, of a hundred priorities; half of them have a node. */
function busy(count: number): KeptSchedule {
  const kept = new KeptSchedule(policyOf())
  for (let index = 0; index < count / 2; index++) kept.setNode(node(`n${index}`).obj())
  for (let index = 0; index < count / 8; index++) {
    const four = [0, 1, 2, 3].map(part => mine(`s${index}-${part}`, (index * 7 + part) % 100))
    for (const one of [...four, ...group(`g${index}`, 4, (index * 13) % 100)]) kept.setPod(one.obj())
  }
  const { bind } = kept.actions()
  for (const each of bind) kept.setPod({ ...each.pod, nodeName: each.node, phase: 'Running' })
  return kept
}

/** What each kind of event costs, put to a cluster of so many pods. */
function costs(count: number): Record<string, number> {
  const kept = busy(count)
  const cost = (event: () => void): number => {
    kept.settle()
    const before = kept.looks
    event()
    kept.settle()
    return kept.looks - before
  }
  const add = (one: PodBuilder) => () => kept.setPod(one.obj())
  const first = mine('first', 200)
  return {
    'a pod that waits behind all others': cost(add(mine('last', -1))),
    'a pod before all others, for which the least is evicted': cost(add(first)),
    'its node is known': cost(add(first.on(kept.actions().bind[0]?.node ?? ''))),
    'it is gone': cost(() => kept.removePod('ns/first')),
    'a gang of eight before all others': cost(() => group('eight', 8, 200).map(one => add(one)())),
    'a node is lost': cost(() => kept.removeNode('n7')),
    'it is back': cost(() => kept.setNode(node('n7').obj())),
    'a node is new': cost(() => kept.setNode(node('new').obj()))
  }
}

t.test('S3.73 an event costs the logarithm of how many pods there are', async t => {
  const [small, large] = [costs(1_000), costs(16_000)]
  for (const [event, cost] of Object.entries(large)) {
    t.ok(cost <= 60 * Math.log2(16_000), `${event}: ${cost} looks among 16,000 pods`)
    // Sixteen times as many pods: a tree is four levels higher, of ten or fourteen.
    t.ok(cost <= 2 * (small[event] ?? 0) + 60, `${event}: ${small[event]} looks among 1,000 pods, ${cost} among 16,000`)
  }
})

t.test('S3.72 the whole plan, made again for every event, is the same', async t => {
  const pods = [...group('g', 3, 5), mine('a', 9), mine('b', 1), mine('c', 7)].map(one => one.obj())
  const nodes = ['x', 'y', 'z'].map(name => node(name).obj())
  const kept = new KeptSchedule(policyOf())
  for (const one of nodes) kept.setNode(one)
  let former: ReadonlyMap<string, string> = new Map()
  for (const [index, one] of pods.entries()) {
    kept.setPod(one)
    const whole = schedule({ nodes, pods: pods.slice(0, index + 1) }, policyOf(), former)
    former = new Map(whole.bind.map(({ pod, node }) => [pod.uid, node]))
    t.strictSame(kept.actions(), whole, `after ${one.name}`)
  }
})

t.test('more shapes than are kept in mind are planned all the same, and so is what is left of them', async t => {
  const nodes = Array.from({ length: 5 }, (_, index) =>
    node(`n${index}`)
      .cpu(index === 0 ? 1 : 4)
      .obj()
  )
  const kept = new KeptSchedule(policyOf())
  for (const one of nodes) kept.setNode(one)
  const pods = new Map<string, Pod>()
  let former: ReadonlyMap<string, string> = new Map()
  const check = (when: string) => {
    const whole = schedule({ nodes, pods: [...pods.values()] }, policyOf(), former)
    former = new Map(whole.bind.map(({ pod, node }) => [pod.uid, node]))
    t.strictSame(kept.actions(), whole, when)
  }
  const add = (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const one = mine(`p${index}`, index)
        .cpu(100 + index)
        .obj()
      pods.set(one.uid, one)
      kept.setPod(one)
    }
    check(`with p${from} to p${to - 1}`)
  }
  add(0, 20)
  add(20, 50)
  for (const one of [...pods.values()].slice(4)) {
    pods.delete(one.uid)
    kept.removePod(one.uid)
    if (pods.size % 6 === 0) check(`with ${pods.size}`)
  }
  t.ok(kept.isCheap)
  add(60, 90)
  add(1_000, 1_001)
})

t.test('S3.60 a pod that is deleted leaves its node to the next, and the others keep theirs', async t => {
  const kept = new KeptSchedule(policyOf())
  for (const name of ['x', 'y']) kept.setNode(node(name).obj())
  for (const one of [mine('a', 3), mine('b', 2), mine('c', 1)]) kept.setPod(one.obj())
  const shown = () => kept.actions().bind.map(each => `${each.pod.name}@${each.node}`)
  t.strictSame(shown(), ['a@x', 'b@y'])
  kept.removePod('ns/a')
  t.strictSame(shown(), ['b@y', 'c@x'])
  kept.removePod('ns/unknown')
  kept.removeNode('unknown')
  t.strictSame(shown(), ['b@y', 'c@x'])
})

t.test(
  'S3.24 S3.27 S3.62 a life: who is placed stays through arrivals, losses and evictions as far as can be',
  async t => {
    const kept = new KeptSchedule(policyOf())
    for (const name of ['x', 'y', 'z']) kept.setNode(node(name).obj())
    for (const one of [...group('g', 2, 5), mine('low', 1)]) kept.setPod(one.obj())
    const carriedOut = () => {
      const { bind, preempt } = kept.actions()
      for (const each of preempt) kept.removePod(each.pod.uid)
      for (const each of bind) kept.setPod({ ...each.pod, nodeName: each.node, phase: 'Running' })
      return [
        preempt.map(each => `${each.pod.name}>${each.for.name}`),
        bind.map(each => `${each.pod.name}@${each.node}`)
      ]
    }
    t.strictSame(carriedOut(), [[], ['g-0@x', 'g-1@y', 'low@z']])
    kept.setPod(mine('high', 9).obj())
    t.strictSame(carriedOut(), [['low>high'], ['high@z']])
    kept.removeNode('z')
    kept.removePod('ns/high')
    kept.setPod(mine('equal', 5).obj())
    t.strictSame(carriedOut(), [[], []], 'the gang stays')
    kept.setNode(node('w').obj())
    t.strictSame(carriedOut(), [[], ['equal@w']])
    kept.setPod(mine('top', 10).obj())
    t.strictSame(carriedOut(), [['equal>top'], ['top@w']], 'one pod leaves rather than a gang of two')
    t.strictSame(carriedOut(), [[], []])
  }
)
