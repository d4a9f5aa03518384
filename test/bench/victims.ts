/**
 * `node test/bench/victims.ts`: how long the search for victims takes for a gang of 64 on 5,000 full nodes with 50,000
 * pods in 5,000 gangs. Prints median, fastest and slowest of several runs after a warm-up, and what was found.
 */
import type { Body, Budget } from '../../policies/bodies.ts'
import type { Profile } from '../../policies/framework.ts'
import { customScheduler, muster } from '../../policies/index.ts'
import { nodeInfo, Snapshot } from '../../policies/snapshot.ts'
import type { Pod } from '../../policies/types.ts'
import { type VictimRequest, victims } from '../../policies/victims.ts'
import { node, type PodBuilder, pod } from '../builders.ts'

type Answer = ReturnType<typeof victims>
/** Its input is made once; what it returns is what is timed. */
type Case = () => () => Answer

const nodeCount = 5_000
const perNode = 10
const size = 10

/** Park and Miller's generator: the same cluster in every run. */
const dice = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}

/** On which node the pod of a gang stands. */
type Layout = (gang: number, index: number) => number
const packed: Layout = gang => gang
const blocks: Layout = (gang, index) => gang - (gang % size) + index
const spread = (): Layout => {
  const roll = dice(11)
  const orders = Array.from({ length: size }, () => {
    const order = Array.from({ length: nodeCount }, (_, index) => index)
    for (let at = order.length - 1; at > 0; at--) {
      const other = roll(at + 1)
      ;[order[at], order[other]] = [order[other]!, order[at]!]
    }
    return order
  })
  return (gang, index) => orders[index]![gang]!
}

type Options = {
  readonly layout: Layout
  readonly member: readonly PodBuilder[]
  /** How many of each gang may go while it goes on. */
  readonly surplus?: number
  readonly isProtected?: (gang: number) => boolean
  readonly budgets?: (bodies: readonly Body[]) => readonly Budget[]
  readonly profile?: Profile
}

const nodeNames = Array.from({ length: nodeCount }, (_, index) => `n${index}`)
const slot = (name: string) => pod(name).cpu(1000).memory(4)

function prepared({ layout, member, surplus = 0, isProtected = () => false, budgets, profile = muster }: Options) {
  const roll = dice(7)
  const byNode: Pod[][] = Array.from({ length: nodeCount }, () => [])
  const bodies: Body[] = []
  for (let gang = 0; gang < (nodeCount * perNode) / size; gang++) {
    const [priority, age] = [roll(3), 60 + roll(86_400)]
    const pods = Array.from({ length: size }, (_, index) =>
      slot(`g${gang}-${index}`).priority(priority).on(nodeNames[layout(gang, index)]!).obj()
    )
    for (const [index, one] of pods.entries()) byNode[layout(gang, index)]!.push(one)
    if (isProtected(gang)) continue
    const worth = new Map(pods.map(({ uid }) => [uid, { priority, lostWork: age + roll(60) }]))
    bodies.push({ key: `ns/g${gang}`, pods, surplus: pods.slice(size - surplus), whole: true, worth })
  }
  const cluster = new Snapshot(
    byNode.map((pods, index) => nodeInfo(node(nodeNames[index]!).cpu(perNode).memory(64).obj(), pods))
  )
  const request: VictimRequest = {
    pods: member.map(one => one.priority(9).obj()),
    need: member.length,
    refused: new Map(),
    bodies,
    budgets: budgets?.(bodies) ?? []
  }
  return Object.assign(() => victims(cluster, request, profile), { input: { snapshot: cluster, request, profile } })
}

const gang = (build: (one: PodBuilder) => PodBuilder, count = 64) =>
  Array.from({ length: count }, (_, index) => build(slot(`m${index}`)))
const oneSlot = gang(one => one)
const wholeNode = gang(one => one.cpu(10_000).memory(40))
const mixed = [...gang(one => one.cpu(10_000), 16), ...gang(one => one.cpu(3000).with({ name: 'small' }), 48)].map(
  (one, index) => one.uid(`ns/x${index}`)
)

