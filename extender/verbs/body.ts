import type { Readable } from 'node:stream'
import type { Clock } from '../clock.ts'

export type BodyBounds = {
  /** Bytes. */
  readonly limit: number
  /** As the request's Content-Length says; undefined where it says nothing. */
  readonly declared: number | undefined
  /** The whole body must be here after so long. */
  readonly patienceMs: number
}

/** A body that is not waited for; answered with this status. */
class BodyRefused extends Error {
  override readonly name = 'BodyRefused'
  readonly statusCode: number

  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** The whole body of a request: no more than so much is kept, and nobody is waited for longer than so long. */
export function readBody(stream: Readable, { limit, declared, patienceMs }: BodyBounds, clock: Clock): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  // Made when it is needed: an error's stack costs more than all the rest of a call's body.
  const tooLarge = (): BodyRefused => new BodyRefused(413, `the body is larger than ${limit} bytes`)
  if (declared !== undefined && declared > limit) return Promise.reject(tooLarge())
  const chunks: Buffer[] = []
  let length = 0
  const onData = (chunk: Buffer): void => {
    length += chunk.length
    if (length > limit) refuse(tooLarge())
    else chunks.push(chunk)
  }
  const onEnd = (): void => {
    release()
    resolve(Buffer.concat(chunks, length))
  }
  const onGone = (): void => refuse(new BodyRefused(400, 'the body is cut short'))
  const refuse = (error: BodyRefused): void => {
    release()
    reject(error)
  }
  const release = (): void => {
    stopTimer()
    stream.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
    // Nobody listens any more, and a broken connection must not end the process.
    stream.on('error', () => {})
  }
  const stopTimer = clock.after(patienceMs, () => {
    refuse(new BodyRefused(408, `the body did not arrive within ${patienceMs / 1000}s`))
  })
  stream.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
  return promise
}
