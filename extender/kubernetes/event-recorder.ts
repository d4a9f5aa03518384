import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { Complaints } from './complaints.ts'
import type { ApiServer } from './api-server.ts'
import type { Log } from './log.ts'
import type { KubernetesMetrics } from './metrics.ts'
import { TokenBucket } from './token-bucket.ts'
import { type PodRef, writeOnce } from './writes.ts'

export type PodEvent = {
  readonly pod: PodRef
  readonly type: 'Normal' | 'Warning'
  /** Why, in one CamelCase word. */
  readonly reason: string
  /** What was tried or done, in one CamelCase word. */
  readonly action: string
  /** For people; cut at 1024 bytes. */
  readonly note: string
}

export type EventRecorderOptions = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly log: Log
  readonly metrics: KubernetesMetrics
  /** This process, such as the pod's name; at most 128 bytes. */
  readonly instance: string
  /** Events a second and at once; default 20 and 200. */
  readonly perSecond?: number
  readonly burst?: number
  /** Events that may wait for their turn; default 500. */
  readonly queue?: number
}

const controller = 'muster.dev/muster'
const repeatMs = 10 * 60_000
const rememberedEvents = 10_000
const concurrency = 4
/** The limits of events.k8s.io/v1 in bytes, and of what is left of a name before the server adds five characters to it. */
const longest = { note: 1024, instance: 128, prefix: 57 }

/** Tells users about their pods through Kubernetes Events. A lost event is no harm: it never blocks, waits or throws. */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #bucket: TokenBucket
  readonly #seen: LRUCache<string, true>
  readonly #complaints: Complaints
  readonly #queue: { readonly key: string; readonly body: object; readonly namespace: string }[] = []
  #running = 0
  #waiting = false

  constructor(options: EventRecorderOptions) {
    const { clock, log, perSecond = 20, burst = 200 } = options
    this.#options = options
    this.#bucket = new TokenBucket({ clock, perSecond, burst })
    this.#complaints = new Complaints(clock, log)
    // ttlResolution 0: else lru-cache starts timers of its own. It reads a start of 0 as none, hence the 1.
    this.#seen = new LRUCache({
      max: rememberedEvents,
      ttl: repeatMs,
      ttlResolution: 0,
      perf: { now: () => clock.now() + 1 }
    })
  }

  /** Queues the event; the same pod, reason and note are told once in ten minutes. */
  record(event: PodEvent): void {
    const note = cut(event.note, longest.note)
    const key = JSON.stringify([event.pod.uid, event.reason, note])
    if (this.#seen.has(key)) return
    if (this.#queue.length >= (this.#options.queue ?? 500)) {
      this.#options.metrics.events.inc({ result: 'dropped' })
      return
    }
    this.#seen.set(key, true)
    this.#queue.push({ key, namespace: event.pod.namespace, body: this.#body(event, note) })
    this.#pump()
  }

  #body({ pod, type, reason, action }: PodEvent, note: string): object {
    const { clock, instance } = this.#options
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { generateName: `${pod.name.slice(0, longest.prefix)}-`, namespace: pod.namespace },
      eventTime: microTime(clock.wall()),
      reportingController: controller,
      reportingInstance: cut(instance, longest.instance),
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid },
      ...{ type, reason, action, note }
    }
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#running < concurrency && !this.#waiting) {
      const waitMs = this.#bucket.take()
      if (waitMs > 0) {
        this.#waiting = true
        this.#options.clock.after(waitMs, () => {
          this.#waiting = false
          this.#pump()
        })
        return
      }
      const next = this.#queue.shift()
      if (next) void this.#send(next)
    }
  }

  async #send({ key, body, namespace }: { key: string; body: object; namespace: string }): Promise<void> {
    const { api, metrics } = this.#options
    this.#running += 1
    const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`
    const result = await writeOnce(api, { method: 'POST', path, body, timeoutMs: 5_000 })
    this.#running -= 1
    metrics.events.inc({ result: result.outcome === 'done' ? 'recorded' : 'failed' })
    if (result.outcome !== 'done') {
      // May be told again when it happens again.
      this.#seen.delete(key)
      const reason = 'message' in result ? result.message : result.outcome
      this.#complaints.tell('events', 'failed', `cannot record events: ${reason}`)
    }
    this.#pump()
  }
}

/** The longest beginning of at most so many bytes that ends at a character; with an ellipsis where something is missing. */
export function cut(value: string, bytes: number): string {
  const whole = Buffer.from(value.toWellFormed())
  if (whole.length <= bytes) return whole.toString()
  let end = bytes - Buffer.byteLength('…')
  // 10xxxxxx continues a character.
  while (end > 0 && ((whole[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return `${whole.toString('utf8', 0, end)}…`
}

/** RFC 3339 with exactly six digits, which is all that MicroTime reads. */
function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z')
}
