import { joined, type NodeInfo, nodeInfo, type Snapshot } from '../snapshot.ts'
import { Amounts } from './amounts.ts'
import { type Lots, lotsOf } from './lots.ts'
import type { Step } from './steps.ts'
import type { Wants } from './wants.ts'

/**
 * The nodes that take a member of some kind, at the latest when all that may go have gone: the sites, known by their
 * numbers. Changes as lots go and come back, and members come.
 */
export class Ground {
  readonly wants: Wants
  /** By site, in the order of the nodes. */
  readonly infos: readonly NodeInfo[]
  /** Those that take a member in the end. */
  readonly useful: readonly number[]
  readonly lots: Lots
  /** By lot. */
  readonly isGone: Uint8Array
  readonly #amounts: Amounts
  /** By site, then by kind: whether it is ever taken. */
  readonly #may: (readonly boolean[])[]
  /** By site, then by resource. */
  readonly #free: Float64Array
  /** By site: the kinds of the members that have come. */
  readonly #guests: (readonly number[] | undefined)[] = []
  readonly #now: (NodeInfo | undefined)[] = []

  /** The steps come by their numbers. */
  constructor(snapshot: Snapshot, steps: readonly Step[], wants: Wants) {
    this.wants = wants
    this.#amounts = new Amounts(wants.resources)
    this.infos = snapshot.nodes.filter(info => this.#answers(nodeInfo(info.node, [])).includes(true))
    this.lots = lotsOf(steps, this.infos, this.#amounts)
    this.isGone = new Uint8Array(this.lots.stepOf.length)
    this.#free = new Float64Array(this.infos.length * wants.resources.length)
    this.#may = this.infos.map((info, site) => {
      this.#count(info, site)
      return this.#answers(this.#without(site, () => true))
    })
    this.useful = [...this.infos.keys()].filter(site => this.#may[site]?.includes(true))
  }

  /** The lot goes. */
  take(lot: number): void {
    this.isGone[lot] = 1
    this.#change(this.lots.siteOf[lot] ?? 0, this.#amounts.vector(this.lots.amountsOf[lot] ?? 0), 1)
  }

  /** The lot is back. */
  put(lot: number): void {
    this.isGone[lot] = 0
    this.#change(this.lots.siteOf[lot] ?? 0, this.#amounts.vector(this.lots.amountsOf[lot] ?? 0), -1)
  }

  /** A member of that kind comes. */
  admit(site: number, kind: number): void {
    this.#guests[site] = [...(this.#guests[site] ?? []), kind]
    this.#change(site, this.wants.needs[kind] ?? [], -1)
  }

  /** All members leave. */
  clear(site: number): void {
    for (const kind of this.#guests[site] ?? []) this.#change(site, this.wants.needs[kind] ?? [], 1)
    this.#guests[site] = undefined
  }

  /** Whether members of that kind fit once all that may go have gone. */
  may(site: number, kind: number): boolean {
    return this.#may[site]?.[kind] === true
  }

  /** What goes with the lot: of each wanted resource. */
  amountsOf(lot: number): readonly number[] {
    return this.#amounts.vector(this.lots.amountsOf[lot] ?? 0)
  }

  /** How much more of each wanted resource a member of that kind asks for than is free. */
  missing(site: number, kind: number): readonly number[] {
    const from = site * this.wants.resources.length
    return (this.wants.needs[kind] ?? []).map((need, at) => (need > 0 ? need - (this.#free[from + at] ?? 0) : 0))
  }

  /** Whether one more member of that kind fits. */
  takes(site: number, kind: number): boolean {
    if (!this.may(site, kind)) return false
    if (this.wants.byAmounts[kind]) return this.#times(site, kind) >= 1
    return this.wants.admits(kind, this.now(site))
  }

  /** How many more members of that kind fit if no other kind comes, up to all of them. */
  slots(site: number, kind: number): number {
    const most = this.wants.kinds[kind]?.pods.length ?? 0
    if (!this.may(site, kind)) return 0
    return this.wants.byAmounts[kind]
      ? Math.max(0, Math.min(most, this.#times(site, kind)))
      : this.#tried(site, kind, most)
  }

  /** The node as it is now. */
  now(site: number): NodeInfo {
    const known = this.#now[site]
    if (known) return known
    const guests = (this.#guests[site] ?? []).flatMap(kind => this.wants.kinds[kind]?.pods[0] ?? [])
    const now = guests.reduce(
      joined,
      this.#without(site, lot => this.isGone[lot] === 1)
    )
    this.#now[site] = now
    return now
  }

  /** Of each wanted resource. */
  free(site: number): readonly number[] {
    const { length } = this.wants.resources
    return [...this.#free.subarray(site * length, (site + 1) * length)]
  }

  /** What the whole node has of each wanted resource. */
  sizes(site: number): string {
    return this.wants.resources.map(name => this.infos[site]?.node.allocatable.get(name) ?? 0).join()
  }

  #count({ node, used }: NodeInfo, site: number): void {
    const { resources } = this.wants
    for (const [at, name] of resources.entries())
      this.#free[site * resources.length + at] = (node.allocatable.get(name) ?? 0) - (used.get(name) ?? 0)
  }

  /** By kind: whether the node lets it in. */
  #answers(info: NodeInfo): readonly boolean[] {
    return this.wants.kinds.map((_, kind) => this.wants.admits(kind, info))
  }

  /** Without the lots that go; the same object if nobody does. */
  #without(site: number, goes: (lot: number) => boolean): NodeInfo {
    const info = this.infos[site]
    if (!info) throw new RangeError(`no site ${site}`)
    const { fromSite, lotOf } = this.lots
    const from = fromSite[site] ?? 0
    const stays = info.pods.filter((_, position) => {
      const lot = lotOf[from + position] ?? -1
      return lot < 0 || !goes(lot)
    })
    return stays.length === info.pods.length ? info : nodeInfo(info.node, stays)
  }

  #change(site: number, amounts: readonly number[], sign: 1 | -1): void {
    this.#now[site] = undefined
    const from = site * amounts.length
    for (let at = 0; at < amounts.length; at++)
      this.#free[from + at] = (this.#free[from + at] ?? 0) + sign * (amounts[at] ?? 0)
  }

  #times(site: number, kind: number): number {
    let times = Number.MAX_SAFE_INTEGER
    const needs = this.wants.needs[kind] ?? []
    const from = site * needs.length
    for (let at = 0; at < needs.length; at++) {
      const need = needs[at] ?? 0
      if (need > 0) times = Math.min(times, Math.floor((this.#free[from + at] ?? 0) / need))
    }
    return times
  }

  /** Lets members in one by one, as long as the filters do. */
  #tried(site: number, kind: number, most: number): number {
    let [info, count] = [this.now(site), 0]
    for (const member of this.wants.kinds[kind]?.pods.slice(0, most) ?? []) {
      if (!this.wants.admits(kind, info)) break
      info = joined(info, member)
      count += 1
    }
    return count
  }
}
