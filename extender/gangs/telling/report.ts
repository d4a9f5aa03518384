import { compare, nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { State } from '../../state.ts'
import { ownPriority, type Gang, type GangState, type MemberState } from '../membership/gang.ts'
import { gangState } from '../membership/quorum.ts'
import type { Journal } from './journal.ts'
import type { Hold, Ledger } from '../ledger.ts'
import { single } from '../membership/profiles.ts'
import type { Roster } from '../membership/roster.ts'

/** One gang as people are told it. */
export type GangReport = {
  readonly namespace: string
  readonly name: string
  readonly dialect: string
  readonly state: GangState
  /** Null while a gang of undeclared size is settling. */
  readonly minMember: number | null
  readonly priority: number
  /** Why it is not placed; null while nothing stands in its way. */
  readonly reason: string | null
  readonly plan: {
    readonly id: string
    readonly firm: boolean
    /** Who has to leave before the gang starts, as `namespace/name`, of whatever namespace: not for everybody's ears. */
    readonly leaving: readonly string[]
  } | null
  readonly members: readonly {
    readonly name: string
    /** Its part in a gang with roles; else null. */
    readonly role: string | null
    readonly state: MemberState
    /** Where it stands; null while it stands nowhere. */
    readonly node: string | null
    /** Where room is held for it; null while none is. */
    readonly planned: string | null
  }[]
}

export type PodReport = {
  readonly namespace: string
  readonly name: string
  readonly node: string | null
  /** In one sentence. */
  readonly explanation: string
  /** Null for a pod without a gang. */
  readonly gang: GangReport | null
}

export type ReportsParts = {
  readonly state: State
  readonly roster: Roster
  readonly ledger: Ledger
  readonly journal: Journal
  /** Why nobody new is planned at the moment. */
  readonly outdated: () => string | undefined
}

/** Answers what people ask about gangs. */
export class Reports {
  readonly #parts: ReportsParts

  constructor(parts: ReportsParts) {
    this.#parts = parts
  }

  /** All gangs, by namespace and name; pods that are planned alone are none. */
  gangs(): GangReport[] {
    const { roster } = this.#parts
    const all = [...roster.keys()].map(key => roster.gang(key)).filter(gang => gang !== undefined)
    const gangs = all.filter(gang => gang.dialect !== single)
    return gangs.map(gang => this.#report(gang)).toSorted(byNamespaceAndName)
  }

  /** The gang of that name; with two dialects using one name, muster's own. */
  gang(namespace: string, name: string): GangReport | undefined {
    return this.gangs().find(gang => gang.namespace === namespace && gang.name === name)
  }

  /** Why that pod is where it is; undefined where there is no such pod. */
  pod(namespace: string, name: string): PodReport | undefined {
    const { state, roster } = this.#parts
    for (const pod of state.pods()) {
      if (pod.namespace !== namespace || pod.name !== name) continue
      const key = roster.keyOf(pod)
      const gang = key === undefined ? undefined : roster.gang(key)
      const node = state.nodeOf(pod) ?? null
      return { namespace, name, node, explanation: this.#explain(pod, gang), gang: gang ? this.#report(gang) : null }
    }
    return undefined
  }

  #explain(pod: Pod, gang: Gang | undefined): string {
    const { state, ledger } = this.#parts
    const node = state.nodeOf(pod)
    if (node !== undefined) return `the pod is on node ${node}`
    if (!gang) return 'the pod belongs to no gang that muster plans; kube-scheduler places it by itself'
    const planned = ledger.of(pod.uid)?.claim.node
    if (planned !== undefined) {
      const how = gang.binder === 'muster' ? `starts with its gang ${gang.name}` : 'is bound there by kube-scheduler'
      return `the pod is planned on node ${planned} and ${how}`
    }
    const { state: stage, reason } = this.#report(gang)
    return `gang ${gang.name} is ${stage}: ${reason ?? 'it is about to be planned'}`
  }

  #report(gang: Gang): GangReport {
    const { ledger, journal, outdated } = this.#parts
    const hold = ledger.hold(gang.key)
    const state = gangState(gang, hold)
    return {
      namespace: gang.namespace,
      name: gang.name,
      dialect: gang.dialect,
      state,
      minMember: gang.minMember ?? null,
      priority: ownPriority(gang),
      reason: (state === 'waiting' ? outdated() : undefined) ?? journal.reason(gang.key) ?? null,
      plan: hold ? { id: hold.plan, firm: hold.firm, leaving: leavingOf(hold) } : null,
      members: gang.members.map(({ pod, role, state, node }) => ({
        name: pod.name,
        role: role ?? null,
        state,
        node: node ?? null,
        planned: hold?.claims.get(pod.uid)?.node ?? null
      }))
    }
  }
}

const leavingOf = ({ leavers }: Hold): string[] => [...leavers.values()].map(({ pod }) => nameOf(pod)).toSorted(compare)

/** 1. Namespace. 2. Name. 3. muster's own dialect first. */
function byNamespaceAndName(a: GangReport, b: GangReport): number {
  const [left, right] = [a, b].map(gang => [gang.namespace, gang.name, gang.dialect].join('\0'))
  return (left ?? '') < (right ?? '') ? -1 : 1
}
