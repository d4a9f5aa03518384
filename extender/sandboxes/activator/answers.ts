import type { ServerResponse } from 'node:http'

/** Why a request did not get to its sandbox, as HTTP tells it. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  /** When it may be worth another try. */
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, message: string, retryAfterSeconds?: number) {
    super(message)
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }

  /** Everything of the answer but its status line. */
  get parts(): { readonly headers: Readonly<Record<string, string | number>>; readonly body: string } {
    const body = `${JSON.stringify({ error: this.message })}\n`
    const retry = this.retryAfterSeconds === undefined ? {} : { 'retry-after': this.retryAfterSeconds }
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...retry }
    return { headers, body }
  }
}

/** Answers with a refusal; the connection ends, since the request's body has not been read to its end. */
export function refuse(response: ServerResponse, refused: Refused): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { headers, body } = refused.parts
  response.req.resume()
  response.writeHead(refused.status, { ...headers, connection: 'close' })
  response.end(body)
}
