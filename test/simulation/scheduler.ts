import type { Client, WatchEvent } from '../../extender/embedded/store/client.ts'
import type { OpenChannel } from '../../extender/embedded/scheduler/channel.ts'
import { type Scheduler, startScheduler } from '../../extender/embedded/scheduler/scheduler.ts'
import { StatusError } from '../../extender/embedded/store/objects.ts'
import { reasonOf } from '../../extender/errors.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'
import type { ApiTruth } from './api-truth.ts'
import type { Chance } from './chance.ts'
import type { Faults } from './faults.ts'
import type { Journal } from './journal.ts'
import { type BindCall, type Muster, projector } from './muster.ts'
import type { Process } from './process.ts'
import { timing } from './timing.ts'

export type KubeSchedulerParts = {
  readonly who: string
  readonly process: Process
  readonly truth: ApiTruth
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly faults: Faults
  readonly journal: Journal
  /** The muster at the address that its configuration names, if one listens there. */
  readonly muster: () => Muster | undefined
  /** Told of each answer to a bind call, as kube-scheduler reads it. */
  readonly answered: (call: BindCall, text: string) => void
  /** Told of each answer to a bind call that kube-scheduler never gets, though muster has sent it. */
  readonly lost: (call: BindCall) => void
}

const config = {
  kind: 'KubeSchedulerConfiguration',
  profiles: [{ schedulerName: 'muster' }],
  extenders: [
    { urlPrefix: 'http://muster', nodeCacheCapable: true, filterVerb: 'filter', preemptVerb: 'preempt' },
    { urlPrefix: 'http://muster', nodeCacheCapable: true, bindVerb: 'bind' }
  ].map((entry, index) => ({ ...entry, httpTimeout: index === 0 ? '2s' : `${timing.bindTimeoutMs / 1000}s` }))
}

/** kube-scheduler's loop, whose watches lag and whose calls to muster take a while or get lost. */
export class KubeScheduler {
  readonly #parts: KubeSchedulerParts
  readonly #loop: Scheduler
  readonly process: Process
  readonly #open = new Set<Post>()
  alive = true

  constructor(parts: KubeSchedulerParts) {
    this.#parts = parts
    this.process = parts.process
    const { clock } = this.process
    const say = (fields: object, message: string): void =>
      parts.journal.say(`${parts.who}: ${message} ${shown(fields)}`)
    this.#loop = startScheduler({
      ...{ config, clock, random: parts.chance.next, client: this.#client(), project: projector },
      log: { debug: say, info: say, warn: say, error: say },
      open: () => this.#channel()
    })
  }

  kill(): void {
    this.alive = false
    this.process.end()
    // Its connections are closed with it.
    for (const post of this.#open) this.#hangUp(post)
    void this.#loop.stop()
  }

  /** The API as its informers show it: each resource in order, each with a lag of its own. */
  #client(): Client {
    const { truth, clock, chance, faults } = this.#parts
    const { api } = truth
    return {
      create: (resource, object) => (resource === 'events' ? object : api.create(resource, object)),
      get: reference => (reference.resource === 'events' ? undefined : api.get(reference)),
      list: (resource, options) => api.list(resource, options),
      update: (resource, object, subresource) => api.update(resource, object, subresource),
      patch: (reference, patch, options) => {
        if (!this.alive || chance.is(faults.writes)) throw new StatusError(500, '', 'the simulation says no')
        return api.patch(reference, patch, options)
      },
      delete: (reference, options) => api.delete(reference, options),
      bind: (pod, binding) => api.bind(pod, binding),
      evict: (pod, options) => api.evict(pod, options),
      watch: (resource, listener, options) => {
        let last = 0
        let initial = true
        const stop = api.watch(
          resource,
          (event: WatchEvent) => {
            if (initial) return listener(event)
            last = Math.max(last, clock.now() + faults.lag())
            clock.after(last - clock.now(), () => this.process.hears(() => listener(event)))
          },
          options
        )
        initial = false
        return stop
      }
    }
  }

  #channel(): ReturnType<OpenChannel> {
    return {
      post: (url, body, signal) => this.#post(url.slice(url.lastIndexOf('/') + 1), body, signal),
      close: async () => {}
    }
  }

  #post(verb: string, body: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
    const { clock, chance, faults, journal } = this.#parts
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
    const call = verb === 'bind' ? this.#opened(body) : undefined
    const settled = { resolve, reject: (error: Error) => this.process.hears(() => reject(error)) }
    const post: Post = { verb, body, call, hangUp: new AbortController(), lost: false, server: undefined, ...settled }
    signal.addEventListener('abort', () => {
      journal.sees('kube-scheduler hung up')
      this.#hangUp(post)
      reject(new Error('the call took too long'))
    })
    post.lost = chance.is(faults.calls)
    clock.after(faults.latency(), () => this.#reach(post))
    return promise
  }

  /** muster hears of it a little later. */
  #hangUp(post: Post): void {
    const { clock, faults } = this.#parts
    const abort = (): void => post.hangUp.abort()
    clock.after(faults.latency(), () => (post.server ? post.server.process.hears(abort) : abort()))
  }

  /** It lies in the socket until muster reads it. */
  #reach(post: Post): void {
    const server = this.#parts.muster()
    if (!this.alive) return
    if (!server?.alive) return post.reject(new Error('connection refused'))
    post.server = server
    // A connection to a process that ends is reset.
    const stopWatching = server.onEnd(() => post.reject(new Error('connection reset')))
    server.process.hears(() => void this.#serve(server, post).finally(stopWatching))
  }

  async #serve(server: Muster, post: Post): Promise<void> {
    const { clock, faults, journal, who, answered } = this.#parts
    if (post.call) server.took(post.call, post.hangUp.signal)
    this.#open.add(post)
    const answer = await server.answer(post.verb, Buffer.from(post.body), post.hangUp.signal)
    this.#open.delete(post)
    if (post.call) server.calls.delete(post.call)
    if (!server.alive || !this.alive) return
    if (post.call) answered(post.call, answer.text)
    if (post.verb !== 'filter')
      journal.say(`${who} < ${post.verb} ${post.call?.uid ?? ''} ${answer.text.slice(0, 160)}`)
    if (post.lost) {
      journal.sees('answer to kube-scheduler lost')
      if (post.call) this.#parts.lost(post.call)
      // A reset is heard of, a blackhole is not.
      if (post.body.length % 2 === 0) clock.after(faults.latency(), () => post.reject(new Error('connection reset')))
      return
    }
    clock.after(faults.latency(), () => this.process.hears(() => post.resolve(answer)))
  }

  #opened(body: string): BindCall {
    const { PodUID: uid, PodNamespace, PodName, Node: node } = JSON.parse(body) as Record<string, string>
    return { uid: uid!, node: node!, pod: `${PodNamespace}/${PodName}`, arrivedAt: 0, gone: false, writes: 0 }
  }
}

type Post = {
  readonly verb: string
  readonly body: string
  /** Its answer does not come. */
  lost: boolean
  /** Who has it, or will have it as soon as it runs. */
  server: Muster | undefined
  readonly hangUp: AbortController
  readonly call: BindCall | undefined
  readonly resolve: (answer: { status: number; text: string }) => void
  readonly reject: (error: Error) => void
}

function shown(fields: object): string {
  const { err, plugins: _, ...rest } = fields as { err?: unknown; plugins?: unknown }
  return err === undefined ? JSON.stringify(rest) : reasonOf(err)
}
