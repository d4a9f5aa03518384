import type { NodeInfo } from '../snapshot.ts'
import type { Shape } from '../types.ts'
import type { Amounts } from './amounts.ts'
import { type Groups, grouped } from './groups.ts'
import { placesOf } from './places.ts'
import type { Step } from './steps.ts'

/**
 * What goes from one node by one step is a lot. There are tens of thousands of them, so they are numbers into flat
 * arrays: as objects they would cost more than the rest of the search. The lots of a step follow each other.
 */
export type Lots = {
  /** By step: its first lot, and at the end the number of all lots. */
  readonly from: Int32Array
  readonly stepOf: Int32Array
  readonly siteOf: Int32Array
  /** How many pods. */
  readonly countOf: Int32Array
  /** The number of what they take. */
  readonly amountsOf: Int32Array
  /** What goes from the same node by the next earlier step of the body, and by the next later one; -1 for nothing. */
  readonly lowerOf: Int32Array
  readonly upperOf: Int32Array
  readonly bySite: Groups
  /** By site: where its pods begin in `lotOf`, which tells the lot of each, -1 for those who stay. */
  readonly fromSite: Int32Array
  readonly lotOf: Int32Array
}

const none = -1

/** The steps come by their numbers. Pods on other nodes than these are in no lot. */
export function lotsOf(steps: readonly Step[], infos: readonly NodeInfo[], amounts: Amounts): Lots {
  const pods = steps.flatMap(step => step.pods)
  const { nodes, positions } = placesOf(pods, infos)
  const builder = new Builder({ steps: steps.length, infos, pods: pods.length }, amounts)
  let at = 0
  for (const step of steps) {
    builder.begin(step)
    for (const { shape } of step.pods) {
      builder.add(nodes[at] ?? none, positions[at] ?? none, shape)
      at += 1
    }
  }
  return builder.end()
}

class Builder {
  readonly #amounts: Amounts
  readonly #from: Int32Array
  readonly #stepOf: Int32Array
  readonly #siteOf: Int32Array
  readonly #countOf: Int32Array
  readonly #amountsOf: Int32Array
  readonly #lowerOf: Int32Array
  readonly #upperOf: Int32Array
  readonly #fromSite: Int32Array
  readonly #lotOf: Int32Array
  /** By site. */
  readonly #last: Int32Array
  #count = 0
  #step = 0
  /** Where the lots of this step begin, and those of its body. */
  #ofStep = 0
  #ofBody = 0

  constructor(
    { steps, infos, pods }: { readonly steps: number; readonly infos: readonly NodeInfo[]; readonly pods: number },
    amounts: Amounts
  ) {
    this.#amounts = amounts
    this.#from = new Int32Array(steps + 1)
    this.#stepOf = new Int32Array(pods)
    this.#siteOf = new Int32Array(pods)
    this.#countOf = new Int32Array(pods)
    this.#amountsOf = new Int32Array(pods)
    this.#lowerOf = new Int32Array(pods).fill(none)
    this.#upperOf = new Int32Array(pods).fill(none)
    this.#last = new Int32Array(infos.length).fill(none)
    this.#fromSite = new Int32Array(infos.length + 1)
    for (const [site, info] of infos.entries())
      this.#fromSite[site + 1] = (this.#fromSite[site] ?? 0) + info.pods.length
    this.#lotOf = new Int32Array(this.#fromSite.at(-1) ?? 0).fill(none)
  }

  begin({ id, level }: Step): void {
    this.#step = id
    this.#ofStep = this.#count
    if (level === 0) this.#ofBody = this.#count
    this.#from[id] = this.#count
  }

  add(site: number, position: number, shape: Shape): void {
    if (site === none) return
    const at = (this.#fromSite[site] ?? 0) + position
    const last = this.#last[site] ?? none
    const amounts = this.#amounts.of(shape)
    if (last >= this.#ofStep) {
      this.#countOf[last] = (this.#countOf[last] ?? 0) + 1
      this.#amountsOf[last] = this.#amounts.sum(this.#amountsOf[last] ?? 0, amounts)
      this.#lotOf[at] = last
      return
    }
    this.#lotOf[at] = this.#create(site, amounts, last)
  }

  #create(site: number, amounts: number, last: number): number {
    const lot = this.#count++
    this.#stepOf[lot] = this.#step
    this.#siteOf[lot] = site
    this.#countOf[lot] = 1
    this.#amountsOf[lot] = amounts
    if (last >= this.#ofBody) {
      this.#lowerOf[lot] = last
      this.#upperOf[last] = lot
    }
    this.#last[site] = lot
    return lot
  }

  end(): Lots {
    const count = this.#count
    this.#from[this.#from.length - 1] = count
    return {
      from: this.#from,
      stepOf: this.#stepOf,
      siteOf: this.#siteOf,
      countOf: this.#countOf,
      amountsOf: this.#amountsOf,
      lowerOf: this.#lowerOf,
      upperOf: this.#upperOf,
      fromSite: this.#fromSite,
      lotOf: this.#lotOf,
      bySite: grouped(this.#siteOf.subarray(0, count), this.#last.length)
    }
  }
}
