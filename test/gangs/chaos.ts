import * as fc from 'fast-check'
import type { Pod } from '../../policies/types.ts'
import { node, pod } from '../builders.ts'
import { type Harness, harness } from './harness.ts'
import type { Fault, Write } from './model-api.ts'

/** One thing that happens, and how long it is quiet afterwards; the numbers choose among what there is. */
export type Event = { readonly kind: Kind; readonly a: number; readonly b: number; readonly waitMs: number }

const kinds = [
  ...(['gang', 'gang', 'gang', 'delete', 'replace', 'ordinary', 'foreign', 'add node', 'lose node', 'cordon'] as const),
  ...(['uncordon', 'shrink', 'faults', 'calm', 'restart', 'hang up', 'erase'] as const)
] as const
type Kind = (typeof kinds)[number]

/** The kinds of events after which nothing but our own decisions can leave a gang partly bound. */
export const harmless: readonly Kind[] = [
  'gang',
  'gang',
  'faults',
  'calm',
  'restart',
  'hang up',
  'erase',
  'ordinary',
  'add node'
]

export const events = (of: readonly Kind[] = kinds): fc.Arbitrary<Event[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom(...of),
      a: fc.nat(1_000),
      b: fc.nat(1_000),
      waitMs: fc.constantFrom(0, 3, 10, 30, 200, 1_500, 6_000)
    }),
    { minLength: 3, size: 'max', maxLength: 30 }
  )

/** A small generator, so that a run is told by its seed. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const slots = 3
/** A watch lags by less than this, so that what was deleted earlier is known. */
const knownMs = 100

type Declared = { readonly min: number; readonly size: number }

/** A cluster to which things happen, and what must be true of it all the time and in the end. */
export class Chaos {
  readonly h: Harness
  readonly #random: () => number
  /** Nodes where somebody from outside took room, or took it away: there capacity is not ours to promise. */
  readonly #tainted = new Set<string>()
  readonly #gangs = new Map<string, Declared>()
  readonly #deletedAt = new Map<string, number[]>()
  readonly #pending = new Map<Write, string>()
  /** Gangs of which a member has stood on a node. */
  readonly #begun = new Set<string>()
  #faulty = 0
  #count = 0
  readonly broken: string[] = []

