import type { Gangs } from '../../extender/gangs/gangs.ts'
import { refusals } from '../../policies/names.ts'
import { muster, runFilters } from '../../policies/index.ts'
import { nodeInfo } from '../../policies/snapshot.ts'
import type { Pod } from '../../policies/types.ts'
import { State } from '../../extender/state.ts'
import type { ModelApi } from './model-api.ts'
import type { VirtualClock } from './virtual-clock.ts'

const retryMs = 1_000
/** kube-scheduler retries what rests after five minutes; here sooner, so that tests stay short. */
const flushMs = 10_000
const inTreeRefusal = '0/N nodes are available'

export type SchedulerParts = {
  readonly clock: VirtualClock
  readonly api: ModelApi
  readonly bindTimeoutMs: number
  readonly watchDelay: () => number
  /** muster as it answers now; undefined while it is down. */
  readonly gangs: () => Pick<Gangs, 'placement' | 'refusedInTree' | 'bind'> | undefined
  /** Whether it asks muster about that pod. */
  readonly asks: (pod: Pod) => boolean
  /** Says no to a pod on a node for a reason that muster does not know. */
  readonly objects: (pod: Pod, node: string) => boolean
  /** Whether the answer to a bind call is lost on its way. */
  readonly losesReply: () => boolean
  /** Told of each binding whose answer did not come: kube-scheduler believes the room free, whatever became of it. */
  readonly onLost: (node: string) => void
}

/**
 * kube-scheduler as muster sees it: one pod at a time, the nominated node first, in-tree filters on a cache of its own
 * with assumed pods, room kept for nominees of the same rank or above, bindings in the background.
 */
export class ModelScheduler {
  readonly #parts: SchedulerParts
  readonly #cache = new State()
  readonly #active = new Set<string>()
  readonly #resting = new Set<string>()
  readonly #binding = new Map<string, AbortController>()
  #cycling = false
  /** Filter calls, as `pod`. */
  readonly filtered: string[] = []
  /** The answers to bind calls, as `pod: error`. */
  readonly answers: string[] = []

