import type { Body, Budget, Worth } from '../../../policies/bodies.ts'
import { annotations } from '../../../policies/names.ts'
import { parseDuration, parseTime } from '../../../policies/parse.ts'
import { compare } from '../../../policies/text.ts'
import { outranks, type Rank } from '../../../policies/ranks.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'
import type { State } from '../../state.ts'
import { type Gang, satisfied } from '../membership/gang.ts'
import { isWhole, survives } from '../membership/quorum.ts'
import type { Ledger } from '../ledger.ts'
import { single } from '../membership/profiles.ts'
import type { Rights } from '../rights.ts'
import type { Roster } from '../membership/roster.ts'

/** Pods of this priority and above keep the cluster itself alive (`system-cluster-critical`). */
const critical = 2_000_000_000

export type BodiesParts = {
  readonly state: State
  readonly roster: Roster
  readonly rankOf: (pod: Pod) => Rank
  /** Whether the pod's scheduler name has a profile. */
  readonly isOurs: (pod: Pod) => boolean
  readonly ledger: Ledger
  readonly clock: Clock
  /** The API server refused the pod's eviction a short while ago. */
  readonly barred: (pod: Pod) => boolean
  /** Whether anybody is moved at all. */
  readonly moving: boolean
  readonly rights: Rights
}

/** Who may be ended for a preemptor, and in which portions. */
export type Prey = {
  readonly bodies: readonly Body[]
  readonly budgets: readonly Budget[]
  /** When the next pod is no longer protected by its short time on its node, as far as that is known. */
  readonly thawsInMs: number | undefined
}

/** Knows who may be evicted for whom: rights and protection, gangs as the units that they are, disruption budgets. */
export class Bodies {
  readonly #parts: BodiesParts
  /** Gangs that nobody's victims were, only because they were just starting. */
  readonly #starting = new Set<string>()
  #seen: { readonly version: number; readonly lowest: number } | undefined

  constructor(parts: BodiesParts) {
    this.#parts = parts
  }

