import { type Actions, evictions, type Policy, schedule } from './schedule.ts'
import { Crowd } from './schedule/crowd.ts'
import { Places, type Vacancy } from './schedule/places.ts'
import { Ranking } from './schedule/ranking.ts'
import { Residents } from './schedule/residents.ts'
import { Roll } from './schedule/roll.ts'
import { Terrain } from './schedule/terrain.ts'
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
  readonly #ranking = new Ranking(gang => this.#roll.units(gang).length > 1)
  readonly #changedGangs = new Set<string>()
  readonly #changedNodes = new Set<string>()
  readonly #changedPods = new Set<string>()
  #isSettled = true
  /** It is not known any more what has changed since the order last told the plan. */
  #isAdrift = false
  /** Set while the order does not tell the whole plan. */
  #whole: Actions | undefined

  constructor(policy: Policy) {
    this.#policy = policy
    this.#roll = new Roll(policy)
    this.#terrain = new Terrain(policy.filters)
  }

  /** What all events have cost so far: so many units and nodes were looked at. */
  get looks(): number {
    return this.#ranking.looks + this.#places.looks
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
    this.#terrain.setNode(node)
    this.#isSettled = false
  }

  removeNode(name: string): void {
    this.#terrain.removeNode(name)
    this.#isSettled = false
  }

  /** More than its pods may have changed about the gang of that key: what the policy says of it. */
  review(gang: string): void {
    this.#changedGangs.add(gang)
    this.#isSettled = false
  }

  /** Whether an event costs as little as was said, as things are. */
  get isCheap(): boolean {
    this.#regroup()
    this.#turned(this.#terrain.survey())
    return this.#terrain.isUniform && this.#crowd.isOneScale && !this.#residents.isCrowded
  }

  /** Plans for all events so far; who asks for the plan need not. */
  settle(): void {
    this.upkeep()
    if (!this.#isSettled) this.#planAll()
    this.#isSettled = true
  }

  /** Takes in what has happened, as far as that is cheap: else all is planned when somebody asks. */
  upkeep(): void {
    if (this.#isSettled) return
    const { isCheap } = this
    if (isCheap) this.#ranking.choose(this.#terrain.capacity, unit => this.#touch(unit))
    this.#isSettled = isCheap && !this.#ranking.isTorn
    if (this.#isSettled) this.#place()
    else this.#forget()
  }

  /** Whether the gang of that key stands on nodes that the plan gives to others. */
  leaves(gang: string): boolean {
    this.settle()
    const leaver = this.#whole?.preempt.find(({ pod }) => this.#roll.of(pod.uid)?.key === gang)
    return this.#whole ? leaver !== undefined : this.#roll.units(gang).some(unit => this.#ranking.leaves(unit))
  }

  /** What is to be done now: the nodes that are planned do not change but by events. */
  actions(): Actions {
    this.settle()
    if (this.#whole) return this.#whole
    const placed = this.#ranking.placed().flatMap(unit => unit.pods)
    const bind = placed.flatMap(pod => {
      const node = this.#places.nodes.get(pod.uid)
      return node === undefined ? [] : [{ pod, node }]
    })
    const takers = new Map(bind.map(({ pod, node }) => [node, pod]))
    return { bind, preempt: evictions(this.#ranking.victims(), takers), waiting: this.#ranking.waiting() }
  }

  #change(before: Pod | undefined, after: Pod | undefined): void {
    const [left, joined] = [before, after].map(pod => pod && this.#policy.groupOf(pod)?.key)
    if (before) this.#leave(before, left)
    if (after) this.#enter(after, joined)
    for (const key of [left, joined]) if (key !== undefined) this.#changedGangs.add(key)
    this.#isSettled = false
  }

  #leave(pod: Pod, key: string | undefined): void {
    this.#pods.delete(pod.uid)
    if (key !== undefined) this.#roll.delete(pod.uid, key)
    this.#stand(pod, key, false)
  }

  #enter(pod: Pod, key: string | undefined): void {
    this.#pods.set(pod.uid, pod)
    if (key !== undefined) this.#roll.add(pod, key)
    this.#stand(pod, key, true)
  }

  #stand(pod: Pod, key: string | undefined, isThere: boolean): void {
    const { nodeName } = pod
    if (nodeName === undefined || !takesRoom(pod)) return
    this.#changedNodes.add(nodeName)
    if (key === undefined) this.#terrain.setOther(nodeName, pod, isThere)
    else if (isThere) this.#residents.add(pod, key)
    else this.#residents.delete(pod)
  }

  /** First of all the old units, since a pod may have gone from one gang to another. */
  #regroup(): void {
    for (const gang of this.#changedGangs) for (const unit of this.#roll.dissolve(gang)) this.#drop(unit)
    for (const gang of this.#changedGangs) for (const unit of this.#roll.form(gang)) this.#add(unit)
    this.#changedGangs.clear()
  }

  #drop(unit: Unit): void {
    this.#crowd.count(unit, -1)
    this.#ranking.delete(unit)
    this.#touch(unit)
    if (!unit.stands) for (const { shape } of unit.pods) this.#terrain.count(shape, -1)
  }

  #add(unit: Unit): void {
    this.#crowd.count(unit, 1)
    this.#touch(unit)
    if (!unit.stands) for (const { shape } of unit.pods) this.#terrain.count(shape, 1)
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
    if (this.#ranking.set(unit, unit.stands ? nodes.size : unit.size)) this.#touch(unit)
  }

  #touch({ stands, pods }: Unit): void {
    for (const { uid, nodeName = '' } of pods) {
      if (stands) this.#changedNodes.add(nodeName)
      else this.#changedPods.add(uid)
    }
  }

  #forget(): void {
    this.#isAdrift = true
    this.#changedNodes.clear()
    this.#changedPods.clear()
  }

  #planAll(): void {
    const cluster = { nodes: [...this.#terrain.nodes()], pods: [...this.#pods.values()] }
    this.#whole = schedule(cluster, this.#policy, this.#places.nodes)
    this.#places.reset(new Map(this.#whole.bind.map(({ pod, node }) => [pod.uid, node])))
  }

  #place(): void {
    if (this.#isAdrift) this.#touchAll()
    this.#isAdrift = false
    this.#whole = undefined
    for (const uid of this.#changedPods) if (!this.#isPlaced(uid)) this.#places.release(uid)
    for (const node of this.#changedNodes) {
      const lost = this.#places.look(node)
      if (lost !== undefined) this.#changedPods.add(lost)
    }
    const without = [...this.#changedPods].filter(uid => this.#isPlaced(uid) && !this.#places.nodes.has(uid))
    for (const { uid } of this.#inTurn(without))
      if (!this.#places.take(uid)) throw new TypeError('who is placed has a node')
    this.#changedNodes.clear()
    this.#changedPods.clear()
  }

  #isPlaced(uid: string): boolean {
    const unit = this.#roll.of(uid)
    return unit !== undefined && this.#ranking.isPlaced(unit)
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
    for (const unit of this.#ranking.placed()) this.#touch(unit)
  }

  #vacancy(node: string): Vacancy {
    if (!this.#terrain.takes(node)) return 'none'
    let vacancy: Vacancy = 'free'
    for (const uid of this.#residents.on(node)) {
      const unit = this.#roll.of(uid)
      if (unit?.stands && !this.#ranking.leaves(unit)) return 'none'
      vacancy = 'left'
    }
    return vacancy
  }
}
