import { type ApiCall, bindingOf } from './api-proxy.ts'
import type { VerbCall } from './extender-proxy.ts'
import { gangOf, isBound, isGated, type Pod } from './objects.ts'
import type { Change } from './watch.ts'

/** What one watch event said about one pod. */
export interface Entry {
  readonly at: number
  readonly type: Change<Pod>['type']
  readonly uid: string
  readonly pod: string
  readonly gang: string | undefined
  /** What the gang's annotation says; 0 where it says nothing. */
  readonly minMember: number
  readonly node: string
  readonly nominated: string
  readonly gated: boolean
  readonly bound: boolean
  readonly leaving: boolean
}

/** Everything that a watch on the pods has shown, and the questions that scenarios ask of it. */
export class History {
  readonly #entries: Entry[] = []

  record(change: Change<Pod>): void {
    const { metadata, spec, status } = change.object
    this.#entries.push({
      at: change.at,
      type: change.type,
      uid: metadata.uid,
      pod: `${metadata.namespace}/${metadata.name}`,
      gang: gangKey(change.object),
      minMember: Number(metadata.annotations?.['muster.dev/min-member'] ?? 0),
      node: spec.nodeName ?? '',
      nominated: status.nominatedNodeName ?? '',
      gated: isGated(change.object),
      bound: change.type !== 'DELETED' && isBound(change.object),
      leaving: metadata.deletionTimestamp !== undefined || change.type === 'DELETED'
    })
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  /** Pods whose node changed after they had one; Kubernetes forbids it, so this is always empty or a broken record. */
  boundTwice(): readonly string[] {
    const nodes = new Map<string, string>()
    const twice = new Set<string>()
    for (const { uid, pod, node } of this.#entries) {
      if (node === '') continue
      if ((nodes.get(uid) ?? node) !== node) twice.add(pod)
      nodes.set(uid, node)
    }
    return [...twice]
  }

  /** What no history may show: a pod on two nodes, or a gang bound in part for longer than so many milliseconds. */
  problems(partialMs: number, now?: number): readonly string[] {
    const late = [...this.longestPartial(now)].filter(([, time]) => time > partialMs)
    return [
      ...this.boundTwice().map(pod => `I5: ${pod} was on two nodes`),
      ...late.map(([gang, time]) => `I2: ${gang} was bound in part for ${Math.round(time)} ms`)
    ]
  }

  /** Pods of a gang (`namespace/name`) that were ever seen with a node. */
  everBound(gang: string): readonly string[] {
    return [...new Set(this.#entries.filter(entry => entry.gang === gang && entry.node !== '').map(entry => entry.pod))]
  }

  /** Gangs of which a member left: what they lack since then is no decision of a scheduler. */
  disturbed(): ReadonlySet<string> {
    const left = this.#entries.filter(entry => entry.leaving).flatMap(({ gang }) => gang ?? [])
    return new Set(left)
  }

  /** Nodes on which more pods stood at a time than `slots` allows. */
  crowded(slots: number): readonly string[] {
    const standing = new Map<string, Set<string>>()
    const crowded = new Set<string>()
    for (const { uid, node, bound } of this.#entries) {
      if (node === '') continue
      const pods = standing.get(node) ?? new Set<string>()
      standing.set(node, pods)
      if (bound) pods.add(uid)
      else pods.delete(uid)
      if (pods.size > slots) crowded.add(node)
    }
    return [...crowded]
  }

  /** How often a waiting pod's nomination went away or was replaced although the pod was neither bound nor deleted. */
  erasedNominations(matches: (entry: Entry) => boolean = () => true): number {
    const nominated = new Map<string, string>()
    let erased = 0
    for (const entry of this.#entries.filter(matches)) {
      const before = nominated.get(entry.uid) ?? ''
      if (before !== '' && entry.nominated !== before && !entry.bound && !entry.leaving) erased++
      nominated.set(entry.uid, entry.nominated)
    }
    return erased
  }

  /**
   * The longest time in milliseconds that each gang was bound in part: at least one member, fewer than `minMember`.
   *
   * A gang that has reached its quorum is no longer watched: what happens to it then, as a test's deletions, is no
   * scheduling decision.
   */
  longestPartial(now = performance.now()): ReadonlyMap<string, number> {
    return new Map([...this.#gangs()].map(([key, gang]) => [key, gang.longest(now)]))
  }

  /** Gangs that are bound in part and have never been whole. */
  inPart(): readonly string[] {
    return [...this.#gangs()].filter(([, gang]) => gang.isPartial).map(([key]) => key)
  }

  /** How many gangs were seen, and how many of them stood whole at some time. */
  tally(): { readonly seen: number; readonly whole: number } {
    const gangs = [...this.#gangs().values()]
    return { seen: gangs.length, whole: gangs.filter(gang => gang.isWhole).length }
  }

  #gangs(): ReadonlyMap<string, Partial> {
    const gangs = new Map<string, Partial>()
    for (const entry of this.#entries) {
      if (entry.gang === undefined) continue
      const gang = gangs.get(entry.gang) ?? new Partial(entry.minMember)
      gangs.set(entry.gang, gang)
      gang.see(entry)
    }
    return gangs
  }
}

/**
 * Bindings that muster sent although kube-scheduler did not ask for them, or had stopped waiting: no bind call for that
 * pod began within `patience` milliseconds before them.
 */
export function unaskedBindings(
  asked: readonly VerbCall[],
  written: readonly ApiCall[],
  patience: number
): readonly string[] {
  const asks = Map.groupBy(
    asked.filter(call => call.verb === 'bind'),
    call => call.pod
  )
  return written.flatMap(call => {
    const pod = bindingOf(call)
    if (pod === undefined) return []
    const isAsked = asks.get(pod)?.some(({ at }) => at <= call.at && call.at <= at + patience)
    return isAsked ? [] : [pod]
  })
}

/** The name under which the history knows a pod's gang. */
export function gangKey(pod: Pod): string | undefined {
  const gang = gangOf(pod)
  return gang === undefined ? undefined : `${pod.metadata.namespace}/${gang}`
}

class Partial {
  readonly #minMember: number
  readonly #bound = new Set<string>()
  #since: number | undefined
  #longest = 0
  #whole = false

  constructor(minMember: number) {
    this.#minMember = minMember
  }

  get isWhole(): boolean {
    return this.#whole
  }

  get isPartial(): boolean {
    return this.#since !== undefined
  }

  see(entry: Entry): void {
    if (this.#whole) return
    if (entry.bound) this.#bound.add(entry.uid)
    else this.#bound.delete(entry.uid)
    this.#whole = this.#bound.size >= this.#minMember
    const partial = this.#bound.size > 0 && !this.#whole
    if (partial) this.#since ??= entry.at
    else this.#end(entry.at)
  }

  longest(now: number): number {
    return Math.max(this.#longest, this.#since === undefined ? 0 : now - this.#since)
  }

  #end(at: number): void {
    if (this.#since !== undefined) this.#longest = Math.max(this.#longest, at - this.#since)
    this.#since = undefined
  }
}
