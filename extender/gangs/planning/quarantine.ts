import { unsearched } from '../../../policies/explanation.ts'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Gang } from '../membership/gang.ts'
import type { Attempt } from './planning.ts'

/** How many ends of a life over the same members are enough. */
const mostFailures = 2
/** What was in the way may have been something else in the cluster: another try after this. */
const asideMs = 600_000
/** Gangs remembered; the logic stumbles over few. */
const capacity = 1_000

type Fault = { readonly failures: number; readonly members: string; readonly reason: string; readonly until: number }

/**
 * Gangs over which planning stumbled, remembered from one life to the next: the first time may have been the life's
 * fault, but a gang that ends two of them is left alone, so that it does not keep everybody else from being planned.
 */
export class Quarantine {
  readonly #clock: Clock
  readonly #faults = new LRUCache<string, Fault>({ max: capacity })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What `plan` answers; without asking, that the gang is set aside, until its members change or the time is over. */
  attempt(gang: Gang, plan: () => Attempt): Attempt {
    const fault = this.#faultOf(gang)
    if (fault && fault.failures >= mostFailures) return aside(gang, fault)
    try {
      return plan()
    } catch (error) {
      this.#blame(gang, error, fault)
      throw error
    }
  }

  #faultOf(gang: Gang): Fault | undefined {
    const fault = this.#faults.get(gang.key)
    return fault && fault.members === membersOf(gang) && this.#clock.now() < fault.until ? fault : undefined
  }

  #blame(gang: Gang, error: unknown, before: Fault | undefined): void {
    this.#faults.set(gang.key, {
      failures: (before?.failures ?? 0) + 1,
      members: membersOf(gang),
      reason: reasonOf(error).slice(0, 200),
      until: this.#clock.now() + asideMs
    })
  }
}

function membersOf({ members, minMember }: Gang): string {
  return [minMember, ...members.map(({ pod }) => pod.uid)].join()
}

function aside({ members }: Gang, { failures, reason }: Fault): Attempt {
  const message =
    `muster met an unexpected error ${failures} times while it planned this gang, and leaves it alone for ` +
    `${asideMs / 60_000} minutes or until its members change: ${reason}`
  return unsearched(members.length, message)
}
