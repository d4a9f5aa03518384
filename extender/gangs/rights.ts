import { gangGate } from '../../policies/names.ts'
import type { Clock } from '../clock.ts'
import type { Log } from './ports.ts'

/** What an installation may leave out, and what gives the right to it. */
const deeds = {
  evict: { words: 'evict pods', gives: 'manifests/components/preemption' },
  ungate: { words: `take the gate ${gangGate} away`, gives: 'manifests/components/gates' }
} as const

export type Deed = keyof typeof deeds

/** That a right was given is no event: it is tried again after so long, doubling each time. */
const firstMs = 30_000
const mostMs = 600_000

type Lack = { readonly until: number; readonly count: number; readonly text: string }

export type RightsParts = {
  readonly clock: Clock
  readonly log: Log
  /** Who waits is worth another try. */
  readonly roomGrew: () => void
}

/**
 * What the API server says that muster may not do in a namespace, whatever the pod: it is neither tried nor planned with
 * for a while, and whoever waits for it hears why.
 */
export class Rights {
  readonly #parts: RightsParts
  readonly #lacks = new Map<Deed, Map<string, Lack>>([
    ['evict', new Map()],
    ['ungate', new Map()]
  ])

  constructor(parts: RightsParts) {
    this.#parts = parts
  }

  /** Why it may not, in words; undefined where nothing is known against it. */
  lack(deed: Deed, namespace: string): string | undefined {
    const lack = this.#lacks.get(deed)?.get(namespace)
    return lack && this.#parts.clock.now() < lack.until ? lack.text : undefined
  }

  /** Why it may not in some namespace, if there is one: one is enough to tell. */
  lacks(deed: Deed): readonly string[] {
    const now = this.#parts.clock.now()
    const lacks = [...(this.#lacks.get(deed)?.values() ?? [])].filter(({ until }) => now < until)
    return lacks.slice(0, 1).map(({ text }) => text)
  }

  /** The API server has forbidden it; answers what `lack` says from now on. */
  forbidden(deed: Deed, namespace: string, message: string): string {
    const { clock, log, roomGrew } = this.#parts
    const known = this.lack(deed, namespace)
    if (known !== undefined) return known
    const { words, gives } = deeds[deed]
    const text = `muster has no right to ${words} in namespace ${namespace}, which ${gives} gives`
    const count = this.#lacks.get(deed)?.get(namespace)?.count ?? 0
    const forMs = Math.min(mostMs, firstMs * 2 ** count)
    this.#lacks.get(deed)?.set(namespace, { until: clock.now() + forMs, count: count + 1, text })
    clock.after(forMs + 1, roomGrew)
    log.warn({ namespace, reason: message, again: forMs / 1000 }, text)
    return text
  }
}
