import type { WatchEvent } from '../store/client.ts'
import type { KubeObject } from '../store/objects.ts'

/** So many of the latest events are kept in their written form. */
const kept = 512

type Line = { readonly type: string; readonly bytes: Buffer }

/** Writes each event once, however many watchers are told of it. */
export class Lines {
  readonly #latest = new Map<KubeObject, Line>()

  of({ type, object }: WatchEvent): Buffer {
    const found = this.#latest.get(object)
    if (found?.type === type) return found.bytes
    const bytes = lineOf(type, object)
    this.#latest.set(object, { type, bytes })
    if (this.#latest.size > kept) {
      const [oldest] = this.#latest.keys()
      if (oldest !== undefined) this.#latest.delete(oldest)
    }
    return bytes
  }
}

/** One line of a watch's answer. */
export function lineOf(type: string, object: object): Buffer {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`)
}
