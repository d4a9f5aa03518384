import type { Named } from '../../../policies/text.ts'
import { UsageError } from '../../errors.ts'
import type { Operations, WaitingPod } from '../../operations.ts'

/** Some of them by name, and how many there are. */
export type Group = { readonly count: number; readonly some: readonly Named[] }

/** Who waits for so long is overlooked, not new. */
const patienceMs = 60_000
const mostNamed = 5

class Tally implements Group {
  count = 0
  readonly some: Named[] = []

  add({ namespace, name }: WaitingPod): void {
    this.count += 1
    if (this.some.length < mostNamed) this.some.push({ namespace, name })
  }
}

/** The pods that wait, counted: however many there are, no more than a few are remembered. */
export class Census {
  /** By scheduler name: gated by muster's gate, and muster plans nobody of that name. */
  readonly strangers = new Map<string, Tally>()
  /** Gated by muster's gate, and members of no gang that muster plans. */
  readonly gangless = new Tally()
  /** Pods of ours that wait for longer than a minute. */
  readonly waiting = new Tally()
  /** Of these, those at which no kube-scheduler has looked. */
  readonly unseen = new Map<string, Tally>()

  /** Reads the pods of the cluster; throws UsageError where it may not. */
  static async take(operations: Pick<Operations, 'waitingPods'>, now: number): Promise<Census> {
    const census = new Census()
    const problem = await operations.waitingPods(pod => census.#count(pod, now))
    if (problem !== undefined) throw new UsageError(`cannot read the pods: ${problem}`)
    return census
  }

  #count(pod: WaitingPod, now: number): void {
    if (pod.gated && !pod.ours) tallyOf(this.strangers, pod.schedulerName).add(pod)
    if (pod.gated && pod.ours && !pod.planned) this.gangless.add(pod)
    if (!pod.ours || now - pod.createdAt < patienceMs) return
    this.waiting.add(pod)
    if (!pod.seen) tallyOf(this.unseen, pod.schedulerName).add(pod)
  }
}

/** More names of schedulers than that are nobody's mistake but somebody's joke. */
const mostNames = 20

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  const key = tallies.has(name) || tallies.size < mostNames ? name : 'others'
  const tally = tallies.get(key) ?? new Tally()
  tallies.set(key, tally)
  return tally
}
