import { unknownOutcome } from '../../extender/kubernetes/errors.ts'

/** The body of a watch: what is pushed comes out in that order, until somebody ends or breaks it. */
export class WatchStream implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = []
  #wake: () => void = () => {}
  #end: { readonly error: Error | undefined } | undefined

  push(line: Uint8Array): void {
    if (this.#end) return
    this.#chunks.push(line)
    this.#wake()
  }

  close(): void {
    this.#end ??= { error: undefined }
    this.#wake()
  }

  breakOff(why: string): void {
    this.#end ??= { error: unknownOutcome(why) }
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const next = this.#chunks.shift()
      if (next) yield next
      else if (this.#end?.error) throw this.#end.error
      else if (this.#end) return
      else await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}
