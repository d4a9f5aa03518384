import { unsearched } from '../../../policies/explanation.ts'
import type { Explanation } from '../../../policies/plan.ts'
import type { Gang } from '../membership/gang.ts'

/** What one tenant may ask of muster. */
export type Caps = {
  /** Members of a gang. */
  readonly size: number
  /** Gangs of one namespace that wait for room and are planned whenever some may have grown. */
  readonly waiting: number
}

export const boundless: Caps = { size: Number.POSITIVE_INFINITY, waiting: Number.POSITIVE_INFINITY }

type Waiting = { readonly inside: Set<string>; readonly outside: Set<string> }

/** Who waits for room, by namespace: only so many of one are planned again and again, whatever is created. */
export class Crowd {
  readonly #most: number
  readonly #namespaces = new Map<string, Waiting>()
  /** Gang → its namespace. */
  readonly #known = new Map<string, string>()

  constructor(most: number) {
    this.#most = most
  }

  /** Whether the gang may be planned; one that may not is remembered, and let in when another one leaves. */
  admits({ key, namespace }: Gang): boolean {
    const waiting = this.#namespaces.get(namespace)
    if (!waiting || waiting.inside.has(key) || waiting.inside.size < this.#most) return true
    waiting.outside.add(key)
    this.#known.set(key, namespace)
    return false
  }

  /** The gang was planned in vain and waits. */
  enter({ key, namespace }: Gang): void {
    const { inside, outside } = this.#waiting(namespace)
    outside.delete(key)
    inside.add(key)
    this.#known.set(key, namespace)
  }

  /** The gang waits no more; answers who has its turn now, if somebody was kept out. */
  leave(key: string): string | undefined {
    const namespace = this.#known.get(key)
    if (namespace === undefined) return undefined
    this.#known.delete(key)
    const { inside, outside } = this.#waiting(namespace)
    outside.delete(key)
    const next = inside.delete(key) ? outside.values().next().value : undefined
    if (inside.size + outside.size === 0) this.#namespaces.delete(namespace)
    return next
  }

  /** What those are told who may not be planned. */
  explain(need: number): Explanation {
    const message = `${this.#most} gangs of this namespace wait already (--max-waiting-gangs); it has its turn when one of them starts or goes`
    return unsearched(need, message)
  }

  #waiting(namespace: string): Waiting {
    const known = this.#namespaces.get(namespace)
    if (known) return known
    const waiting = { inside: new Set<string>(), outside: new Set<string>() }
    this.#namespaces.set(namespace, waiting)
    return waiting
  }
}