  /** All that may be ended for a preemptor of that rank. */
  below(rank: Rank): Prey {
    const { state, roster, rankOf } = this.#parts
    if (this.#lowest() >= Math.max(rank.own, rank.cross)) return { bodies: [], budgets: [], thawsInMs: undefined }
    const lower = state.snapshot().nodes.flatMap(({ pods }) => pods.filter(pod => outranks(rank, rankOf(pod))))
    const { found = [], kept = [] } = Object.groupBy(lower, pod => (this.#isFree(pod, rank) ? 'found' : 'kept'))
    const budgets = this.#budgets(found)
    const open = new Set(found.filter(pod => budgets.count(pod) <= 1).map(pod => pod.uid))
    const byGang = Map.groupBy(found, pod => roster.keyOf(pod) ?? '')
    const bodies = [...byGang].flatMap(([key, pods]) => {
      const gang = key === '' ? undefined : roster.gang(key)
      return gang ? this.#bodyOf(gang, open) : pods.filter(pod => open.has(pod.uid)).map(pod => this.#single(pod))
    })
    return { bodies, budgets: budgets.list, thawsInMs: this.#thawsInMs(kept) }
  }

  /** Whether the gang was nobody's victim because it was just starting, and could be one now. Says so once. */
  hasStarted(gang: Gang): boolean {
    return this.#starting.has(gang.key) && !this.#isStarting(gang) && this.#starting.delete(gang.key)
  }

  forget(gang: string): void {
    this.#starting.delete(gang)
  }

  /**
   * Single pods that a gang of that rank may move, since they rank no higher and are given back by their controllers:
   * those that say so, or all that could say so. Not where rules that muster does not model decide where they may go.
   */
  movable(rank: Rank, which: 'marked' | 'all'): Prey {
    const { state, rankOf, moving } = this.#parts
    if (!moving) return { bodies: [], budgets: [], thawsInMs: undefined }
    const may = (pod: Pod): boolean =>
      (which === 'all' || pod.annotations.get(annotations.movable) === 'true') &&
      this.#isSingle(pod) &&
      pod.controller !== undefined &&
      !pod.inTree &&
      !outranks(rankOf(pod), rank) &&
      this.#isFree(pod, rank)
    const found = state.snapshot().nodes.flatMap(({ pods }) => pods.filter(may))
    const budgets = this.#budgets(found)
    const bodies = found.filter(pod => budgets.count(pod) <= 1).map(pod => this.#single(pod))
    return { bodies, budgets: budgets.list, thawsInMs: undefined }
  }

  /** Whether the pod is protected from every preemption of ours and of kube-scheduler's: it started too short a time ago. */
  isFresh(pod: Pod): boolean {
    return this.#freshForMs(pod) > 0
  }

  /** Of a pod that has not started yet, at least. */
  #freshForMs(pod: Pod): number {
    const gang = this.#gangOf(pod)
    const minimum = gang ? gang.minRuntimeMs : parseDuration(pod.annotations.get(annotations.minRuntime) ?? '')
    if (minimum === undefined || minimum === 0) return 0
    const now = this.#parts.clock.wall()
    return (startOf(gang ? gang.members.map(member => member.pod) : [pod]) ?? now) + minimum - now
  }

  #thawsInMs(pods: readonly Pod[]): number | undefined {
    let soonest = Number.POSITIVE_INFINITY
    for (const pod of pods) {
      const left = this.#freshForMs(pod)
      if (left > 0) soonest = Math.min(soonest, left)
    }
    return soonest === Number.POSITIVE_INFINITY ? undefined : soonest
  }

  /** Whether the pod's gang is being ended whole: it will be evicted. */
  isEnding(pod: Pod): boolean {
    return this.#gangOf(pod)?.ending === true && this.#parts.rights.lack('evict', pod.namespace) === undefined
  }

  #gangOf(pod: Pod): Gang | undefined {
    const { roster } = this.#parts
    const key = roster.keyOf(pod)
    return key === undefined ? undefined : roster.gang(key)
  }

  /** One of ours, and no part of a gang. */
  #isSingle(pod: Pod): boolean {
    const gang = this.#gangOf(pod)
    return this.#parts.isOurs(pod) && (gang === undefined || gang.dialect === single)
  }

  /** Nothing protects it, and it is not on its way out for somebody else. */
  #isFree(pod: Pod, rank: Rank): boolean {
    const { ledger, barred } = this.#parts
    if (isUntouchable(pod) || barred(pod) || this.isFresh(pod)) return false
    // It leaves already, or somebody of at least this rank waits for its room.
    if (pod.terminating || this.isEnding(pod)) return false
    return !ledger.victimFor(pod.uid).some(hold => hold.firm || !outranks(rank, hold.rank))
  }

  #single(pod: Pod): Body {
    return { key: pod.uid, pods: [pod], surplus: [], whole: true, worth: this.#worthOf([pod]) }
  }

