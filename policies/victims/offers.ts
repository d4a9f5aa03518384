import type { Ground } from './ground.ts'
import { comparePrices, free, type Price, type Tariff } from './tariff.ts'

/** A way to make a node take one more member of a kind: what has to go, and the price for each that it then takes. */
export type Offer = {
  readonly site: number
  readonly kind: number
  /** The numbers of the steps. */
  readonly steps: readonly number[]
  readonly price: Price
  /** The last of them in their turn. */
  readonly rank: number
  /** How many it then takes. */
  readonly slots: number
}

/** Whom the room is for; so many of the kind are `left` to be placed. */
type Demand = { readonly site: number; readonly kind: number; readonly left: number }

/** A lot that may go, with those below it. */
type Bid = {
  readonly lot: number
  readonly price: Price
  /** How much of what is missing comes by it. */
  readonly relief: number
}

/** Makes offers, of steps that are open and not taken. */
export class Offers {
  readonly #ground: Ground
  readonly #tariff: Tariff

  constructor(ground: Ground, tariff: Tariff) {
    this.#ground = ground
    this.#tariff = tariff
  }

  /** The cheapest offer that is found; undefined where the node takes no member of that kind whatever goes. */
  make(demand: Demand): Offer | undefined {
    const ground = this.#ground
    const { site, kind, left } = demand
    if (ground.takes(site, kind))
      return { site, kind, steps: [], price: free, rank: -1, slots: ground.slots(site, kind) }
    const bids = this.#bids(demand)
    const taken = this.#taken(demand, bids)
    const slots = ground.slots(site, kind)
    const chosen = slots === 0 ? [] : this.#needed(demand, bids)
    const steps = chosen.flatMap(({ lot }) => this.#tariff.closure(ground.lots.stepOf[lot] ?? 0))
    for (const lot of taken) if (ground.isGone[lot]) ground.put(lot)
    if (slots === 0 || !this.#tariff.allows(steps)) return undefined
    const rank = Math.max(...steps.map(step => this.#tariff.rankOf(step)))
    return { site, kind, steps, price: priceOfAll(chosen, Math.min(slots, left)), rank, slots }
  }

  /** What may go from the site, best value first. */
  #bids({ site, kind, left }: Demand): readonly Bid[] {
    const { stepOf, bySite } = this.#ground.lots
    const missing = this.#ground.missing(site, kind)
    const bids: Bid[] = []
    const end = bySite.from[site + 1] ?? 0
    for (let at = bySite.from[site] ?? 0; at < end; at++) {
      const lot = bySite.members[at] ?? 0
      if (!this.#mayGo(lot)) continue
      const relief = reliefBy(this.#amountsOf(lot), missing)
      const price = relief > 0 && this.#tariff.priceOf(stepOf[lot] ?? 0, this.#countOf(lot), left)
      if (price) bids.push({ lot, price, relief })
    }
    return bids.length === 1 ? bids : bids.toSorted((a, b) => this.#byValue(a, b))
  }

  #mayGo(lot: number): boolean {
    return !this.#ground.isGone[lot] && this.#tariff.isOpen(this.#ground.lots.stepOf[lot] ?? 0)
  }

  /** 1. Cheaper by what comes of it. 2. As steps are taken in their turn. */
  #byValue(a: Bid, b: Bid): number {
    for (let part = 0; part < a.price.length; part++) {
      const difference = (a.price[part] ?? 0) / a.relief - (b.price[part] ?? 0) / b.relief
      if (difference !== 0) return difference
    }
    const { stepOf } = this.#ground.lots
    return this.#tariff.rankOf(stepOf[a.lot] ?? 0) - this.#tariff.rankOf(stepOf[b.lot] ?? 0)
  }

  /** What goes with the lot and those below it. */
  #amountsOf(lot: number): readonly number[] {
    const amounts = this.#ground.amountsOf(lot)
    if (this.#ground.lots.lowerOf[lot] === -1) return amounts
    const sum = amounts.map(() => 0)
    for (const each of this.#down(lot))
      for (const [index, amount] of this.#ground.amountsOf(each).entries()) sum[index] = (sum[index] ?? 0) + amount
    return sum
  }

  /** How many pods they are. */
  #countOf(lot: number): number {
    const { countOf, lowerOf } = this.#ground.lots
    if (lowerOf[lot] === -1) return countOf[lot] ?? 0
    return this.#down(lot).reduce((sum, each) => sum + (countOf[each] ?? 0), 0)
  }

  /** The lot and those below it that are not gone. */
  #down(lot: number): readonly number[] {
    const down: number[] = []
    for (let each = lot; each >= 0 && !this.#ground.isGone[each]; each = this.#ground.lots.lowerOf[each] ?? -1)
      down.push(each)
    return down
  }

  /** Takes lots, best value first, until the member fits. */
  #taken({ site, kind }: Demand, bids: readonly Bid[]): readonly number[] {
    const taken: number[] = []
    for (const { lot } of bids) {
      if (this.#ground.takes(site, kind)) break
      for (const each of this.#down(lot)) {
        this.#ground.take(each)
        taken.push(each)
      }
    }
    return taken
  }

  /** Puts back what proves needless, the dearest first; of each body the last bid that is left. */
  #needed({ site, kind }: Demand, bids: readonly Bid[]): readonly Bid[] {
    const ground = this.#ground
    const isTop = (lot: number): boolean => !ground.isGone[ground.lots.upperOf[lot] ?? -1]
    const taken = bids.filter(({ lot }) => ground.isGone[lot])
    for (const { lot } of taken.length === 1 ? [] : taken.toSorted(dearest)) {
      if (!isTop(lot)) continue
      ground.put(lot)
      if (!ground.takes(site, kind)) ground.take(lot)
    }
    return taken.filter(({ lot }) => ground.isGone[lot] && isTop(lot))
  }
}

/** 1. Dearer. 2. Later of one body; of others, as they stood. */
const dearest = (a: Bid, b: Bid): number => comparePrices(b.price, a.price)

/** How much of what is missing comes by these amounts; 1 where amounts are not what is missing. */
function reliefBy(amounts: readonly number[], missing: readonly number[]): number {
  let [relief, isMissing] = [0, false]
  for (let index = 0; index < missing.length; index++) {
    const gap = missing[index] ?? 0
    if (gap <= 0) continue
    isMissing = true
    relief += Math.min(1, (amounts[index] ?? 0) / gap)
  }
  return isMissing ? relief : 1
}

/** For each of so many members. */
function priceOfAll(bids: readonly Bid[], by: number): Price {
  let [scarcity, gangs, lostWork, pods] = free
  for (const { price } of bids) {
    scarcity += price[0]
    gangs += price[1]
    lostWork += price[2]
    pods += price[3]
  }
  return [scarcity / by, gangs / by, lostWork / by, pods / by]
}
