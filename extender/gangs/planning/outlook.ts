import type { Body } from '../../../policies/bodies.ts'
import type { Profile } from '../../../policies/framework.ts'
import { KeptSchedule } from '../../../policies/kept-schedule.ts'
import { isOnePodPerNode } from '../../../policies/one-pod-per-node.ts'
import type { Group } from '../../../policies/schedule/unit.ts'
import type { Pod } from '../../../policies/types.ts'
import type { PodChange, State } from '../../state.ts'
import { isUntouchable } from './bodies.ts'
import type { Gang } from '../membership/gang.ts'
import type { Patience } from '../effects/patience.ts'
import type { Profiles } from '../membership/profiles.ts'
import type { Roster } from '../membership/roster.ts'

export type OutlookParts = {
  readonly state: State
  readonly roster: Roster
  readonly profiles: Profiles
  readonly patience: Patience
}

/**
 * The plan for the whole cluster, where a profile has one: who leaves so that all who wait and come first are placed. A
 * gang that looks for victims by itself alone may end more than that.
 */
export class Outlook {
  readonly #parts: OutlookParts
  readonly #profile: Profile | undefined
  readonly #plan: KeptSchedule

  constructor(parts: OutlookParts) {
    this.#parts = parts
    const { profiles, roster } = parts
    this.#profile = profiles.all().find(({ filters, plansSingles }) => plansSingles && filters.some(isOnePodPerNode))
    const gangOf = (pod: Pod): Gang | undefined => roster.gang(roster.keyOf(pod) ?? '')
    this.#plan = new KeptSchedule({
      filters: this.#profile?.filters ?? [],
      groupOf: pod => this.#groupOf(pod),
      rankOf: profiles.rank,
      isProtected: isUntouchable,
      preempts: pod => gangOf(pod)?.preempts ?? false
    })
  }

  podChanged({ before, after }: PodChange): void {
    if (!this.#profile) return
    if (after) this.#plan.setPod(this.#located(after))
    else if (before) this.#plan.removePod(before.uid)
  }

  nodeChanged(name: string): void {
    if (!this.#profile) return
    const info = this.#parts.state.node(name)
    if (info) this.#plan.setNode(info.node)
    else this.#plan.removeNode(name)
  }

  /** More than its pods may have changed about the gang. */
  review(key: string): void {
    if (!this.#profile) return
    this.#plan.review(key)
    this.#plan.upkeep()
  }

  /** Those of the bodies that leave anyway; undefined where there is no such plan, or where it is not cheap to have. */
  leaving({ profile }: Gang, bodies: readonly Body[]): readonly Body[] | undefined {
    if (profile !== this.#profile || !this.#plan.isCheap) return undefined
    return bodies.filter(({ key }) => this.#plan.leaves(key))
  }

  /** With the node of a binding of ours that is under way. */
  #located(pod: Pod): Pod {
    const nodeName = this.#parts.state.nodeOf(pod)
    return nodeName === pod.nodeName ? pod : { ...pod, nodeName }
  }

  /** Gangs that are not to be planned now are as good as incomplete. */
  #groupOf(pod: Pod): Group | undefined {
    const { profiles, roster, patience } = this.#parts
    const said = profiles.of(pod) === this.#profile ? profiles.membership(pod) : undefined
    if (!said) return undefined
    const { key, namespace, name } = said
    const need = (): number => {
      const gang = roster.gang(key)
      const isOpen = gang && gang.problem === undefined && patience.mayPlan(key)
      return (isOpen ? gang.minMember : undefined) ?? Number.POSITIVE_INFINITY
    }
    return {
      ...{ key, namespace, name },
      get minMember() {
        return need()
      }
    }
  }
}
