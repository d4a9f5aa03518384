import type { Profile } from '../../../policies/framework.ts'
import { customScheduler, muster } from '../../../policies/index.ts'
import { type Rank, rankOf } from '../../../policies/ranks.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Config, Scope } from '../../config.ts'
import { type Membership, membership } from './dialects.ts'

/** The dialect of pods that are gangs of one because their profile plans them too. */
export const single = 'single'

/** Whose pods muster plans, by which profile, and what follows from it for each pod. */
export class Profiles {
  readonly #byName: ReadonlyMap<string, Profile>
  readonly #cap: (namespace: string) => number
  readonly #scope: Scope
  readonly #alone = new WeakMap<Pod, Membership>()
  #isEven = true

  /** By scheduler name; `cap`: how far annotations lift a namespace's pods over those of others. */
  constructor(byName: ReadonlyMap<string, Profile>, cap: (namespace: string) => number, scope: Scope = 'all') {
    this.#byName = byName
    this.#scope = scope
    this.#cap = cap
  }

  /** Undefined for pods of other schedulers. */
  of({ schedulerName }: Pod): Profile | undefined {
    return this.#byName.get(schedulerName)
  }

  /** Whether kube-scheduler asks muster about the pod. */
  asksAbout({ managed }: Pod): boolean {
    return this.#scope === 'all' || managed
  }

  /** Whether kube-scheduler asks about all pods: only then does what muster holds keep others out. */
  get asksAboutAll(): boolean {
    return this.#scope === 'all'
  }

  all(): readonly Profile[] {
    return [...this.#byName.values()]
  }

  /** The pod's gang; undefined where muster does not plan it. */
  readonly membership = (pod: Pod): Membership | undefined => {
    const profile = this.of(pod)
    return profile && (membership(pod) ?? (profile.plansSingles && !pod.native ? this.#aloneOf(pod) : undefined))
  }

  /** Whether every pod seen so far ranks among its own as it does among others: then all ranks are one order. */
  get isEven(): boolean {
    return this.#isEven
  }

  readonly rank = (pod: Pod): Rank => {
    const rank = rankOf(pod, { byAnnotation: this.of(pod)?.byAnnotation ?? false, cap: this.#cap(pod.namespace) })
    if (rank.own !== rank.cross) this.#isEven = false
    return rank
  }

  #aloneOf(pod: Pod): Membership {
    const known = this.#alone.get(pod)
    if (known) return known
    const { namespace, uid, name } = pod
    const made: Membership = {
      ...{ key: `${namespace}/${single}/${uid}`, namespace, dialect: single, name, minMember: 1 },
      ...{ role: undefined, roles: undefined, rolesOnSome: false, object: undefined },
      ...{ replicatedJobs: false, completed: 'whileRunning', problem: undefined }
    }
    this.#alone.set(pod, made)
    return made
  }
}

/** By scheduler name. */
export function profilesOf({
  schedulerNames,
  onePodPerNode
}: Pick<Config, 'schedulerNames' | 'onePodPerNode'>): ReadonlyMap<string, Profile> {
  const planned = [...schedulerNames].filter(([, profile]) => profile === 'custom-scheduler').map(([name]) => name)
  const custom = customScheduler(new Set(onePodPerNode ? planned : []))
  return new Map([...schedulerNames].map(([name, profile]) => [name, profile === 'muster' ? muster : custom]))
}
