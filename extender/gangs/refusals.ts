import type { NodeInfo, Snapshot } from '../../policies/snapshot.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'

/** How far apart two refusals must be: a scheduler cache that lags behind ours refuses once, not a second later. */
const confirmMs = 1_000
/** A refusal that nothing follows counts as confirmed after this: the scheduler retries when its own view changes. */
const silenceMs = 3_000
/** How long a lesson is believed, even when the node does not change. */
const lessonMs = 120_000
/** Below this many feasible nodes kube-scheduler offers all of them (`minFeasibleNodesToFind`). */
const completeBelow = 100

type Suspicion = { readonly node: string; readonly since: number; readonly offered: readonly string[] | undefined }
type Lesson = { readonly info: NodeInfo | undefined; readonly until: number }

/**
 * What kube-scheduler teaches: shapes that it refuses on a node for reasons that muster does not model (volumes,
 * inter-pod affinity, spread, devices). A lesson ends when the node changes.
 */
export class Refusals {
  readonly #clock: Clock
  readonly #isExplained: (pod: Pod, node: NodeInfo) => boolean
  readonly #suspicions = new Map<string, Suspicion>()
  /** Shape key → node → lesson. */
  readonly #lessons = new Map<string, Map<string, Lesson>>()

  /** `isExplained` tells whether muster itself knows why a node would not take the pod: then it is no lesson. */
  constructor(clock: Clock, isExplained: (pod: Pod, node: NodeInfo) => boolean) {
    this.#clock = clock
    this.#isExplained = isExplained
  }

  /**
   * kube-scheduler refused the pod on its planned node. `offered` are the nodes that it would take, where it said so.
   * Answers whether that is now certain; the caller then plans again.
   */
  suspect(pod: Pod, node: string, snapshot: Snapshot, offered?: readonly string[]): boolean {
    const now = this.#clock.now()
    const known = this.#suspicions.get(pod.uid)
    if (known?.node !== node) {
      this.#suspicions.set(pod.uid, { node, since: now, offered })
      return false
    }
    if (now - known.since < confirmMs) return false
    this.#learn(pod, node, snapshot, offered ?? known.offered)
    return true
  }

  /** As `suspect`, for a suspicion that nothing has followed; answers whether the silence makes it certain. */
  confirmBySilence(pod: Pod, node: string, snapshot: Snapshot): boolean {
    const known = this.#suspicions.get(pod.uid)
    if (known?.node !== node || this.#clock.now() - known.since < silenceMs) return false
    this.#learn(pod, node, snapshot, known.offered)
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

  #learn(pod: Pod, node: string, snapshot: Snapshot, offered: readonly string[] | undefined): void {
    this.#suspicions.delete(pod.uid)
    const lessons = this.#lessons.get(pod.shape.key) ?? new Map<string, Lesson>()
    this.#lessons.set(pod.shape.key, lessons)
    const until = this.#clock.now() + lessonMs
    const teach = (name: string): unknown => lessons.set(name, { info: snapshot.node(name), until })
    teach(node)
    if (!offered || offered.length === 0 || offered.length >= completeBelow) return
    // All that it would take was offered, so every other node that looks free is refused as well.
    const taken = new Set(offered)
    for (const info of snapshot.nodes) {
      if (!taken.has(info.node.name) && !this.#isExplained(pod, info)) teach(info.node.name)
    }
  }
}
