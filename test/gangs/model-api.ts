import { pinnedTerms } from '../../policies/pin.ts'
import type { Node, Pod } from '../../policies/types.ts'
import type { State } from '../../extender/state.ts'
import type {
  BindResult,
  Binder,
  Binding,
  EvictResult,
  Nominator,
  PodRef,
  Terminator,
  WriteResult
} from '../../extender/gangs/ports.ts'
import type { VirtualClock } from './virtual-clock.ts'

type Limits = Parameters<Binder['bind']>[1]

/** What happens to one write: it may fail before it takes effect, or its answer may be lost after. */
export type Fault = 'none' | 'refused' | 'invalid' | 'forbidden' | 'conflict' | 'lost before' | 'lost after'

/** Whoever watches gets every change in order, each after a delay. */
type Watcher = { readonly state: State; readonly delay: () => number; last: number; alive: boolean }

export type Write = {
  readonly verb: 'nominate' | 'clear' | 'ungate' | 'pin' | 'bind' | 'mark' | 'evict' | 'fail'
  readonly pod: string
  readonly node: string
  readonly record: boolean
}

/** A small API server: pods and nodes, writes that take time, watches that lag. */
export class ModelApi {
  readonly pods = new Map<string, Pod>()
  readonly nodes = new Map<string, Node>()
  /** Every write of muster's that was tried, in order. */
  readonly writes: Write[] = []
  readonly #clock: VirtualClock
  readonly #watchers: Watcher[] = []
  /** Decides on each write of muster's; replaced by tests. */
  fault: (write: Write) => Fault = () => 'none'
  /** Why the API server refuses to evict that pod; undefined where it does not. */
  protects: (pod: Pod) => string | undefined = () => undefined
  /** How long a write is under way, in milliseconds. */
  latency: () => number = () => 2

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** Fills that state with what there is, and keeps it informed; the answer ends it. */
  watch(state: State, delay: () => number): () => void {
    const watcher = { state, delay, last: 0, alive: true }
    this.#watchers.push(watcher)
    state.replaceNodes([...this.nodes.values()])
    state.replacePods([...this.pods.values()])
    return () => {
      watcher.alive = false
    }
  }