  /** Nothing of a gang that is just starting; of others the surplus, or all where nobody of them is protected. */
  #bodyOf(gang: Gang, open: ReadonlySet<string>): readonly Body[] {
    if (this.#isStarting(gang)) {
      this.#starting.add(gang.key)
      return []
    }
    const pods = gang.members.filter(({ state }) => state === 'bound' || state === 'running').map(({ pod }) => pod)
    if (pods.length === 0) return []
    const worth = this.#worthOf(pods)
    const whole = pods.every(pod => open.has(pod.uid))
    const surplus = surplusOf(gang, pods.filter(pod => open.has(pod.uid)).toSorted(cheapestFirst(worth)))
    return whole || surplus.length > 0 ? [{ key: gang.key, pods, surplus, whole, worth }] : []
  }

  #isStarting({ key, members }: Gang): boolean {
    return this.#parts.ledger.hold(key)?.firm === true || members.some(({ state }) => state === 'assumed')
  }

  #worthOf(pods: readonly Pod[]): Body['worth'] {
    const { rankOf } = this.#parts
    return new Map(pods.map(pod => [pod.uid, { priority: rankOf(pod).own, lostWork: this.#lost(pod) }]))
  }

  /** Seconds of work that end with the pod: since its start, or since its last checkpoint. */
  #lost(pod: Pod): number {
    const now = this.#parts.clock.wall()
    const checkpoint = parseTime(pod.annotations.get(annotations.lastCheckpoint) ?? '')
    const since = Math.max(pod.startedAt ?? now, Math.min(checkpoint ?? 0, now))
    return Math.max(0, (now - since) / 1000)
  }

  /** A cluster without lower ranks is not searched at all. */
  #lowest(): number {
    const { state, rankOf } = this.#parts
    if (this.#seen?.version === state.version) return this.#seen.lowest
    let lowest = Number.POSITIVE_INFINITY
    for (const { pods } of state.snapshot().nodes)
      for (const { own, cross } of pods.map(rankOf)) lowest = Math.min(lowest, own, cross)
    this.#seen = { version: state.version, lowest }
    return lowest
  }

  /** The budgets of these pods; the Eviction API refuses a pod that several select. */
  #budgets(pods: readonly Pod[]): { readonly list: readonly Budget[]; readonly count: (pod: Pod) => number } {
    const counts = new Map<string, number>()
    const list: Budget[] = []
    const known = [...this.#parts.state.facts.budgets()]
    if (known.length === 0) return { list, count: () => 0 }
    const byNamespace = Map.groupBy(pods, pod => pod.namespace)
    for (const { namespace, selects, allowed } of known) {
      const selected = (byNamespace.get(namespace) ?? []).filter(pod => selects(pod.labels)).map(pod => pod.uid)
      for (const uid of selected) counts.set(uid, (counts.get(uid) ?? 0) + 1)
      if (selected.length > 0) list.push({ uids: new Set(selected), allowed: Math.max(0, allowed) })
    }
    return { list, count: pod => counts.get(pod.uid) ?? 0 }
  }
}

/** Written by the kubelet onto the pods of its own manifests. */
const mirror = 'kubernetes.io/config.mirror'

/**
 * Evicting it ends nothing (its controller, or its node, would bring it back to where it was), would break a group that
 * kube-scheduler keeps, or the cluster itself.
 */
export function isUntouchable({ priority, native, controller, annotations: all }: Pod): boolean {
  return priority >= critical || native || controller?.kind === 'DaemonSet' || all.has(mirror)
}

/** When the first of them started; undefined where none has. */
function startOf(pods: readonly Pod[]): number | undefined {
  const started = pods.map(pod => pod.startedAt).filter(time => time !== undefined)
  return started.length === 0 ? undefined : Math.min(...started)
}

/** Those that may go one after the other while the gang keeps its quorum, each role's minimum included. */
function surplusOf(gang: Gang, pods: readonly Pod[]): readonly Pod[] {
  if (gang.minMember === undefined || !isWhole(gang)) return []
  if (gang.roles.size === 0) return pods.slice(0, satisfied(gang) - gang.minMember)
  const gone = new Set<string>()
  return pods.filter(pod => {
    const stays = survives(gang, new Set([...gone, pod.uid]))
    if (stays) gone.add(pod.uid)
    return stays
  })
}

/** 1. Lower priority. 2. Less lost work. 3. The last by name. */
function cheapestFirst(worth: ReadonlyMap<string, Worth>): (a: Pod, b: Pod) => number {
  const of = ({ uid }: Pod): Worth => worth.get(uid) ?? { priority: 0, lostWork: 0 }
  return (a, b) =>
    of(a).priority - of(b).priority ||
    of(a).lostWork - of(b).lostWork ||
    compare(b.namespace, a.namespace) ||
    compare(b.name, a.name)
}