  constructor(parts: SchedulerParts) {
    this.#parts = parts
    this.#cache.subscribe({
      podChanged: ({ before, after }) => this.#podChanged(before, after),
      nodeChanged: () => this.#wake(),
      controllerChanged: () => {}
    })
    parts.api.watch(this.#cache, parts.watchDelay)
    this.#flush()
  }

  /** Hangs up on a bind call under way, as a timeout or a restart does. */
  hangUp(uid: string): void {
    this.#binding.get(uid)?.abort()
  }

  #flush(): void {
    this.#wake()
    this.#parts.clock.after(flushMs, () => this.#flush())
  }

  #podChanged(before: Pod | undefined, after: Pod | undefined): void {
    const uid = (after ?? before)?.uid ?? ''
    if (!after || after.nodeName !== undefined || after.gates.length > 0) {
      this.#active.delete(uid)
      this.#resting.delete(uid)
      this.#wake()
      return
    }
    if (this.#isMine(after) && !this.#resting.has(uid)) this.#activate(uid)
    else if (before?.nominatedNodeName !== after.nominatedNodeName) this.#activate(uid)
  }

  #isMine(pod: Pod): boolean {
    return (
      pod.schedulerName !== 'default-scheduler' && !this.#binding.has(pod.uid) && this.#cache.nodeOf(pod) === undefined
    )
  }

  /** An event that may help: what rests is tried again. */
  #wake(): void {
    for (const uid of this.#resting) this.#activate(uid)
  }

  #activate(uid: string): void {
    this.#resting.delete(uid)
    this.#active.add(uid)
    if (this.#cycling) return
    this.#cycling = true
    this.#parts.clock.after(1, () => this.#cycle())
  }

  #cycle(): void {
    this.#cycling = false
    const waiting = [...this.#active].map(uid => this.#cache.pod(uid)).filter(pod => pod !== undefined)
    const next = waiting.toSorted((a, b) => b.priority - a.priority || a.createdAt - b.createdAt)[0]
    if (!next) return
    this.#active.delete(next.uid)
    if (this.#isMine(next) && next.gates.length === 0) this.#schedule(next)
    for (const uid of this.#active) {
      this.#activate(uid)
      return
    }
  }

  #schedule(pod: Pod): void {
    const nominated = pod.nominatedNodeName
    const first = nominated !== undefined && this.#fits(pod, nominated) ? this.#ask(pod, [nominated]) : undefined
    if (first !== undefined && first !== 'refused') return this.#bindLater(pod, first)
    const feasible = this.#cache
      .snapshot()
      .nodes.map(info => info.node.name)
      .filter(name => this.#fits(pod, name))
    if (feasible.length === 0) return this.#rest(pod, inTreeRefusal)
    const node = this.#ask(pod, feasible)
    if (node === undefined) this.#backOff(pod)
    else if (node === 'refused') this.#rest(pod, refusals.waiting)
    else this.#bindLater(pod, node)
  }

  /** In-tree: what stands there, what is assumed, and what is nominated by others of the same rank or above. */
  #fits(pod: Pod, node: string): boolean {
    const info = this.#cache.node(node)
    if (!info || this.#parts.objects(pod, node)) return false
    const nominees = [...this.#cache.nominated()].filter(
      other => other.nominatedNodeName === node && other.uid !== pod.uid && other.priority >= pod.priority
    )
    return runFilters(muster.filters, pod.shape, nodeInfo(info.node, [...info.pods, ...nominees])) === undefined
  }

  /** The extender's filter: the first node that it leaves; undefined where it does not answer. */
  #ask(pod: Pod, nodes: readonly string[]): string | undefined {
    if (!this.#parts.asks(pod)) return nodes[0]
    const gangs = this.#parts.gangs()
    if (!gangs) return undefined
    this.filtered.push(pod.name)
    const placement = gangs.placement(pod)
    if (placement.kind === 'waiting') return 'refused'
    if (placement.kind === 'ordinary') return nodes.find(node => !placement.bars?.(node)) ?? 'refused'
    if (nodes.includes(placement.node)) return placement.node
    if (pod.nominatedNodeName === placement.node) gangs.refusedInTree(pod, placement.node, nodes)
    return 'refused'
  }

  #bindLater(pod: Pod, node: string): void {
    const { clock, bindTimeoutMs } = this.#parts
    const hungUp = new AbortController()
    this.#binding.set(pod.uid, hungUp)
    this.#cache.assume(pod, node)
    const stop = clock.after(bindTimeoutMs, () => hungUp.abort())
    void this.#settle(pod, node, { hungUp, stop })
  }

  async #settle(
    pod: Pod,
    node: string,
    { hungUp, stop }: { hungUp: AbortController; stop: () => void }
  ): Promise<void> {
    const error = await this.#bound(pod, node, hungUp.signal)
    stop()
    this.answers.push(`${pod.name}: ${error}`)
    this.#binding.delete(pod.uid)
    if (error !== '') this.#failed(pod)
  }

  async #bound(pod: Pod, node: string, signal: AbortSignal): Promise<string> {
    if (!this.#parts.asks(pod)) return await this.#parts.api.bindFor(pod, node)
    const gangs = this.#parts.gangs()
    if (!gangs) return 'muster does not answer'
    const answer = gangs.bind({ uid: pod.uid, node, signal })
    const hungUp = new Promise<string>(resolve => {
      signal.addEventListener('abort', () => resolve('no answer in time'), { once: true })
    })
    const error = await Promise.race([answer, hungUp])
    const isLost = this.#parts.losesReply()
    if (isLost || signal.aborted) this.#parts.onLost(node)
    return isLost ? 'the answer was lost' : error
  }

  /** As upstream: forgets the pod, clears its nomination, and tries it again after a while. */
  #failed(pod: Pod): void {
    const { api } = this.#parts
    this.#cache.forget(pod.uid)
    const now = api.pods.get(pod.uid)
    if (now && now.nodeName === undefined) {
      const scheduled = { status: 'False', reason: 'SchedulerError', message: 'binding failed' }
      api.change(pod.uid, { nominatedNodeName: undefined, scheduled })
    }
    this.#wake()
    this.#backOff(pod)
  }

  #rest(pod: Pod, message: string): void {
    this.#resting.add(pod.uid)
    const scheduled = { status: 'False', reason: 'Unschedulable', message }
    const now = this.#parts.api.pods.get(pod.uid)
    if (now && now.nodeName === undefined && now.scheduled?.message !== message)
      this.#parts.api.change(pod.uid, { scheduled })
  }

  #backOff(pod: Pod): void {
    this.#parts.clock.after(retryMs, () => this.#cache.pod(pod.uid) && this.#activate(pod.uid))
  }
}
