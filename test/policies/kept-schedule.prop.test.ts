import { deepStrictEqual } from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { KeptSchedule } from '../../policies/kept-schedule.ts'
import { type Actions, type Policy, schedule } from '../../policies/schedule.ts'
import { rankOf } from '../../policies/ranks.ts'
import type { Node, Pod } from '../../policies/types.ts'
import { node, pod } from '../builders.ts'
import { mine, policyOf } from './clusters.ts'

type Event =
  | { readonly kind: 'pod'; readonly pod: Pod }
  | { readonly kind: 'gone'; readonly pod: number }
  | { readonly kind: 'node'; readonly node: Node }
  | { readonly kind: 'lost'; readonly node: number }
  /** The actions, as far as they go, are carried out. */
  | { readonly kind: 'done'; readonly most: number }

/** What happens is drawn from few names, so that it often happens to the same. */
const names = 12
const nodeNames = 7

type World = {
  readonly namespaces: readonly string[]
  readonly policy: Policy
  /** Whether nodes and pods differ in where pods fit. */
  readonly isMixed: boolean
}

const anyPodIn = ({ namespaces, isMixed }: World) =>
  fc
    .record({
      index: fc.nat(names - 1),
      namespace: fc.constantFrom(...namespaces),
      priority: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
      class: fc.nat(2),
      gang: fc.option(fc.nat(2), { nil: undefined, freq: 2 }),
      size: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 4 }),
      age: fc.nat(2),
      on: fc.nat(8 * nodeNames).map(on => (on <= nodeNames ? on : undefined)),
      kind: fc.constantFrom('mine', 'mine', 'mine', 'mine', 'mine', 'agent', 'leaving', 'done', 'other', 'modest'),
      picky: fc.nat(3)
    })
    .map(({ index, namespace, priority, gang, size, age, on, kind, picky, ...more }) => {
      let one = mine(`p${index}`, priority).namespace(namespace).createdAt(age).priority(more.class)
      if (kind === 'other') one = pod(`p${index}`).cpu(4000)
      if (gang !== undefined) one = one.annotation('pod-group', `g${gang}`)
      if (size !== undefined) one = one.annotation('muster.dev/min-member', String(size))
      if (isMixed && picky === 0) one = one.select('disk', 'fast')
      if (isMixed && picky === 1) one = one.cpu(3000)
      if (kind === 'agent') one = one.with({ controller: { kind: 'DaemonSet', name: 'd', uid: 'd' } })
      if (isMixed && kind === 'modest') one = one.with({ preempts: false })
      if (on !== undefined) one = one.on(`n${on}`)
      if (kind === 'leaving') one = one.with({ terminating: true })
      if (kind === 'done') one = one.with({ phase: 'Succeeded' })
      return one.obj()
    })

const anyNodeIn = ({ isMixed }: World) =>
  fc
    .record({ index: fc.nat(nodeNames - 1), cordoned: fc.nat(4), fast: fc.boolean(), cpu: fc.constantFrom(2, 4) })
    .map(({ index, cordoned, fast, cpu }) => {
      let one = node(`n${index}`)
      if (cordoned === 0) one = one.cordoned()
      if (isMixed && fast) one = one.label('disk', 'fast')
      if (isMixed) one = one.cpu(cpu)
      return one.obj()
    })

const anyEvents = (world: World) =>
  fc.array(
    fc.oneof(
      { weight: 8, arbitrary: anyPodIn(world).map((pod): Event => ({ kind: 'pod', pod })) },
      { weight: 2, arbitrary: fc.nat(names - 1).map((pod): Event => ({ kind: 'gone', pod })) },
      { weight: 4, arbitrary: anyNodeIn(world).map((node): Event => ({ kind: 'node', node })) },
      { weight: 1, arbitrary: fc.nat(nodeNames - 1).map((node): Event => ({ kind: 'lost', node })) },
      { weight: 3, arbitrary: fc.nat(4).map((most): Event => ({ kind: 'done', most })) }
    ),
    { minLength: 20, maxLength: 60 }
  )

const shown = ({ bind, preempt, waiting }: Actions) => ({
  bind: bind.map(each => `${each.pod.uid}@${each.node}`),
  preempt: preempt.map(each => `${each.pod.uid}>${each.for.uid}`),
  waiting: waiting.map(({ key }) => key)
})

