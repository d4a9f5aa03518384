import type { WaitingPod } from '../../extender/operations.ts'

type Write = { readonly pod: string; readonly kind: 'clear' | 'ungate'; readonly count: number }
type Outcome = 'done' | 'failed' | 'put back'

/** Gated and nominated pods in memory, whose writes end as the test says. */
export class FakeRemains {
  readonly #pods: Map<string, WaitingPod>
  readonly #counts = new Map<string, number>()
  readonly #outcome: (write: Write) => Outcome
  #under = 0
  /** The most writes that were under way at a time. */
  most = 0
  writes = 0
  unreadable: string | undefined

  constructor(count: number, outcome: (write: Write) => Outcome) {
    const pods = Array.from({ length: count }, (_, index) => waitingPod(`pod-${index}`))
    this.#pods = new Map(pods.map(pod => [pod.name, pod]))
    this.#outcome = outcome
  }

  async waitingPods(each: (pod: WaitingPod) => void): Promise<string | undefined> {
    for (const pod of this.#pods.values()) each(pod)
    return this.unreadable
  }

  clear({ name }: Pick<WaitingPod, 'name'>) {
    return this.#write(name, 'clear', { nominated: undefined })
  }

  ungate({ name }: Pick<WaitingPod, 'name'>) {
    return this.#write(name, 'ungate', { gated: false })
  }

  async #write(pod: string, kind: Write['kind'], change: Partial<WaitingPod>) {
    const count = (this.#counts.get(`${kind} ${pod}`) ?? 0) + 1
    this.#counts.set(`${kind} ${pod}`, count)
    this.writes += 1
    this.#under += 1
    this.most = Math.max(this.most, this.#under)
    await Promise.resolve()
    this.#under -= 1
    // Only the gate fails in parts, so that a pod is never half counted.
    const outcome = this.#outcome({ pod, kind, count })
    if (outcome === 'failed') return { outcome, message: 'forbidden' } as const
    if (outcome === 'done') this.#pods.set(pod, { ...this.#pods.get(pod)!, ...change })
    return { outcome: 'done' } as const
  }
}

/** A gated and nominated pod of ours. */
export function waitingPod(name: string, more: Partial<WaitingPod> = {}): WaitingPod {
  return {
    ...{ namespace: 'ns', name, uid: name, schedulerName: 'muster', createdAt: 0, gated: true, nominated: 'n' },
    ...{ ours: true, planned: true, seen: true, asks: [] },
    ...more
  }
}