  constructor(seed: number) {
    this.#random = random(seed)
    const delay = (): number => Math.floor(this.#random() * 20)
    this.h = harness({
      nodes: [0, 1, 2, 3].map(index => node(`n${index}`).cpu(slots)),
      holdTtlMs: 20_000,
      watchDelay: delay,
      // kube-scheduler then gives the room away once more before its watch shows that it is taken.
      onLost: on => this.#tainted.add(on),
      losesReply: () => this.#random() < this.#faulty / 2
    })
    this.h.api.latency = () => 1 + delay()
    this.h.api.fault = write => this.#fault(write)
    this.h.clock.onStep = () => this.#check()
  }

  #fault(write: Write): Fault {
    if (write.verb === 'bind') {
      this.#pending.set(write, write.node)
      this.#checkQuorum(write)
    }
    if (this.#random() >= this.#faulty) return 'none'
    return (['refused', 'lost before', 'lost after'] as const)[Math.floor(this.#random() * 3)] ?? 'none'
  }

  async happen({ kind, a, b, waitMs }: Event): Promise<void> {
    this[kind](a, b)
    await this.h.run(waitMs)
  }

  gang(a: number, b: number): void {
    const name = `g${this.#count++}`
    const declared = { min: 1 + (a % 4), size: 1 + (b % 2) }
    this.#gangs.set(name, declared)
    for (let index = 0; index < declared.min + (a % 5 === 0 ? 1 : 0); index += 1)
      this.#member(name, `${name}-${index}`, b % 3 === 0)
  }

  #member(gang: string, name: string, isUngated: boolean): void {
    const { min, size } = this.#gangs.get(gang) ?? { min: 1, size: 1 }
    const priority = gang.length % 2 === 0 && Number(gang.slice(1)) % 3 === 0 ? 10 : 0
    const one = pod(name)
      .gang(gang, min)
      .cpu(size * 1000)
      .priority(priority)
      .createdAt(this.#count)
      .with({ graceMs: [0, 500, 5_000][this.#count % 3] ?? 0 })
    this.h.add(isUngated ? one : one.gated())
  }

  delete(a: number): void {
    const found = this.#pick([...this.h.api.pods.values()], a)
    if (found) this.#remove(found)
  }

  #remove(found: Pod): void {
    const gang = gangNameOf(found)
    this.#deletedAt.set(gang, [...(this.#deletedAt.get(gang) ?? []), this.h.clock.now()])
    this.h.api.deletePod(found.uid)
  }

  replace(a: number, b: number): void {
    const found = this.#pick(
      [...this.h.api.pods.values()].filter(each => gangNameOf(each) !== ''),
      a
    )
    if (!found) return
    this.#remove(found)
    this.#member(gangNameOf(found), `${found.name.split('.')[0]}.${this.#count++}`, b % 2 === 0)
  }

  ordinary(_a: number, b: number): void {
    this.h.add(
      pod(`o${this.#count++}`)
        .cpu(1000)
        .priority([0, 5, 20][b % 3] ?? 0)
        .createdAt(this.#count)
    )
  }

  foreign(a: number): void {
    const on = this.#pick([...this.h.api.nodes.keys()], a)
    if (on === undefined) return
    this.#tainted.add(on)
    this.h.add(
      pod(`f${this.#count++}`)
        .scheduler('default-scheduler')
        .cpu(1000)
        .on(on)
    )
  }

  'add node'(): void {
    if (this.h.api.nodes.size < 6) this.h.node(node(`n${this.#count++}`).cpu(slots))
  }

  'lose node'(a: number): void {
    const name = this.#pick([...this.h.api.nodes.keys()], a)
    if (name === undefined || this.h.api.nodes.size < 3) return
    this.#tainted.add(name)
    this.h.api.deleteNode(name)
  }

  cordon(a: number): void {
    const one = this.#pick([...this.h.api.nodes.values()], a)
    if (one) this.h.node({ ...one, unschedulable: true })
  }

  uncordon(a: number): void {
    const one = this.#pick([...this.h.api.nodes.values()], a)
    if (one) this.h.node({ ...one, unschedulable: false })
  }

  shrink(a: number): void {
    const one = this.#pick([...this.h.api.nodes.values()], a)
    if (!one) return
    this.#tainted.add(one.name)
    this.h.node({ ...one, allocatable: new Map([...one.allocatable, ['cpu', 1000]]) })
  }

  faults(a: number): void {
    this.#faulty = [0.1, 0.3, 0.6][a % 3] ?? 0.1
  }

  calm(): void {
    this.#faulty = 0
  }

  restart(): void {
    // What a dead life sent may still arrive, and the next one cannot know.
    for (const on of this.#pending.values()) this.#tainted.add(on)
    this.h.restart()
  }

  'hang up'(a: number): void {
    const one = this.#pick([...this.h.api.pods.values()], a)
    if (one) this.h.scheduler?.hangUp(one.uid)
  }

  /** kube-scheduler and others erase nominations at any time. */
  erase(a: number): void {
    const one = this.#pick(
      [...this.h.api.pods.values()].filter(each => each.nominatedNodeName !== undefined),
      a
    )
    if (one) this.h.api.change(one.uid, { nominatedNodeName: undefined })
  }

  /** Nothing goes wrong any more, what went wrong outside is mended, and time passes. */
  async heal(): Promise<void> {
    this.#faulty = 0
    for (const one of [...this.h.api.nodes.values()])
      this.h.node({ ...one, unschedulable: false, allocatable: node(one.name).cpu(slots).obj().allocatable })
    await this.h.run(320_000)
  }

  #pick<T>(from: readonly T[], index: number): T | undefined {
    return from[index % Math.max(1, from.length)]
  }

  #check(): void {
    for (const write of [...this.#pending.keys()]) {
      const found = [...this.h.api.pods.values()].find(one => one.name === write.pod)
      if (!found || found.nodeName !== undefined) this.#pending.delete(write)
    }
    for (const one of this.h.api.pods.values()) if (one.nodeName !== undefined) this.#begun.add(gangNameOf(one))
    if (this.h.violations.length > 0) this.broken.push(`violation: ${String(this.h.violations.pop())}`)
    for (const one of this.h.api.nodes.values()) {
      if (this.#tainted.has(one.name)) continue
      const used = this.#used(one.name) + this.#heldOn(one.name) - this.#leaving(one.name)
      if (used > slots)
        this.broken.push(
          `${one.name} is overcommitted: ${used} of ${slots}, ${this.h.bound.join()}, held ${this.h.held.join()}`
        )
    }
  }

  /** The first member of a gang may be bound only while enough members exist. */
  #checkQuorum(write: Write): void {
    const found = [...this.h.api.pods.values()].find(one => one.name === write.pod)
    const gang = found ? gangNameOf(found) : ''
    const declared = this.#gangs.get(gang)
    if (!declared) return
    const members = this.#members(gang)
    const recent = (this.#deletedAt.get(gang) ?? []).filter(at => this.h.clock.now() - at < knownMs).length
    // What had begun is repaired member by member.
    if (!this.#begun.has(gang) && members.length + recent < declared.min)
      this.broken.push(`${write.pod} is bound although only ${members.length} of ${declared.min} exist`)
  }

  #used(on: string): number {
    return sizes([...this.h.api.pods.values()].filter(one => one.nodeName === on))
  }

  #heldOn(on: string): number {
    const held = this.h.gangs.reports.gangs().flatMap(gang => gang.members)
    const names = new Set(held.filter(member => member.planned === on).map(member => member.name))
    return sizes([...this.h.api.pods.values()].filter(one => names.has(one.name) && one.nodeName === undefined))
  }

  /** Room that is promised to those for whom these pods leave. */
  #leaving(on: string): number {
    const names = new Set(this.h.gangs.reports.gangs().flatMap(gang => gang.plan?.leaving ?? []))
    const pods = [...this.h.api.pods.values()].filter(one => one.nodeName === on)
    return sizes(pods.filter(one => names.has(`${one.namespace}/${one.name}`)))
  }

  #members(gang: string): Pod[] {
    return [...this.h.api.pods.values()].filter(one => gangNameOf(one) === gang)
  }

  #free(size: number): number {
    return [...this.h.api.nodes.keys()].reduce(
      (sum, name) => sum + Math.max(0, Math.floor((slots - this.#used(name)) / size)),
      0
    )
  }

  /** What is wrong now that everything has come to rest. */
  verdict(): string[] {
    const wrong = [...this.broken]
    if (this.h.held.length > 0) wrong.push(`still held: ${this.h.held.join()}`)
    if (this.h.nominated.length > 0) wrong.push(`still nominated: ${this.h.nominated.join()}`)
    for (const [name, { min, size }] of this.#gangs) {
      const members = this.#members(name)
      const bound = members.filter(one => one.nodeName !== undefined).length
      const missing = Math.max(bound >= min ? 1 : min - bound, 1)
      const canGoOn = members.length - bound >= missing && this.#free(size) >= (bound > 0 ? 1 : missing)
      if (canGoOn) wrong.push(`${name} has ${bound} of ${members.length} (min ${min}) bound, and there is room`)
    }
    return wrong
  }

  /** Gangs that are partly bound. */
  partial(): string[] {
    return [...this.#gangs].flatMap(([name, { min }]) => {
      const members = this.#members(name)
      const bound = members.filter(one => one.nodeName !== undefined).length
      return bound > 0 && bound < min ? [`${name} has ${bound} of ${min}`] : []
    })
  }
}

const gangNameOf = (one: Pod): string => one.annotations.get('muster.dev/gang') ?? ''
const sizes = (pods: readonly Pod[]): number =>
  pods.reduce((sum, one) => sum + (one.shape.requests.get('cpu') ?? 0) / 1000, 0)
