import { isFinished, isLeaving, type ContainerStatus, type Pod, timestamp, uidOf } from '../kinds.ts'
import { parseDuration } from './duration.ts'
import type { LogLine } from './logs.ts'
import { named, statusOf, terminated } from './pod-status.ts'
import {
  type Backoff,
  type Host,
  type LogOptions,
  type OpenRuntime,
  pauseBefore,
  type PodRuntime,
  usualBackoff
} from './runtime.ts'

/** Annotations of a pod that say how its containers behave; all may change while it runs. */
const simulation = {
  /** How long the containers run before they end; without it, for ever. */
  duration: 'muster.dev/simulated-duration',
  /** With which code they end. */
  exitCode: 'muster.dev/simulated-exit-code',
  /** How long the pod is Pending on its node. */
  startDelay: 'muster.dev/simulated-start-delay',
  /** How long after its start the pod is ready. */
  readyDelay: 'muster.dev/simulated-ready-delay',
  /** `false`: the readiness probe fails. */
  ready: 'muster.dev/simulated-ready',
  /** `false`: the liveness probe fails, and the containers are restarted. */
  live: 'muster.dev/simulated-live',
  /** How long the pod takes to stop, up to its grace period. */
  stopDuration: 'muster.dev/simulated-stop-duration'
} as const

type Options = { readonly backoff?: Backoff }

/** When something of a pod began, to the millisecond: its status knows seconds only. */
type Times = { started?: number; leaving?: number; waiting?: number }

/**
 * Pods of which nothing runs: they become Running and Ready in one write, and end when their annotations say so. What
 * a pod is stands in its status; memory and timers are used only for pods that ask for a time.
 */
export const simulatedRuntime =
  (options: Options = {}): OpenRuntime =>
  host =>
    new Simulated(host, options.backoff ?? usualBackoff)

class Simulated implements PodRuntime {
  readonly name = 'simulated'
  readonly #host: Host
  readonly #backoff: Backoff
  readonly #times = new Map<string, Times>()
  /** A log that is followed has to have the same lines each time. */
  readonly #lines = new WeakMap<object, readonly LogLine[]>()

  constructor(host: Host, backoff: Backoff) {
    this.#host = host
    this.#backoff = backoff
  }

  handles(): boolean {
    return true
  }

  sync(pod: Pod): void {
    if (isLeaving(pod)) this.#stop(pod)
    else if (isFinished(pod)) this.forget(uidOf(pod))
    else if (pod.status?.phase === 'Running') this.#run(pod)
    else this.#start(pod)
  }

  forget(uid: string): void {
    this.#times.delete(uid)
  }

  logs(pod: Pod, { container }: LogOptions): readonly LogLine[] | undefined {
    const status = pod.status?.containerStatuses?.find(({ name }) => container === undefined || name === container)
    if (status === undefined) return undefined
    const state = status.state.running ?? status.state.terminated
    if (state?.startedAt === undefined) return []
    const text = `${pod.metadata.name}: simulated, nothing runs in ${status.name}`
    const known = this.#lines.get(state) ?? [{ at: Date.parse(state.startedAt), text }]
    this.#lines.set(state, known)
    return known
  }

  async stop(): Promise<void> {
    this.#times.clear()
  }

