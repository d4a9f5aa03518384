import { type Container, type ContainerState, type ContainerStatus, type Pod, timestamp } from '../kinds.ts'
import { LogBook } from './logs.ts'
import type { Mailbox } from './mailbox.ts'
import { resolveModule } from './modules.ts'
import { named, terminated } from './pod-status.ts'
import { Prober } from './prober.ts'
import { type Backoff, type Host, pauseBefore } from './runtime.ts'
import { type Call, type Exit, WorkerContainer } from './worker-container.ts'
import { environmentOf, memoryOf, workerSpec } from './worker-spec.ts'

/** What the containers of all worker pods share. */
export type Floor = {
  readonly host: Host
  readonly root: string
  readonly backoff: Backoff
  readonly mailboxOf: (pod: Pod, container: string) => Mailbox
  readonly call: (pod: Pod, call: Call) => Promise<unknown>
  /** Takes one of the places for threads; false when none is free, and then the pod is synced when one is. */
  readonly enter: (pod: Pod) => boolean
  readonly leave: () => void
}

/** How long a container that cannot be started rests before the next look. */
const anotherLookMs = 1000

type Time = { readonly now: number; readonly stamp: string }

/** One container of a pod through all its restarts. */
export class Slot {
  readonly container: Container
  readonly log = new LogBook()
  readonly #floor: Floor
  readonly #isInit: boolean
  #pod: Pod
  #running: WorkerContainer | undefined
  #state: ContainerState = { waiting: { reason: 'PodInitializing' } }
  #last: ContainerState | undefined
  #restarts = 0
  #ended: Time | undefined
  #startedAt: string | undefined
  #probed = true
  #willing = true
  #probers: Prober[] = []

  constructor(floor: Floor, pod: Pod, container: Container, isInit: boolean) {
    this.#floor = floor
    this.#pod = pod
    this.container = container
    this.#isInit = isInit
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** How it ended, for good or until it is started again. */
  get exitCode(): number | undefined {
    return this.#state.terminated?.exitCode
  }

  status(): ContainerStatus {
    const started = this.#state.running !== undefined
    const ready = this.#isInit ? this.exitCode === 0 : started && this.#probed && this.#willing
    return {
      ...named(this.container),
      ready,
      started,
      restartCount: this.#restarts,
      state: this.#state,
      ...(this.#last !== undefined && { lastState: this.#last })
    }
  }

  /** Starts the container if it should run now: never before its pause is over. */
  start(pod: Pod): void {
    this.#pod = pod
    if (this.#running !== undefined) return
    const { host } = this.#floor
    const left =
      this.#ended === undefined
        ? 0
        : this.#ended.now + pauseBefore(this.#restarts, this.#floor.backoff) - host.clock.now()
    if (left > 0) return this.#wait(left)
    const spec = this.#launchable(pod)
    if (spec === undefined) return
    if (!this.#floor.enter(pod)) {
      this.#state = { waiting: { reason: 'WorkerLimit', message: 'no place for another worker thread is free' } }
      return
    }
    if (this.#ended !== undefined) this.#restarts++
    this.#launch(pod, spec)
  }

  /** Asks it to stop, gently. */
  stop(graceMs: number): void {
    for (const prober of this.#probers.splice(0)) prober.stop()
    this.#running?.stop(graceMs)
  }

  kill(why: string): void {
    this.#running?.kill(why)
  }

  #wait(ms: number): void {
    this.#floor.host.again(this.#pod, ms)
    if (this.#state.terminated === undefined) return
    const { reason, message } = this.#state.terminated
    this.#last = this.#state
    const why = `back-off restarting failed container ${this.container.name}${message === undefined ? '' : `: ${message}`}`
    this.#state = { waiting: { reason: reason === 'OOMKilled' ? 'OOMKilled' : 'CrashLoopBackOff', message: why } }
  }

  /** What is to be run; what cannot be is told in the status and looked at again: its file or its keys may yet come. */
  #launchable(pod: Pod): Launch | undefined {
    try {
      const spec = workerSpec(pod, this.container, this.#isInit)
      if (spec === undefined) {
        const finishedAt = timestamp(this.#floor.host.clock.wall())
        this.#state = { terminated: terminated(0, { finishedAt }, { message: 'no module: nothing to do' }) }
        return undefined
      }
      const env = environmentOf(this.#floor.host.client, pod, this.container)
      return { ...spec, module: resolveModule(spec.module, this.#floor.root).href, env }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (this.#state.waiting?.message !== message) this.#floor.host.event(pod, 'Warning', 'Failed', message)
      this.#state = { waiting: { reason: 'CreateContainerConfigError', message } }
      this.#floor.host.again(pod, anotherLookMs)
      return undefined
    }
  }

  #launch(pod: Pod, { env, ...what }: Launch): void {
    const { host, mailboxOf, call } = this.#floor
    const { name, namespace = 'default' } = pod.metadata
    const { podIP } = host.addressesOf(pod)
    if (this.#ended !== undefined) this.log.turn()
    if (this.#state.terminated !== undefined) this.#last = this.#state
    this.#state = { waiting: { reason: 'ContainerCreating' } }
    const events = {
      started: () => this.#started(),
      exited: (exit: Exit) => this.#exited(exit),
      log: (text: string) => this.log.add(host.clock.wall(), text),
      ready: (ready: boolean) => this.#change(() => (this.#willing = ready)),
      call: (asked: Call) => call(pod, asked)
    }
    this.#running = new WorkerContainer({
      start: { ...what, name, namespace, container: this.container.name, podIP },
      env,
      memoryMb: memoryOf(this.container),
      mailbox: mailboxOf(pod, this.container.name),
      clock: host.clock,
      events
    })
  }

  #change(apply: () => void): void {
    apply()
    this.#floor.host.again(this.#pod)
  }

  #started(): void {
    this.#startedAt = timestamp(this.#floor.host.clock.wall())
    this.#state = { running: { startedAt: this.#startedAt } }
    this.#willing = true
    const { livenessProbe, readinessProbe } = this.container
    this.#probed = readinessProbe === undefined
    const { clock } = this.#floor.host
    const ping = (): Promise<void> => this.#running?.ping() ?? Promise.reject(new Error('it does not run'))
    if (readinessProbe !== undefined)
      this.#probers.push(
        new Prober({
          clock,
          ping,
          probe: readinessProbe,
          changed: healthy => this.#change(() => (this.#probed = healthy))
        })
      )
    if (livenessProbe !== undefined)
      this.#probers.push(
        new Prober({ clock, ping, probe: livenessProbe, changed: healthy => healthy || this.#unhealthy() })
      )
    this.#floor.host.again(this.#pod)
  }

  #unhealthy(): void {
    const message = `container ${this.container.name} failed its liveness probe and is restarted`
    this.#floor.host.event(this.#pod, 'Warning', 'Unhealthy', message)
    this.kill('it failed its liveness probe')
  }

  #exited({ code, reason, message }: Exit): void {
    for (const prober of this.#probers.splice(0)) prober.stop()
    const { clock } = this.#floor.host
    const stamp = timestamp(clock.wall())
    const times = { ...(this.#startedAt !== undefined && { startedAt: this.#startedAt }), finishedAt: stamp }
    const why = { ...(reason !== undefined && { reason }), ...(message !== undefined && { message }) }
    this.#state = { terminated: terminated(code, times, why) }
    this.#ended = { now: clock.now(), stamp }
    this.#startedAt = undefined
    this.#running = undefined
    this.#floor.leave()
    this.#floor.host.again(this.#pod)
  }
}

type Launch = {
  readonly module: string
  readonly function: string
  readonly params: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string>>
}
