/**
 * How long it takes to plan a whole cluster of the plan-based scheduler: from nothing, and kept in step, event by event.
 * Half of the pods are single, half in gangs of four, of a hundred priorities; there is a node for every second pod.
 */
import { KeptSchedule } from '../../policies/kept-schedule.ts'
import { schedule } from '../../policies/schedule.ts'
import type { Node, Pod } from '../../policies/types.ts'
import { node } from '../builders.ts'
import { group, mine, policyOf } from '../policies/clusters.ts'

const policy = policyOf()
const sizes = [1_000, 10_000, 20_000]
const nodesFor = (count: number): readonly Node[] => Array.from({ length: count / 2 }, (_, at) => node(`n${at}`).obj())

function podsFor(count: number): readonly Pod[] {
  return Array.from({ length: count / 8 }, (_, at) => [
    ...[0, 1, 2, 3].map(part => mine(`s${at}-${part}`, (at * 7 + part) % 100)),
    ...group(`g${at}`, 4, (at * 13) % 100)
  ]).flatMap(builders => builders.map(one => one.obj()))
}

const number = (value: number) => value.toFixed(value < 10 ? 3 : 1).padStart(10)

function row(title: string, times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  const figures = [sorted[sorted.length >> 1]!, sorted[0]!, sorted.at(-1)!].map(number)
  return `${title.padEnd(56)}${figures.join('')}`
}

const timed = (run: () => void): number => {
  const from = performance.now()
  run()
  return performance.now() - from
}

/** A cluster in which everybody who is planned has been placed. */
function settled(count: number) {
  const [nodes, pods] = [nodesFor(count), podsFor(count)]
  const kept = new KeptSchedule(policy)
  for (const one of nodes) kept.setNode(one)
  for (const one of pods) kept.setPod(one)
  const { bind } = kept.actions()
  const placed = new Map(bind.map(each => [each.pod.uid, each.node]))
  const now = pods.map((one): Pod => {
    const nodeName = placed.get(one.uid)
    return nodeName === undefined ? one : { ...one, nodeName, phase: 'Running' }
  })
  for (const one of now) kept.setPod(one)
  kept.settle()
  return { cluster: { nodes, pods: now }, waiting: { nodes, pods }, kept }
}

/** The events of a busy day: pods of all priorities come, some of those go, nodes are lost and come back. */
function* events(kept: KeptSchedule, nodes: readonly Node[], rounds: number): Generator<() => void> {
  for (let at = 0; at < rounds; at++) {
    const one = mine(`x${at}`, (at * 37) % 110).obj()
    yield () => kept.setPod(one)
    if (at % 2 === 0) yield () => kept.removePod(one.uid)
    const lost = nodes[(at * 31) % nodes.length]!
    if (at % 8 === 0) {
      yield () => kept.removeNode(lost.name)
      yield () => kept.setNode(lost)
    }
  }
}

function rowsFor(count: number): readonly string[] {
  const { cluster, waiting, kept } = settled(count)
  const label = count.toLocaleString('en')
  const fresh = Array.from({ length: 7 }, () => timed(() => schedule(waiting, policy, new Map())))
  const whole = Array.from({ length: 7 }, () => timed(() => schedule(cluster, policy, new Map())))
  const looks = kept.looks
  const each = [...events(kept, cluster.nodes, 1_000)].map(event =>
    timed(() => {
      event()
      kept.settle()
    })
  )
  const mean = ((kept.looks - looks) / each.length).toFixed(0)
  return [
    row(`${label} pods: the whole, all of them waiting`, fresh),
    row(`${label} pods: the whole, half of them placed`, whole),
    `${row(`${label} pods: kept, one event`, each)}   ${mean} looks an event`
  ]
}

/** The lines of the table. */
export async function schedules(): Promise<readonly string[]> {
  const heads = ['median', 'least', 'most'].map(each => each.padStart(10))
  rowsFor(1_000)
  return [`${'milliseconds'.padEnd(56)}${heads.join('')}`, ...sizes.flatMap(rowsFor)]
}
