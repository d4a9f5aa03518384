import type { NodeInfo, Snapshot } from '../../../policies/snapshot.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock } from '../../clock.ts'

/** How far apart two refusals must be: a scheduler cache that lags behind ours refuses once, not a second later. */
const confirmMs = 1_000
/** A refusal that nothing follows counts as confirmed after this: the scheduler retries when its own view changes. */
const silenceMs = 3_000
/** How long a lesson is believed, even when the node does not change. */
const lessonMs = 120_000
/** So many refusals of a gang may be a matter of its members' order; then it is their number that counts. */
const maxUneven = 8
/** Below this many feasible nodes kube-scheduler offers all of them (`minFeasibleNodesToFind`). */
const completeBelow = 100

/** kube-scheduler does not take a member on the node that it is planned on and nominated for. */
export type Refusal = {
  readonly pod: Pod
  readonly gang: string
  readonly node: string
  /** All nodes that it would take instead: none, where the pod was not even sent to muster; undefined where unknown. */
  readonly offered: readonly string[] | undefined
  /** Members of the gang that it did take on that node. */
  readonly siblings: number
  /** Members are still to come to other nodes, where fewer stand by now: it may be no more than their order. */
  readonly uneven: boolean
  /** How many members are still to come to other nodes. */
  readonly toCome: number
}

type Suspicion = Pick<Refusal, 'node' | 'offered' | 'toCome'> & { readonly since: number }
type Lesson = { readonly info: NodeInfo | undefined; readonly until: number }
/** The members of a gang get in each other's way; `most` of them go to one node, infinite until that is found out. */
type Apart = { readonly until: number; readonly most: number; readonly uneven: number }

/**
 * What kube-scheduler teaches about constraints that muster does not model (volumes, inter-pod affinity, spread,
 * devices): shapes that it refuses on a node, and gangs whose members must stand apart. A lesson ends when the node
 * changes, when kube-scheduler offers the node after all, and with time.
 */
export class Refusals {
  readonly #clock: Clock
  readonly #isExplained: (pod: Pod, node: NodeInfo) => boolean
  readonly #suspicions = new Map<string, Suspicion>()
  /** Shape key → node → lesson. */
  readonly #lessons = new Map<string, Map<string, Lesson>>()
  readonly #apart = new Map<string, Apart>()

  /** `isExplained` tells whether muster itself knows why a node would not take the pod: then it is no lesson. */
  constructor(clock: Clock, isExplained: (pod: Pod, node: NodeInfo) => boolean) {
    this.#clock = clock
    this.#isExplained = isExplained
  }

  /** Takes note; answers whether the refusal is now certain, and learnt: the caller then plans again. */
  suspect(refusal: Refusal, snapshot: Snapshot): boolean {
    const { pod, node, offered, toCome } = refusal
    const now = this.#clock.now()
    const known = this.#suspicions.get(pod.uid)
    if (known?.node !== node) {
      this.#suspicions.set(pod.uid, { node, since: now, offered, toCome })
      return false
    }
    if (now - known.since < confirmMs) return false
    this.#learn({ ...refusal, offered: offered ?? known.offered }, snapshot)
    return true
  }

  /** As `suspect`, for a suspicion that nothing has followed; answers whether the silence makes it certain. */
  confirmBySilence(refusal: Omit<Refusal, 'offered'>, snapshot: Snapshot): boolean {
    const known = this.#suspicions.get(refusal.pod.uid)
    if (known?.node !== refusal.node || this.#clock.now() - known.since < silenceMs) return false
    // Members have come since, and kube-scheduler was not asked again: what it said was about fewer of them.
    const uneven = refusal.uneven || refusal.toCome < known.toCome
    this.#learn({ ...refusal, offered: known.offered, uneven }, snapshot)
    return true
  }

  /** Whether a refusal of this pod on that node waits to be confirmed. */
  suspected(uid: string, node: string): boolean {
    return this.#suspicions.get(uid)?.node === node
  }

  /** The pod came through after all, or is gone. */
  clear(uid: string): void {
    this.#suspicions.delete(uid)
  }

  /** The gang is gone. */
  forget(gang: string): void {
    this.#apart.delete(gang)
  }

  /** kube-scheduler would take the pod on these nodes; answers whether that is news. */
  unlearn(pod: Pod, offered: () => readonly string[]): boolean {
    const lessons = this.#lessons.get(pod.shape.key)
    if (!lessons) return false
    return offered().filter(node => lessons.delete(node)).length > 0
  }

  /** What holds now: shape key → nodes. Lessons about nodes that have changed are forgotten. */
  current(snapshot: Snapshot): ReadonlyMap<string, ReadonlySet<string>> {
    const now = this.#clock.now()
    const refused = new Map<string, ReadonlySet<string>>()
    for (const [shape, lessons] of this.#lessons) {
      for (const [node, { info, until }] of lessons) {
        if (until <= now || snapshot.node(node) !== info) lessons.delete(node)
      }
      if (lessons.size > 0) refused.set(shape, new Set(lessons.keys()))
      else this.#lessons.delete(shape)
    }
    return refused
  }

  /** Undefined where the gang's members may stand together; else how many may at most, infinite while unknown. */
  apart(gang: string): number | undefined {
    const known = this.#apart.get(gang)
    if (!known || known.until <= this.#clock.now()) return undefined
    return known.most
  }

  #learn(refusal: Refusal, snapshot: Snapshot): void {
    this.#suspicions.delete(refusal.pod.uid)
    const until = this.#clock.now() + lessonMs
    if (refusal.siblings > 0) this.#learnApart(refusal, until)
    else this.#learnNodes(refusal, snapshot, until)
  }

  /**
   * The node takes members, only not so many. Where others would take this one, or more are on their way to emptier
   * nodes (a spread over nodes has every step even, and kube-scheduler comes to the members in its own order), it is a
   * matter of spreading them; where none would, or they are spread already, it is the number that counts.
   */
  #learnApart({ gang, offered, siblings, uneven: isUneven }: Refusal, until: number): void {
    const known = this.#apart.get(gang)
    const most = this.apart(gang)
    const uneven = (known?.uneven ?? 0) + Number(isUneven)
    const isOrder = isUneven && uneven <= maxUneven
    const counts = !isOrder && (most !== undefined || offered?.length === 0)
    const before = most ?? Number.POSITIVE_INFINITY
    this.#apart.set(gang, { until, most: counts ? Math.min(before, siblings) : before, uneven })
  }

  #learnNodes({ pod, gang, node, offered }: Refusal, snapshot: Snapshot, until: number): void {
    const lessons = this.#lessons.get(pod.shape.key) ?? new Map<string, Lesson>()
    this.#lessons.set(pod.shape.key, lessons)
    lessons.set(node, { info: snapshot.node(node), until })
    // What is missing in the offer may be missing because of the members that stand there.
    if (!offered || offered.length >= completeBelow || this.apart(gang) !== undefined) return
    const taken = new Set(offered)
    for (const info of snapshot.nodes) {
      if (!taken.has(info.node.name) && !this.#isExplained(pod, info)) lessons.set(info.node.name, { info, until })
    }
  }
}
