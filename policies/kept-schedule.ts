import { type Actions, evictions, type Policy, schedule } from './schedule.ts'
import { Crowd } from './schedule/crowd.ts'
import { Places, type Vacancy } from './schedule/places.ts'
import { Residents } from './schedule/residents.ts'
import { Roll } from './schedule/roll.ts'
import { Terrain } from './schedule/terrain.ts'
import { Tree } from './schedule/tree.ts'
import { inTurn, takesRoom, type Unit } from './schedule/unit.ts'
import type { Node, Pod } from './types.ts'

/**
 * `schedule` kept in step with a cluster that changes: its actions are those that `schedule` gives for the whole
 * cluster, pods keeping the nodes that were planned for them when it was asked last. The units stand in a balanced tree that
 * knows how much room they take, so that an event costs the logarithm of their number for each unit that it affects, and
 * nothing for the others. That holds where nodes that take one of the pods that wait take them all, and where the order
 * says who may evict whom: in one namespace, or with ranks that mean the same in all. Elsewhere all is planned again.
 */
export class KeptSchedule {
  readonly #policy: Policy
  readonly #pods = new Map<string, Pod>()
  readonly #roll: Roll
  readonly #terrain: Terrain
  readonly #crowd = new Crowd()
  readonly #residents = new Residents()
  readonly #places = new Places(node => this.#vacancy(node))
  /** Who waits, and who stands on nodes that those take. */
  readonly #order: Tree<Unit>
  readonly #weights = new Map<Unit, number>()
  readonly #placed = new Set<Unit>()
  readonly #victims = new Set<Unit>()
  /** Gangs of which the order evicts the members on nodes, and places those that are missing beside them. */
  readonly #torn = new Set<string>()
  readonly #changedNodes = new Set<string>()
  readonly #changedPods = new Set<string>()
  #isSettled = true
  /** Set while the order does not tell the whole plan. */
  #whole: Actions | undefined

  constructor(policy: Policy) {
    this.#policy = policy
    this.#roll = new Roll(policy)
    this.#terrain = new Terrain(policy.filters)
    this.#order = new Tree(inTurn, unit => this.#weights.get(unit) ?? 0)
  }

  /** What all events have cost so far: so many units and nodes were looked at. */
  get looks(): number {
    return this.#order.looks + this.#places.looks
  }

  setPod(pod: Pod): void {
    const before = this.#pods.get(pod.uid)
    if (before === pod) return
    this.#change(before, pod)
  }

  removePod(uid: string): void {
    this.#change(this.#pods.get(uid), undefined)
  }

  setNode(node: Node): void {
    this.#turned(this.#terrain.setNode(node))
    this.#isSettled = false
  }

  removeNode(name: string): void {
    this.#turned(this.#terrain.removeNode(name))
    this.#isSettled = false
  }

  /** Whether an event costs as little as was said, as things are. */
  get isCheap(): boolean {
    return this.#terrain.isUniform && this.#crowd.isOneScale && !this.#residents.isCrowded
  }

  /** Plans for all events so far; who asks for the plan need not. */
  settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    const { isCheap } = this
    if (isCheap) this.#choose()
    if (isCheap && this.#torn.size === 0) this.#place()
    else this.#planAll()
    this.#changedNodes.clear()
    this.#changedPods.clear()
  }

  /** Whether the gang of that key stands on nodes that the plan gives to others. */
  leaves(gang: string): boolean {
    this.settle()
    const leaver = this.#whole?.preempt.find(({ pod }) => this.#roll.of(pod.uid)?.key === gang)
    return this.#whole ? leaver !== undefined : this.#roll.units(gang).some(unit => this.#victims.has(unit))
  }

