import { isFinished, isLeaving, type Pod, type PodPhase, timestamp } from '../kinds.ts'
import type { LogBook } from './logs.ts'
import { statusOf } from './pod-status.ts'
import { type Floor, Slot } from './worker-slot.ts'

/** A pod whose containers are threads: its init containers one after the other, then the others together. */
export class WorkerPod {
  readonly #floor: Floor
  readonly #init: readonly Slot[]
  readonly #main: readonly Slot[]

  constructor(floor: Floor, pod: Pod) {
    this.#floor = floor
    const { initContainers = [], containers } = pod.spec
    this.#init = initContainers.map(container => new Slot(floor, pod, container, true))
    this.#main = containers.map(container => new Slot(floor, pod, container, false))
  }

  /** What a container wrote; that of the first one if none is named. */
  book(container: string | undefined): LogBook | undefined {
    const all = [...this.#main, ...this.#init]
    return all.find(slot => container === undefined || slot.container.name === container)?.log
  }

  sync(pod: Pod): void {
    if (isLeaving(pod)) return this.#leave(pod)
    if (isFinished(pod)) return
    const initialized = this.#initialize(pod)
    if (initialized) for (const slot of this.#main) if (shouldRun(pod, slot)) slot.start(pod)
    this.#tell(pod, this.#phase(pod, initialized))
  }

  /** Ends all threads at once. */
  kill(): void {
    for (const slot of this.#slots()) slot.kill('the pod is gone')
  }

  #slots(): readonly Slot[] {
    return [...this.#init, ...this.#main]
  }

  #isRunning(): boolean {
    return this.#slots().some(slot => slot.isRunning)
  }

  /** Whether all init containers have succeeded; starts the next one that has not. */
  #initialize(pod: Pod): boolean {
    for (const slot of this.#init) {
      if (slot.exitCode === 0) continue
      if (slot.exitCode === undefined || pod.spec.restartPolicy !== 'Never') slot.start(pod)
      if (slot.exitCode !== 0) return false
    }
    return true
  }

  #leave(pod: Pod): void {
    const grace = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000
    for (const slot of this.#slots()) slot.stop(grace)
    if (this.#isRunning()) return this.#tell(pod, pod.status?.phase ?? 'Running')
    if ((pod.metadata.finalizers?.length ?? 0) > 0 && !isFinished(pod)) this.#tell(pod, this.#result())
    this.#floor.host.release(pod)
  }

  #phase(pod: Pod, initialized: boolean): PodPhase {
    const { restartPolicy = 'Always' } = pod.spec
    const broken = this.#init.some(slot => (slot.exitCode ?? 0) !== 0)
    if (!initialized) return broken && restartPolicy === 'Never' ? 'Failed' : 'Pending'
    const ended = this.#main.every(slot => slot.exitCode !== undefined && !shouldRun(pod, slot))
    if (ended) return this.#result()
    const began = this.#main.some(
      slot => slot.status().started || slot.status().restartCount > 0 || slot.exitCode !== undefined
    )
    return began ? 'Running' : (pod.status?.phase ?? 'Pending')
  }

  #result(): PodPhase {
    return this.#slots().every(slot => (slot.exitCode ?? 0) === 0) ? 'Succeeded' : 'Failed'
  }

  #tell(pod: Pod, phase: PodPhase): void {
    const { host } = this.#floor
    const now = timestamp(host.clock.wall())
    const initialized = this.#init.every(slot => slot.exitCode === 0)
    const addresses = host.addressesOf(pod)
    const containers = this.#main.map(slot => slot.status())
    const init = this.#init.map(slot => slot.status())
    host.tell(pod, statusOf(pod, { phase, now, addresses, initialized, containers, init }))
  }
}

/** By the pod's restart policy. */
function shouldRun(pod: Pod, slot: Slot): boolean {
  if (slot.isRunning || slot.exitCode === undefined) return true
  const { restartPolicy = 'Always' } = pod.spec
  return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && slot.exitCode !== 0)
}
