import { older, preferred, tierOf, type Waiting } from './order.ts'
import { Tree } from './tree.ts'

/** A place in the order: where the age of one of the entries put it. Who holds it may be another one. */
type Place = { readonly at: Waiting; holder: string }

/**
 * The order in which gangs are planned: by priority, higher first; then by size, smaller first; then by age, older first;
 * then by namespace, name and key. Among equals of one namespace the annotation decides: they take the places that their
 * ages won for the namespace in the order of their annotations, higher first. So a namespace's annotations never move
 * another's gangs. It is kept while entries come, change and go, each at the logarithm of how many there are.
 */
export class KeptOrder<T extends Waiting> {
  readonly #entries = new Map<string, T>()
  readonly #held = new Map<string, Place>()
  readonly #places = new Tree<Place>((a, b) => older(a.at, b.at))
  /** Who may be permuted among each other, the preferred first. */
  readonly #tiers = new Map<string, Tree<T>>()

  get size(): number {
    return this.#entries.size
  }

  /** The entry as it is now, in place of the one of that key. */
  set(entry: T): void {
    this.delete(entry.key)
    const place = { at: entry, holder: entry.key }
    this.#entries.set(entry.key, entry)
    this.#held.set(entry.key, place)
    this.#places.add(place)
    const tier = this.#tiers.get(tierOf(entry)) ?? new Tree<T>(preferred)
    tier.add(entry)
    this.#tiers.set(tierOf(entry), tier)
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    const place = this.#held.get(key)
    if (place) this.#places.delete(place)
    this.#entries.delete(key)
    this.#held.delete(key)
    const tier = this.#tiers.get(tierOf(entry))
    tier?.delete(entry)
    if (tier?.size === 0) this.#tiers.delete(tierOf(entry))
  }

  /** Takes out who comes first. */
  pop(): T | undefined {
    const place = this.#places.first
    const best = place && this.#tiers.get(tierOf(place.at))?.first
    if (!best) return undefined
    this.#swap(place.holder, best.key)
    this.delete(best.key)
    return best
  }

  #swap(a: string, b: string): void {
    const [first, second] = [this.#held.get(a), this.#held.get(b)]
    if (!first || !second) return
    this.#hold(first, b)
    this.#hold(second, a)
  }

  #hold(place: Place, key: string): void {
    place.holder = key
    this.#held.set(key, place)
  }
}