  /** What is to be done now: the nodes that are planned do not change but by events. */
  actions(): Actions {
    this.settle()
    if (this.#whole) return this.#whole
    const placed = [...this.#placed].toSorted(inTurn).flatMap(unit => unit.pods)
    const bind = placed.flatMap(pod => {
      const node = this.#places.nodes.get(pod.uid)
      return node === undefined ? [] : [{ pod, node }]
    })
    const takers = new Map(bind.map(({ pod, node }) => [node, pod]))
    return {
      bind,
      preempt: evictions([...this.#victims].toSorted(inTurn), takers),
      waiting: [...this.#order].filter(unit => !unit.stands && !this.#placed.has(unit))
    }
  }

  #change(before: Pod | undefined, after: Pod | undefined): void {
    const groups = [before, after].map(pod => pod && this.#policy.groupOf(pod)?.key)
    if (before) this.#leave(before, groups[0])
    if (after) this.#enter(after, groups[1])
    for (const key of new Set(groups)) if (key !== undefined) this.#regroup(key)
    this.#isSettled = false
  }

  #leave(pod: Pod, key: string | undefined): void {
    this.#pods.delete(pod.uid)
    if (key !== undefined) this.#roll.delete(pod.uid, key)
    const { nodeName } = pod
    if (nodeName === undefined || !takesRoom(pod)) return
    if (key === undefined) this.#turned(this.#terrain.setOther(nodeName, pod, false))
    else this.#residents.delete(pod)
    this.#changedNodes.add(nodeName)
  }

  #enter(pod: Pod, key: string | undefined): void {
    this.#pods.set(pod.uid, pod)
    if (key !== undefined) this.#roll.add(pod, key)
    const { nodeName } = pod
    if (nodeName === undefined || !takesRoom(pod)) return
    if (key === undefined) this.#turned(this.#terrain.setOther(nodeName, pod, true))
    else this.#residents.add(pod, key)
    this.#changedNodes.add(nodeName)
  }

  #regroup(key: string): void {
    for (const unit of this.#roll.dissolve(key)) this.#drop(unit)
    this.#torn.delete(key)
    for (const unit of this.#roll.form(key)) this.#add(unit)
  }

  #drop(unit: Unit): void {
    this.#crowd.count(unit, -1)
    this.#order.delete(unit)
    this.#weights.delete(unit)
    this.#placed.delete(unit)
    this.#victims.delete(unit)
    this.#touch(unit)
    if (!unit.stands) for (const { shape } of unit.pods) this.#turned(this.#terrain.count(shape, -1))
  }

  #add(unit: Unit): void {
    this.#crowd.count(unit, 1)
    this.#touch(unit)
    if (!unit.stands) for (const { shape } of unit.pods) this.#turned(this.#terrain.count(shape, 1))
    this.#weigh(unit)
  }

  /** Nodes that may take something else than before: who stands there takes more or less of what there is. */
  #turned(nodes: readonly string[]): void {
    for (const node of nodes) {
      this.#changedNodes.add(node)
      for (const uid of this.#residents.on(node)) {
        const unit = this.#roll.of(uid)
        if (unit?.stands) this.#weigh(unit)
      }
    }
  }

  #weigh(unit: Unit): void {
    const nodes = new Set(unit.pods.map(({ nodeName = '' }) => nodeName).filter(node => this.#terrain.takes(node)))
    const weight = unit.stands ? nodes.size : unit.size
    if (this.#weights.get(unit) === weight) return
    this.#order.delete(unit)
    this.#setVictim(unit, unit.stands && weight > 0)
    this.#weights.set(unit, weight)
    if (weight > 0) this.#order.add(unit)
    this.#touch(unit)
  }

  /** Until the order says otherwise, who is in it has no place. */
  #setVictim(unit: Unit, isVictim: boolean): void {
    if (!isVictim) this.#victims.delete(unit)
    else this.#victims.add(unit)
    if (isVictim && this.#roll.units(unit.key).length > 1) this.#torn.add(unit.key)
    else this.#torn.delete(unit.key)
  }

  #touch({ stands, pods }: Unit): void {
    for (const { uid, nodeName = '' } of pods) {
      if (stands) this.#changedNodes.add(nodeName)
      else this.#changedPods.add(uid)
    }
  }

  #planAll(): void {
    const cluster = { nodes: [...this.#terrain.nodes()], pods: [...this.#pods.values()] }
    this.#whole = schedule(cluster, this.#policy, this.#places.nodes)
    this.#places.reset(new Map(this.#whole.bind.map(({ pod, node }) => [pod.uid, node])))
  }

  #choose(): void {
    this.#order.choose(this.#terrain.capacity, (unit, isChosen) => {
      if (unit.stands) this.#setVictim(unit, !isChosen)
      else if (isChosen) this.#placed.add(unit)
      else this.#placed.delete(unit)
      this.#touch(unit)
    })
  }

  #place(): void {
    if (this.#whole) this.#touchAll()
    this.#whole = undefined
    for (const uid of this.#changedPods) if (!this.#isPlaced(uid)) this.#places.release(uid)
    for (const node of this.#changedNodes) {
      const lost = this.#places.look(node)
      if (lost !== undefined) this.#changedPods.add(lost)
    }
    const without = [...this.#changedPods].filter(uid => this.#isPlaced(uid) && !this.#places.nodes.has(uid))
    for (const { uid } of this.#inTurn(without))
      if (!this.#places.take(uid)) throw new TypeError('who is placed has a node')
  }

  #isPlaced(uid: string): boolean {
    const unit = this.#roll.of(uid)
    return unit !== undefined && this.#placed.has(unit)
  }

  #inTurn(uids: readonly string[]): readonly Pod[] {
    const units = new Set(uids.map(uid => this.#roll.of(uid)).filter(unit => unit !== undefined))
    const asked = new Set(uids)
    return [...units].toSorted(inTurn).flatMap(unit => unit.pods.filter(({ uid }) => asked.has(uid)))
  }

  /** What was planned as a whole says nothing of what has changed. */
  #touchAll(): void {
    for (const node of this.#places.known()) this.#changedNodes.add(node)
    for (const { name } of this.#terrain.nodes()) this.#changedNodes.add(name)
    for (const uid of this.#places.nodes.keys()) this.#changedPods.add(uid)
    for (const unit of this.#placed) this.#touch(unit)
  }

  #vacancy(node: string): Vacancy {
    if (!this.#terrain.takes(node)) return 'none'
    let vacancy: Vacancy = 'free'
    for (const uid of this.#residents.on(node)) {
      const unit = this.#roll.of(uid)
      if (unit?.stands && !this.#victims.has(unit)) return 'none'
      vacancy = 'left'
    }
    return vacancy
  }
}
