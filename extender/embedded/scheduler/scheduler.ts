import type { Clock, Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { Client } from '../store/client.ts'
import { Binder } from './binding.ts'
import { Cache } from './cache.ts'
import { httpChannel, type OpenChannel } from './channel.ts'
import { schedulerConfig } from './config.ts'
import { Cycle } from './cycle.ts'
import type { Entry } from './entry.ts'
import { assigned } from './events.ts'
import { Evictor } from './eviction.ts'
import { Extender } from './extender.ts'
import { Failures } from './failures.ts'
import { Finder } from './filtering.ts'
import { InTree } from './in-tree.ts'
import { Informers } from './informers.ts'
import type { Log } from './log.ts'
import { Nominator } from './nominator.ts'
import { Preemption } from './preemption.ts'
import { SchedulingQueue } from './queue.ts'
import { Recorder } from './recorder.ts'
import { keyOf, type PodView, type Projection } from './views.ts'

/** After so long the loop lets others run, however many pods wait. */
const turnMs = 8

export type SchedulerOptions = {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** A KubeSchedulerConfiguration, as `muster scheduler-config` prints it. */
  readonly config: Readonly<Record<string, unknown>>
  readonly project: Projection
  /** How extenders are reached; default over HTTP. */
  readonly open?: OpenChannel
}

export type Scheduler = {
  /** Ends watching and scheduling; bindings under way are cut off. */
  stop(): Promise<void>
  /** How many pods may go, back off, and wait for an event. */
  queue(): { readonly active: number; readonly backoff: number; readonly parked: number }
}

/** kube-scheduler's loop over the embedded API: one pod at a time, extenders asked over HTTP, bindings in the background. */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const loop = new Loop(options)
  loop.start()
  return loop
}

class Loop implements Scheduler {
  readonly #clock: Clock
  readonly #log: Log
  readonly #extenders: readonly Extender[]
  readonly #cache = new Cache()
  readonly #queue: SchedulingQueue
  readonly #informers: Informers
  readonly #cycle: Cycle
  readonly #failures: Failures
  readonly #evictor: Evictor
  readonly #nominator = new Nominator()
  readonly #binder: Binder
  readonly #recorder: Recorder
  #running = false
  #stopped = false

  constructor({ client, clock, random, log, config: document, project, open = httpChannel }: SchedulerOptions) {
    const config = schedulerConfig(document)
    const [cache, nominator, inTree] = [this.#cache, this.#nominator, new InTree(config.ignoredResources)]
    const extenders = config.extenders.map(each => new Extender({ config: each, clock, project, open }))
    const { initialBackoffMs, maxBackoffMs } = config
    const queue = new SchedulingQueue({ clock, nominator, initialBackoffMs, maxBackoffMs, onReady: () => this.#wake() })
    const isOurs = (name: string): boolean => config.profiles.has(name)
    const recorder = new Recorder(client, clock)
    const informers = new Informers({ client, cache, queue, project, isOurs })
    const finder = new Finder({ inTree, nominator, extenders, log })
    const preemption = new Preemption({ client, random, log, inTree, nominator, extenders })
    this.#clock = clock
    this.#log = log
    this.#extenders = extenders
    this.#queue = queue
    this.#recorder = recorder
    this.#informers = informers
    this.#binder = new Binder({ client, extenders, log })
    this.#evictor = new Evictor({ client, clock, log, nominator, recorder })
    this.#failures = new Failures({ client, clock, log, queue, nominator, recorder, current: informers.pod })
    this.#cycle = new Cycle({ config, cache, finder, preemption, extenders, random, log })
  }

  start(): void {
    this.#informers.start()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#informers.stop()
    this.#queue.stop()
    await Promise.all(this.#extenders.map(extender => extender.close()))
  }

  queue(): { readonly active: number; readonly backoff: number; readonly parked: number } {
    return this.#queue.counts
  }

  /** Runs the loop once whoever is writing has finished. */
  #wake(): void {
    if (this.#running || this.#stopped) return
    this.#running = true
    queueMicrotask(() => {
      this.#run().catch((error: unknown) => this.#log.error({ err: error }, `the scheduler stops: ${reasonOf(error)}`))
    })
  }

  async #run(): Promise<void> {
    let turn = this.#clock.now()
    for (let entry = this.#queue.pop(); entry && !this.#stopped; entry = this.#queue.pop()) {
      await this.#schedule(entry)
      if (this.#clock.now() - turn < turnMs) continue
      await new Promise<void>(resolve => this.#clock.after(0, resolve))
      turn = this.#clock.now()
    }
    this.#running = false
  }

  async #schedule(entry: Entry): Promise<void> {
    const { view } = entry
    if (this.#isSkipped(view)) {
      this.#queue.done(entry.uid)
      return
    }
    const outcome = await this.#cycle.run(view)
    if (this.#stopped) return
    if (outcome.kind === 'node') {
      this.#assume(entry, outcome.node)
      return
    }
    this.#failures.handle(entry, outcome.why, outcome.nomination)
    // Upstream does this in the background; the preemptor waits outside of the queues until it is done.
    if (outcome.victims.length > 0) this.#evictor.evict(view, outcome.nomination ?? '', outcome.victims)
  }

  #isSkipped(view: PodView): boolean {
    if (!view.pod.terminating) return this.#cache.isAssumed(view.pod.uid)
    const message = `skip schedule deleting pod: ${keyOf(view.pod)}`
    this.#recorder.record(view, { type: 'Warning', reason: 'FailedScheduling', message })
    return true
  }

  #assume(entry: Entry, node: string): void {
    if (!this.#cache.assume(entry.view, node)) {
      const message = `pod ${entry.uid}(${keyOf(entry.view.pod)}) is in the cache, so can't be assumed`
      this.#failures.handle(entry, { kind: 'failed', message }, '')
      return
    }
    this.#nominator.delete(entry.uid)
    this.#queue.done(entry.uid)
    void this.#bind(entry, node)
  }

  /** In the background, for as long as it takes. */
  async #bind(entry: Entry, node: string): Promise<void> {
    const { view } = entry
    const error = await this.#binder.bind(view, node).catch(reasonOf)
    if (this.#stopped) return
    if (error === undefined) {
      const message = `Successfully assigned ${keyOf(view.pod)} to ${node}`
      this.#recorder.record(view, { type: 'Normal', reason: 'Scheduled', message })
      return
    }
    const assumed = this.#cache.assumed(entry.uid)
    // As if the pod had left: everybody that it kept out may try.
    if (assumed && this.#cache.forget(entry.uid)) this.#queue.move(assigned('Delete', assumed))
    this.#failures.handle(entry, { kind: 'failed', message: error }, '')
  }
}
