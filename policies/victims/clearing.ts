import type { Allowance } from './allowance.ts'
import { Heap } from './heap.ts'
import { type Offer, Offers } from './offers.ts'
import type { Step } from './steps.ts'
import { comparePrices, Tariff, type TariffOptions } from './tariff.ts'
import type { Trial } from './trial.ts'

export type ClearingOptions = TariffOptions & {
  /** The kinds in order, those with the fewest places first. */
  readonly hard: readonly number[]
}

/** Members that are placed one after the other, cheapest first: so many, of any of these kinds. */
type Round = { readonly kinds: readonly number[]; readonly count: number }

type Entry = Offer & { readonly version: number }

/**
 * Makes room for one member after the other, each where it is cheapest just then; what went for one is free for all
 * others. Undefined where it gets stuck. In the trial the steps are taken afterwards, nothing else.
 */
export function cleared(trial: Trial, options: ClearingOptions): readonly Step[] | undefined {
  const { kinds } = trial.ground.wants
  const { request } = trial
  const { hard } = options
  const each = hard.map(kind => ({ kinds: [kind], count: kinds[kind]?.pods.length ?? 0 }))
  const rounds = request.need === request.pods.length ? each : [{ kinds: hard, count: request.need }]
  const clearing = new Clearing(trial, options)
  const isDone = rounds.every(round => clearing.run(round))
  clearing.end()
  if (isDone) return clearing.taken
  trial.putAll(clearing.taken)
  return undefined
}

class Clearing {
  readonly taken: Step[] = []
  readonly #trial: Trial
  readonly #allowance: Allowance
  readonly #tariff: Tariff
  readonly #offers: Offers
  /** By kind: how many members are still to be placed. */
  readonly #left: number[]
  /** By site: counts its changes. */
  readonly #versions: Int32Array
  readonly #used = new Set<number>()

  constructor(trial: Trial, options: ClearingOptions) {
    this.#trial = trial
    this.#allowance = options.allowance
    this.#tariff = new Tariff(trial, options)
    this.#offers = new Offers(trial.ground, this.#tariff)
    this.#left = trial.ground.wants.kinds.map(kind => kind.pods.length)
    this.#versions = new Int32Array(trial.ground.infos.length)
  }

  run({ kinds, count }: Round): boolean {
    const heap = new Heap<Entry>(byPrice)
    for (const site of this.#trial.ground.useful) this.#offer(site, kinds, heap)
    let placed = 0
    for (let offer = heap.pop(); offer && placed < count; offer = heap.pop()) {
      if (offer.version !== this.#versions[offer.site] || (this.#left[offer.kind] ?? 0) <= 0) continue
      if (this.#tariff.allows(offer.steps)) {
        this.#accept(offer, kinds, heap)
        placed += 1
      } else this.#offer(offer.site, [offer.kind], heap)
    }
    return placed >= count
  }

  /** The members leave, and the budgets are as before. */
  end(): void {
    for (const site of this.#used) this.#trial.ground.clear(site)
    for (const step of this.taken) this.#allowance.put(step)
  }

  #accept({ site, kind, steps }: Offer, kinds: readonly number[], heap: Heap<Entry>): void {
    const changed = new Set([site])
    for (const number of steps) this.#take(number, changed)
    this.#trial.ground.admit(site, kind)
    this.#used.add(site)
    this.#left[kind] = (this.#left[kind] ?? 0) - 1
    for (const each of changed) {
      this.#versions[each] = (this.#versions[each] ?? 0) + 1
      this.#offer(each, kinds, heap)
    }
  }

  #take(number: number, changed: Set<number>): void {
    const step = this.#trial.steps[number]
    if (!step) return
    this.#trial.take(step)
    this.#allowance.take(step)
    this.taken.push(step)
    // What comes later in the chain has become cheaper.
    for (const later of step.chain.slice(step.level))
      if (this.#tariff.isOpen(later.id)) for (const site of this.#trial.sitesOf(later)) changed.add(site)
  }

  #offer(site: number, kinds: readonly number[], heap: Heap<Entry>): void {
    for (const kind of kinds) {
      const left = this.#left[kind] ?? 0
      const offer = left > 0 && this.#trial.ground.may(site, kind) ? this.#offers.make({ site, kind, left }) : undefined
      if (offer) heap.push({ ...offer, version: this.#versions[site] ?? 0 })
    }
  }
}

/** 1. Cheaper. 2. As steps are taken in their turn. 3. Room for fewer. 4. By site. 5. By kind. */
function byPrice(a: Offer, b: Offer): number {
  return comparePrices(a.price, b.price) || a.rank - b.rank || a.slots - b.slots || a.site - b.site || a.kind - b.kind
}
