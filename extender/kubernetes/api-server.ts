import type { WireStream } from './transport.ts'

export type ApiRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path below the server's URL, each segment already escaped. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Default `application/json`; patches name theirs. */
  readonly contentType?: string
  /** Milliseconds until the answer is complete (streams: until it begins); default 30 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export type ApiResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Parsed JSON, at each reading; undefined where the body is empty or none. */
  readonly body: unknown
}

/** The API server, with authentication done. Every HTTP status is an answer; only a missing answer throws (ConnectionError). */
export interface ApiServer {
  /** For messages. */
  readonly url: string
  request(options: ApiRequest): Promise<ApiResponse>
  /** A response whose body is read as it comes; ends when `signal` is aborted. */
  stream(options: ApiRequest): Promise<WireStream>
  /** Cuts all connections. */
  close(): Promise<void>
}
