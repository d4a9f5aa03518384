import type { Pod } from '../types.ts'
import { stands } from './unit.ts'

/** Which planned pods are on which nodes, those that leave among them. */
export class Residents {
  /** By node: the pods' uids, with the keys of their gangs as long as they stand. */
  readonly #byNode = new Map<string, Map<string, string | undefined>>()
  readonly #crowded = new Set<string>()

  /** Whether several units stand on one node, which then cannot be counted as one's. */
  get isCrowded(): boolean {
    return this.#crowded.size > 0
  }

  on(node: string): Iterable<string> {
    return this.#byNode.get(node)?.keys() ?? []
  }

  add(pod: Pod, gang: string): void {
    const node = pod.nodeName ?? ''
    const there = this.#byNode.get(node) ?? new Map<string, string | undefined>()
    there.set(pod.uid, stands(pod) ? gang : undefined)
    this.#byNode.set(node, there)
    this.#judge(node, there)
  }

  delete({ uid, nodeName = '' }: Pod): void {
    const there = this.#byNode.get(nodeName)
    if (!there) return
    there.delete(uid)
    if (there.size === 0) this.#byNode.delete(nodeName)
    this.#judge(nodeName, there)
  }

  #judge(node: string, there: ReadonlyMap<string, string | undefined>): void {
    const gangs = new Set([...there.values()].filter(gang => gang !== undefined))
    if (gangs.size > 1) this.#crowded.add(node)
    else this.#crowded.delete(node)
  }
}