export const packedSlot: Case = () => prepared({ layout: packed, member: oneSlot })
export const packedNode: Case = () => prepared({ layout: packed, member: wholeNode })
export const blocksSlot: Case = () => prepared({ layout: blocks, member: oneSlot })
export const blocksNode: Case = () => prepared({ layout: blocks, member: wholeNode })
export const spreadSlot: Case = () => prepared({ layout: spread(), member: oneSlot })
export const spreadNode: Case = () => prepared({ layout: spread(), member: wholeNode })
export const surplusSlot: Case = () => prepared({ layout: spread(), member: oneSlot, surplus: 2 })
export const surplusNode: Case = () => prepared({ layout: spread(), member: wholeNode, surplus: 2 })
export const mixedPacked: Case = () => prepared({ layout: packed, member: mixed })
export const mixedSpread: Case = () => prepared({ layout: spread(), member: mixed })
/** A node takes one pod of the gang's scheduler; the pods that stand there are another's. */
export const alone: Case = () => {
  const member = oneSlot.map(one => one.scheduler('alone'))
  return prepared({ layout: spread(), member, profile: customScheduler(new Set(['alone'])) })
}
/** One budget for every ten gangs lets five of their pods go. */
const tens = (bodies: readonly Body[]): readonly Budget[] =>
  Array.from({ length: bodies.length / 10 }, (_, index) => {
    const pods = bodies.slice(index * 10, index * 10 + 10).flatMap(body => body.pods)
    return { uids: new Set(pods.map(({ uid }) => uid)), allowed: 5 }
  })
export const budgeted: Case = () => prepared({ layout: spread(), member: oneSlot, surplus: 2, budgets: tens })
/** All pods of all but 63 nodes are protected. */
export const vainPacked: Case = () => prepared({ layout: packed, member: wholeNode, isProtected: gang => gang >= 63 })
/** On each node one pod is protected. */
export const vainSpread: Case = () =>
  prepared({ layout: blocks, member: wholeNode, isProtected: gang => gang % size === 0 })
/** No node is large enough. */
export const vainLarge: Case = () => prepared({ layout: spread(), member: gang(one => one.cpu(11_000)) })
/** Everything may go, and it is still too little. */
export const vainNarrow: Case = () => prepared({ layout: spread(), member: gang(one => one.cpu(10_000), 5_001) })

export const cases: Readonly<Record<string, Case>> = {
  'gangs on one node each, a member takes a slot': packedSlot,
  'gangs on one node each, a member takes a node': packedNode,
  'ten gangs on the same ten nodes, a slot': blocksSlot,
  'ten gangs on the same ten nodes, a node': blocksNode,
  'gangs spread over ten nodes, a slot': spreadSlot,
  'gangs spread over ten nodes, a node': spreadNode,
  'spread, two of each gang are surplus, a slot': surplusSlot,
  'spread, two of each gang are surplus, a node': surplusNode,
  'one node each, 16 members take a node, 48 three slots': mixedPacked,
  'spread, 16 members take a node, 48 three slots': mixedSpread,
  'spread, one pod per node': alone,
  'spread, surplus, a budget for every ten gangs': budgeted,
  'in vain: all but 63 nodes protected': vainPacked,
  'in vain: one pod on each node protected': vainSpread,
  'in vain: no node is large enough': vainLarge,
  'in vain: one member more than nodes': vainNarrow
}

const number = (value: number) => value.toFixed(1).padStart(8)

function found(answer: Answer): string {
  if (answer.outcome !== 'evict') return answer.outcome
  return `${answer.victims.length} victims of ${new Set(answer.victims.map(({ body }) => body)).size} bodies`
}

function measure(name: string, make: Case, runs: number): string {
  const run = make()
  for (let warm = 0; warm < 5; warm++) run()
  const walls: number[] = []
  const cpus: number[] = []
  for (let count = 0; count < runs; count++) {
    const [start, used] = [performance.now(), process.threadCpuUsage()]
    run()
    const { user, system } = process.threadCpuUsage(used)
    walls.push(performance.now() - start)
    cpus.push((user + system) / 1000)
  }
  const [wall, cpu] = [walls, cpus].map(times => times.toSorted((a, b) => a - b))
  const figures = [wall![runs >> 1]!, wall![0]!, wall!.at(-1)!, cpu![runs >> 1]!].map(number)
  return `${name.padEnd(56)}${figures.join('')}   ${found(run())}`
}

/** The lines of the table; only the cases whose name contains that text. */
export async function victimSearch(only = ''): Promise<readonly string[]> {
  const heads = ['median', 'least', 'most', 'cpu'].map(each => each.padStart(8))
  const head = `${'milliseconds, 15 runs; median CPU time of the thread'.padEnd(56)}${heads.join('')}`
  return [
    head,
    ...Object.entries(cases).flatMap(([name, make]) => (name.includes(only) ? [measure(name, make, 15)] : []))
  ]
}

if (import.meta.main) for (const line of await victimSearch(process.argv[2])) process.stdout.write(`${line}\n`)
