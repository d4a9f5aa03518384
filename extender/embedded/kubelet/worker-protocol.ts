/** What a worker thread is started with. */
export type WorkerStart = {
  readonly module: string
  readonly function: string
  readonly params: Readonly<Record<string, unknown>>
  readonly name: string
  readonly namespace: string
  readonly container: string
  readonly podIP: string
}

/** What the kubelet tells a worker thread. */
export type ToWorker =
  | { readonly type: 'letter'; readonly sequence: number; readonly value: unknown; readonly wantsReply: boolean }
  | { readonly type: 'end' }
  | { readonly type: 'ping'; readonly number: number }
  | { readonly type: 'result'; readonly call: number; readonly ok: true; readonly value: unknown }
  | { readonly type: 'result'; readonly call: number; readonly ok: false; readonly error: string }

/** What containers may ask of others: by name of a container or of a service, with or without an answer. */
export type Operation = 'send' | 'request' | 'sendToService' | 'requestService'

/** What a worker thread tells the kubelet. */
export type FromWorker =
  | { readonly type: 'started' }
  | { readonly type: 'taken'; readonly sequence: number }
  | { readonly type: 'reply'; readonly sequence: number; readonly ok: true; readonly value: unknown }
  | { readonly type: 'reply'; readonly sequence: number; readonly ok: false; readonly error: string }
  | { readonly type: 'pong'; readonly number: number }
  | { readonly type: 'ready'; readonly ready: boolean }
  | { readonly type: 'log'; readonly text: string }
  | { readonly type: 'failed'; readonly error: string }
  | {
      readonly type: 'call'
      readonly call: number
      readonly operation: Operation
      readonly target: string
      readonly value: unknown
      readonly timeoutMs: number | undefined
    }
