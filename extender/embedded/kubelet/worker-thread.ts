/** The main of every worker container's thread: loads the module, calls its function, speaks with the kubelet. */
import { format } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../clock.ts'
import type { Message, Queue, WorkerApi, WorkerArguments } from './worker-api.ts'
import type { FromWorker, Operation, ToWorker, WorkerStart } from './worker-protocol.ts'

const port = parentPort
if (port === null) throw new Error('this file is the main of a worker thread')
const start = workerData as WorkerStart
const tell = (message: FromWorker): void => port.postMessage(message)

type Sentinel = null
type Waiter = (message: Message | Sentinel | undefined) => void

class ThreadQueue implements Queue {
  readonly #letters: { readonly message: Message; readonly sequence: number }[] = []
  readonly #waiters = new Set<Waiter>()
  #ended = false

  get size(): number {
    return this.#letters.length
  }

  put(sequence: number, message: Message): void {
    this.#letters.push({ message, sequence })
    this.#serve()
  }

  end(): void {
    this.#ended = true
    this.#serve()
  }

  get(): Promise<Message | null>
  get(options: { readonly timeoutMs: number }): Promise<Message | null | undefined>
  get(options?: { readonly timeoutMs: number }): Promise<Message | null | undefined> {
    return new Promise(resolve => {
      const expire = (): unknown => this.#waiters.delete(waiter) && resolve(undefined)
      const cancel = options === undefined ? undefined : systemClock.after(options.timeoutMs, expire)
      const waiter: Waiter = message => {
        cancel?.()
        resolve(message)
      }
      this.#waiters.add(waiter)
      this.#serve()
    })
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Message> {
    for (let message = await this.get(); message !== null; message = await this.get()) yield message
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      const letter = this.#letters.shift()
      if (letter === undefined && !this.#ended) return
      this.#waiters.delete(waiter)
      if (letter !== undefined) tell({ type: 'taken', sequence: letter.sequence })
      waiter(letter?.message ?? null)
    }
  }
}

const queue = new ThreadQueue()
const stopping = new AbortController()
const calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
let lastCall = 0

function call(operation: Operation, target: string, value: unknown, timeoutMs?: number): Promise<unknown> {
  const number = ++lastCall
  tell({ type: 'call', call: number, operation, target, value, timeoutMs })
  return new Promise((resolve, reject) => calls.set(number, { resolve, reject }))
}

/** Nobody waits for what is only sent: that it could not be is told in the log. */
function sendOnly(operation: Operation, target: string, value: unknown): void {
  call(operation, target, value).catch((error: unknown) => console.error(`${operation} ${target}: ${String(error)}`))
}

const api: WorkerApi = {
  self: { name: start.name, namespace: start.namespace, podIP: start.podIP },
  send: (container, value) => sendOnly('send', container, value),
  request: (container, value, options) => call('request', container, value, options?.timeoutMs),
  sendToService: (service, value) => sendOnly('sendToService', service, value),
  requestService: (service, value, options) => call('requestService', service, value, options?.timeoutMs),
  ready: ready => tell({ type: 'ready', ready })
}

function messageOf({ sequence, value, wantsReply }: ToWorker & { readonly type: 'letter' }): Message {
  if (!wantsReply) return { value }
  return {
    value,
    reply: answer => tell({ type: 'reply', sequence, ok: true, value: answer }),
    fail: error => tell({ type: 'reply', sequence, ok: false, error: error instanceof Error ? error.message : error })
  }
}

function settle(message: ToWorker & { readonly type: 'result' }): void {
  const waiting = calls.get(message.call)
  calls.delete(message.call)
  if (message.ok) waiting?.resolve(message.value)
  else waiting?.reject(new Error(message.error))
}

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'letter':
      return queue.put(message.sequence, messageOf(message))
    case 'end':
      stopping.abort()
      return queue.end()
    case 'ping':
      return tell({ type: 'pong', number: message.number })
    case 'result':
      return settle(message)
  }
})

const write = (...values: unknown[]): void => tell({ type: 'log', text: format(...values) })
for (const name of ['log', 'info', 'debug', 'warn', 'error', 'trace'] as const) console[name] = write

type WorkerFunction = (given: WorkerArguments) => unknown

async function load(): Promise<WorkerFunction> {
  const exports = (await import(start.module)) as Readonly<Record<string, unknown>>
  const found = exports[start.function]
  if (typeof found === 'function') return found as WorkerFunction
  const functions = Object.keys(exports).filter(name => typeof exports[name] === 'function')
  throw new Error(`the module exports no function "${start.function}"; it exports: ${functions.join(', ') || 'none'}`)
}

function die(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : format(error)
  write(text)
  tell({ type: 'failed', error: error instanceof Error ? error.message : text })
  process.exit(1)
}

process.on('uncaughtException', die)
process.on('unhandledRejection', die)

try {
  const run = await load()
  tell({ type: 'started' })
  await run({ queue, api, params: start.params, signal: stopping.signal })
  process.exit(0)
} catch (error) {
  die(error)
}