/** A cluster, as the events make it, and both planners at it. */
class Pair {
  readonly kept: KeptSchedule
  readonly #policy: Policy
  readonly #nodes = new Map<string, Node>()
  readonly #pods = new Map<string, Pod>()
  #count = 0
  #former: ReadonlyMap<string, string> = new Map()

  constructor(policy: Policy) {
    this.#policy = policy
    this.kept = new KeptSchedule(policy)
  }

  get cluster() {
    return { nodes: [...this.#nodes.values()], pods: [...this.#pods.values()] }
  }

  set(one: Pod): void {
    this.#pods.set(one.uid, one)
    this.kept.setPod(one)
    this.#compare()
  }

  remove(uid: string): void {
    this.#pods.delete(uid)
    this.kept.removePod(uid)
    this.#compare()
  }

  setNode(one: Node): void {
    this.#nodes.set(one.name, one)
    this.kept.setNode(one)
    this.#compare()
  }

  removeNode(name: string): void {
    this.#nodes.delete(name)
    this.kept.removeNode(name)
    this.#compare()
  }

  apply(event: Event): void {
    if (event.kind === 'pod') this.set(event.pod)
    else if (event.kind === 'gone')
      for (const uid of [...this.#pods.keys()].filter(each => each.endsWith(`/p${event.pod}`))) this.remove(uid)
    else if (event.kind === 'node') this.setNode(event.node)
    else if (event.kind === 'lost') this.removeNode(`n${event.node}`)
    else this.#carryOut(event.most)
  }

  #carryOut(most: number): void {
    this.#ask()
    const { bind, preempt } = this.kept.actions()
    for (const each of preempt.slice(0, most)) this.remove(each.pod.uid)
    if (preempt.length > most) return
    for (const each of bind.slice(0, most)) this.set({ ...each.pod, nodeName: each.node, phase: 'Running' })
  }

  #compare(): void {
    // Nobody asks after every event; what is not cheap meanwhile is not planned.
    if (!this.kept.isCheap) this.kept.upkeep()
    if (this.#count++ % 3 !== 1) this.#ask()
  }

  #ask(): void {
    const want = schedule(this.cluster, this.#policy, this.#former)
    this.#former = new Map(want.bind.map(({ pod, node }) => [pod.uid, node]))
    deepStrictEqual(shown(this.kept.actions()), shown(want))
    const fresh = schedule(this.cluster, this.#policy, new Map())
    const units = ({ bind, preempt, waiting }: Actions) => [
      new Set(bind.map(each => each.pod.uid)),
      new Set(preempt.map(each => each.pod.uid)),
      shown({ bind: [], preempt: [], waiting }).waiting
    ]
    deepStrictEqual(
      units(want),
      units(fresh),
      'who is placed and who leaves does not depend on what was planned before'
    )
  }
}

const worlds: Record<string, World> = {
  'S3.73 one namespace, nodes that are alike': { namespaces: ['ns'], policy: policyOf(), isMixed: false },
  'S3.73 several namespaces, ranks that mean the same in all': {
    namespaces: ['ns', 'other'],
    policy: policyOf({ rankOf: one => rankOf(one, { byAnnotation: true, cap: 1_000 }) }),
    isMixed: false
  },
  'several namespaces with rights of their own': {
    namespaces: ['ns', 'other'],
    policy: policyOf({ rankOf: one => rankOf(one, { byAnnotation: true, cap: 1 }) }),
    isMixed: false
  },
  'nodes and pods of several kinds': { namespaces: ['ns'], policy: policyOf(), isMixed: true },
  'all of it': { namespaces: ['ns', 'other'], policy: policyOf(), isMixed: true }
}

for (const [title, world] of Object.entries(worlds)) {
  t.test(`${title}: after every event the kept plan is the whole plan`, async t => {
    fc.assert(
      fc.property(anyEvents(world), events => {
        const pair = new Pair(world.policy)
        for (let index = 0; index < nodeNames; index++) pair.setNode(node(`n${index}`).obj())
        for (const event of events) pair.apply(event)
      }),
      { seed: 7, numRuns: 80 }
    )
    t.pass('held')
  })
}