  /** Milliseconds left until a time that a pod asks for, counted from when it was first looked at for it. */
  #left(pod: Pod, event: keyof Times, ms: number, fallback?: string): number {
    const { clock } = this.#host
    const times = this.#times.get(uidOf(pod)) ?? {}
    const age = fallback === undefined ? NaN : clock.wall() - Date.parse(fallback)
    times[event] ??= clock.now() - (Number.isNaN(age) ? 0 : Math.max(0, age))
    this.#times.set(uidOf(pod), times)
    return times[event] + ms - clock.now()
  }

  #start(pod: Pod): void {
    const delay = parseDuration(annotation(pod, simulation.startDelay)) ?? 0
    const left = delay === 0 ? 0 : this.#left(pod, 'waiting', delay)
    if (left > 0) return this.#host.again(pod, left)
    if (needsTimes(pod)) this.#left(pod, 'started', 0)
    this.#begin(pod, 0)
  }

  /** All containers run: the one write that most pods ever get. */
  #begin(pod: Pod, restartCount: number, last?: ContainerStatus['lastState']): void {
    const now = timestamp(this.#host.clock.wall())
    const ready = isReadyNow(pod) && (parseDuration(annotation(pod, simulation.readyDelay)) ?? 0) === 0
    const containers = pod.spec.containers.map(container => ({
      ...named(container),
      ready,
      started: true,
      restartCount,
      state: { running: { startedAt: now } },
      ...(last !== undefined && { lastState: last })
    }))
    const init = (pod.spec.initContainers ?? []).map(container => ({
      ...named(container),
      ready: true,
      restartCount: 0,
      state: { terminated: terminated(0, { startedAt: now, finishedAt: now }) }
    }))
    const addresses = this.#host.addressesOf(pod)
    this.#host.tell(pod, statusOf(pod, { phase: 'Running', now, addresses, initialized: true, containers, init }))
  }

  #run(pod: Pod): void {
    const [first] = pod.status?.containerStatuses ?? []
    if (first?.state.waiting !== undefined) return this.#restart(pod, first)
    if (annotation(pod, simulation.live) === 'false') return this.#end(pod, 137)
    const { startedAt } = first?.state.running ?? {}
    if (!this.#isOver(pod, startedAt)) return this.#probe(pod, startedAt)
    this.#end(pod, Number(annotation(pod, simulation.exitCode) ?? 0))
  }

  #isOver(pod: Pod, startedAt: string | undefined): boolean {
    const duration = parseDuration(annotation(pod, simulation.duration))
    if (duration === undefined) return false
    const left = this.#left(pod, 'started', duration, startedAt)
    if (left > 0) this.#host.again(pod, left)
    return left <= 0
  }

  #probe(pod: Pod, startedAt: string | undefined): void {
    const delay = parseDuration(annotation(pod, simulation.readyDelay)) ?? 0
    const left = delay === 0 ? 0 : this.#left(pod, 'started', delay, startedAt)
    if (left > 0) this.#host.again(pod, left)
    const ready = isReadyNow(pod) && left <= 0
    const all = pod.status?.containerStatuses ?? []
    if (all.every(status => status.ready === ready) && !hasGates(pod)) return
    const containers = all.map(status => ({ ...status, ready }))
    const now = timestamp(this.#host.clock.wall())
    this.#host.tell(pod, statusOf(pod, { phase: 'Running', now, initialized: true, containers }))
  }

  /** The containers ended: the pod is done, or they are started again. */
  #end(pod: Pod, exitCode: number): void {
    const { restartPolicy = 'Always' } = pod.spec
    const again = restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0)
    const now = timestamp(this.#host.clock.wall())
    this.#times.delete(uidOf(pod))
    const ended = (pod.status?.containerStatuses ?? []).map(status => {
      const { startedAt } = status.state.running ?? {}
      const state = {
        terminated: terminated(exitCode, { ...(startedAt !== undefined && { startedAt }), finishedAt: now })
      }
      const { restartCount } = status
      if (!again) return { ...status, ready: false, started: false, state }
      const message = `back-off restarting failed container ${status.name}`
      return {
        ...status,
        ready: false,
        started: false,
        restartCount,
        lastState: state,
        state: { waiting: { reason: 'CrashLoopBackOff', message } }
      }
    })
    const phase = again ? 'Running' : exitCode === 0 ? 'Succeeded' : 'Failed'
    const next = this.#host.tell(pod, statusOf(pod, { phase, now, initialized: true, containers: ended }))
    if (again) this.#host.again(next)
  }

  #restart(pod: Pod, first: ContainerStatus): void {
    const left = this.#left(
      pod,
      'waiting',
      pauseBefore(first.restartCount, this.#backoff),
      first.lastState?.terminated?.finishedAt
    )
    if (left > 0) return this.#host.again(pod, left)
    this.#times.delete(uidOf(pod))
    if (needsTimes(pod)) this.#left(pod, 'started', 0)
    this.#begin(pod, first.restartCount + 1, first.lastState)
  }

  #stop(pod: Pod): void {
    const grace = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000
    if (isFinished(pod) || grace === 0) return this.#host.release(pod)
    const wanted = Math.min(grace, parseDuration(annotation(pod, simulation.stopDuration)) ?? 0)
    const left = wanted === 0 ? 0 : this.#left(pod, 'leaving', wanted)
    if (left > 0) return this.#host.again(pod, left)
    // Somebody waits for the pod's end, and wants to know how it was.
    if ((pod.metadata.finalizers?.length ?? 0) > 0) this.#host.release(this.#fail(pod))
    else this.#host.release(pod)
  }

  #fail(pod: Pod): Pod {
    const now = timestamp(this.#host.clock.wall())
    const containers = (pod.status?.containerStatuses ?? []).map(status => ({
      ...status,
      ready: false,
      started: false,
      state: { terminated: terminated(143, { finishedAt: now }) }
    }))
    return this.#host.tell(pod, statusOf(pod, { phase: 'Failed', now, initialized: true, containers }))
  }
}

const annotation = (pod: Pod, name: string): string | undefined => pod.metadata.annotations?.[name]
const isReadyNow = (pod: Pod): boolean => annotation(pod, simulation.ready) !== 'false'
const hasGates = (pod: Pod): boolean => Array.isArray(pod.spec['readinessGates'])
const needsTimes = (pod: Pod): boolean =>
  annotation(pod, simulation.duration) !== undefined || annotation(pod, simulation.readyDelay) !== undefined