  /** Asks the pod to go: at once, or when its grace period has passed. */
  stopPod(uid: string): void {
    const pod = this.pods.get(uid)
    if (!pod || pod.terminating) return
    if (pod.graceMs === 0) return this.deletePod(uid)
    this.change(uid, { terminating: true, leavesBy: this.#clock.wall() + pod.graceMs })
    this.#clock.after(pod.graceMs, () => this.deletePod(uid))
  }

  setPod(pod: Pod): void {
    this.pods.set(pod.uid, pod)
    this.#tell(state => state.setPod(pod))
  }

  deletePod(uid: string): void {
    if (this.pods.delete(uid)) this.#tell(state => state.removePod(uid))
  }

  setNode(node: Node): void {
    this.nodes.set(node.name, node)
    this.#tell(state => state.setNode(node))
  }

  deleteNode(name: string): void {
    if (!this.nodes.delete(name)) return
    this.#tell(state => state.removeNode(name))
    // The pod garbage collector's work.
    for (const pod of [...this.pods.values()]) if (pod.nodeName === name) this.deletePod(pod.uid)
  }

  change(uid: string, patch: Partial<Pod>): void {
    const pod = this.pods.get(uid)
    if (pod) this.setPod({ ...pod, ...patch })
  }

  /** The writes of one kind as `pod` or `pod@node`. */
  written(verb: Write['verb']): string[] {
    return this.writes
      .filter(write => write.verb === verb)
      .map(({ pod, node }) => (node === '' ? pod : `${pod}@${node}`))
  }

  /** muster's ports on this API; a stopped one lets what is under way take effect without an answer, or not at all. */
  ports(isAlive: () => boolean): { nominator: Nominator; binder: Binder; terminator: Terminator } {
    const written = <T>(write: Write, apply: () => T): Promise<T | WriteResult> => this.#write(write, apply, isAlive)
    return {
      nominator: {
        nominate: (pod, node) =>
          written(writeOf(node === undefined ? 'clear' : 'nominate', pod, node), () =>
            this.#patched(pod, { nominatedNodeName: node })
          ),
        ungate: (pod, gate) =>
          written(writeOf('ungate', pod), () =>
            this.#patched(pod, { gates: this.pods.get(pod.uid)?.gates.filter(other => other !== gate) ?? [] })
          ),
        pin: async (pod, gate, node) => {
          const result = await written(writeOf('pin', pod, node), () => this.#pinned(pod, gate, node))
          return result.outcome === 'failed' && result.message === invalid ? { ...result, outcome: 'refused' } : result
        }
      },
      binder: { bind: (binding, limits) => this.#bind(binding, limits, isAlive) },
      terminator: {
        evict: async pod => {
          const result = await written(writeOf('evict', pod), () => this.#evicted(pod))
          return result.outcome === 'failed' && result.forbidden ? { ...result, outcome: 'refused' } : result
        },
        mark: (pod, key, value) => written(writeOf('mark', pod), () => this.#marked(pod, key, value)),
        fail: pod => written(writeOf('fail', pod), () => this.#patched(pod, { phase: 'Failed' }))
      }
    }
  }

  async #write<T>(write: Write, apply: () => T, isAlive: () => boolean): Promise<T | WriteResult> {
    this.writes.push(write)
    const fault = this.fault(write)
    await this.#pause()
    if (!isAlive() && fault !== 'none') return never()
    if (fault === 'conflict') return { outcome: 'conflict' }
    if (fault === 'invalid') return { outcome: 'failed', message: invalid }
    if (fault === 'refused' || fault === 'lost before') return { outcome: 'failed', message: 'the API server is tired' }
    if (fault === 'forbidden') return { outcome: 'failed', message: 'no right', forbidden: true }
    const result = apply()
    if (!isAlive()) return never()
    return fault === 'lost after' ? { outcome: 'failed', message: 'no answer came' } : result
  }

  /** As the API server, which takes only what narrows the affinity of a pod that is gated still. */
  #pinned(ref: PodRef & Pick<Pod, 'shape'>, gate: string, node: string): WriteResult {
    const pod = this.pods.get(ref.uid)
    if (!pod) return { outcome: 'gone' }
    const key = `${ref.shape.key} on ${node}`
    // The same patch once more changes nothing.
    if (pod.gates.length === 0 && pod.shape.key === key) return { outcome: 'done' }
    if (pod.gates.length === 0 || pod.shape.key !== ref.shape.key) return { outcome: 'failed', message: invalid }
    const shape = { ...pod.shape, key, affinity: pinnedTerms(pod.shape.affinity, node) }
    return this.#patched(ref, { shape, gates: pod.gates.filter(other => other !== gate) })
  }

  #evicted({ uid }: PodRef): EvictResult {
    const pod = this.pods.get(uid)
    if (!pod) return { outcome: 'gone' }
    const message = this.protects(pod)
    if (message !== undefined) return { outcome: 'refused', message }
    this.stopPod(uid)
    return { outcome: 'done' }
  }

  #marked(ref: PodRef, key: string, value: string | undefined): WriteResult {
    const pod = this.pods.get(ref.uid)
    if (!pod) return { outcome: 'gone' }
    const others = [...pod.annotations].filter(([name]) => name !== key)
    return this.#patched(ref, { annotations: new Map(value === undefined ? others : [...others, [key, value]]) })
  }

  #patched(ref: PodRef, patch: Partial<Pod>): WriteResult {
    const pod = this.pods.get(ref.uid)
    if (!pod) return { outcome: 'gone' }
    this.change(ref.uid, patch)
    return { outcome: 'done' }
  }

  async #bind(binding: Binding, { deadline, signal }: Limits, isAlive: () => boolean): Promise<BindResult> {
    const record = Object.keys(binding.annotations).includes('muster.dev/plan-members')
    const write = { ...writeOf('bind', binding, binding.node), record }
    if (signal.aborted) return { outcome: 'late', message: 'the client has gone' }
    if (this.#clock.now() >= deadline) return { outcome: 'late', message: 'the deadline has passed' }
    this.writes.push(write)
    const fault = this.fault(write)
    await this.#pause()
    if (!isAlive() && fault !== 'none') return never()
    const isThere = this.pods.get(binding.uid)?.nodeName !== undefined
    if (fault === 'refused' && !isThere) return { outcome: 'refused', status: 403, message: 'a webhook said no' }
    if (fault === 'lost before') return { outcome: 'unknown', message: 'no answer came' }
    const result = this.#bound(binding)
    if (!isAlive()) return never()
    return fault === 'lost after' ? { outcome: 'unknown', message: 'no answer came' } : result
  }

  /** As another client binds; the answer is its error text. */
  async bindFor({ uid, namespace, name }: Pod, node: string): Promise<string> {
    await this.#pause()
    const { outcome } = this.#bound({ uid, namespace, name, node, annotations: {} })
    return outcome === 'bound' ? '' : outcome
  }

  #bound({ uid, node, annotations }: Binding): BindResult {
    const pod = this.pods.get(uid)
    if (!pod) return { outcome: 'gone' }
    if (pod.nodeName === node) return { outcome: 'bound' }
    if (pod.nodeName !== undefined) return { outcome: 'elsewhere', node: pod.nodeName }
    if (pod.gates.length > 0) return { outcome: 'refused', status: 409, message: 'the pod has scheduling gates' }
    const scheduled = { status: 'True', reason: '', message: '' }
    this.change(uid, {
      ...{ nodeName: node, nominatedNodeName: undefined, scheduled },
      annotations: new Map([...pod.annotations, ...Object.entries(annotations)])
    })
    return { outcome: 'bound' }
  }

  #pause(): Promise<void> {
    const ms = this.latency()
    return new Promise(resolve => void this.#clock.after(ms, resolve))
  }

  #tell(apply: (state: State) => void): void {
    for (const watcher of this.#watchers) {
      if (!watcher.alive) continue
      watcher.last = Math.max(watcher.last, this.#clock.now() + watcher.delay())
      this.#clock.after(watcher.last - this.#clock.now(), () => watcher.alive && apply(watcher.state))
    }
  }
}

const writeOf = (verb: Write['verb'], { name }: PodRef, node = ''): Write => ({ verb, pod: name, node, record: false })

const invalid = 'the pod is invalid'

/** The answer that a process which has ended never gets. */
const never = <T>(): Promise<T> => new Promise(() => {})
