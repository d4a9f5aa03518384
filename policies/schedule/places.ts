import { compare } from '../text.ts'
import { Tree } from '../tree.ts'

/** What there is to know of a node: nobody on it, somebody who is to leave it, or not to be had. */
export type Vacancy = 'free' | 'left' | 'none'

/** Who is to get which node, and which nodes are left, each kind in the order of the names. */
export class Places {
  readonly #vacancy: (node: string) => Vacancy
  readonly #open = { free: new Tree<string>(compare), left: new Tree<string>(compare) }
  readonly #listed = new Map<string, 'free' | 'left'>()
  /** By pod uid. */
  readonly #nodes = new Map<string, string>()
  /** By node. */
  readonly #takers = new Map<string, string>()

  constructor(vacancy: (node: string) => Vacancy) {
    this.#vacancy = vacancy
  }

  get looks(): number {
    return this.#open.free.looks + this.#open.left.looks
  }

  get nodes(): ReadonlyMap<string, string> {
    return this.#nodes
  }

  /** The node has changed; answers the pod that has lost its place on it. */
  look(node: string): string | undefined {
    const vacancy = this.#vacancy(node)
    const taker = this.#takers.get(node)
    const isLost = taker !== undefined && vacancy === 'none'
    if (isLost) this.#forget(taker, node)
    this.#list(node, this.#takers.has(node) || vacancy === 'none' ? undefined : vacancy)
    return isLost ? taker : undefined
  }

  release(uid: string): void {
    const node = this.#nodes.get(uid)
    if (node === undefined) return
    this.#forget(uid, node)
    this.look(node)
  }

  /** The first node by name of those where nobody is, else of those that are left. */
  take(uid: string): boolean {
    const node = this.#open.free.first ?? this.#open.left.first
    if (node === undefined) return false
    this.#put(uid, node)
    return true
  }

  /** Those places and no others; then every node is to be looked at. */
  reset(places: ReadonlyMap<string, string>): void {
    this.#nodes.clear()
    this.#takers.clear()
    for (const [uid, node] of places) this.#put(uid, node)
  }

  /** Nodes of which something is known. */
  known(): Iterable<string> {
    return [...this.#listed.keys(), ...this.#takers.keys()]
  }

  #put(uid: string, node: string): void {
    this.#nodes.set(uid, node)
    this.#takers.set(node, uid)
    this.#list(node, undefined)
  }

  #forget(uid: string, node: string): void {
    this.#nodes.delete(uid)
    this.#takers.delete(node)
  }

  #list(node: string, where: 'free' | 'left' | undefined): void {
    const before = this.#listed.get(node)
    if (before === where) return
    if (before !== undefined) this.#open[before].delete(node)
    if (where === undefined) this.#listed.delete(node)
    else {
      this.#open[where].add(node)
      this.#listed.set(node, where)
    }
  }
}
