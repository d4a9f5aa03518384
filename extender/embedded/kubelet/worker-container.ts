import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../clock.ts'
import type { Letter, Mailbox } from './mailbox.ts'
import type { FromWorker, ToWorker, WorkerStart } from './worker-protocol.ts'

/** How a container ended. */
export type Exit = { readonly code: number; readonly reason?: string; readonly message?: string }

export type Call = FromWorker & { readonly type: 'call' }

export type WorkerContainerOptions = {
  readonly start: WorkerStart
  readonly env: Readonly<Record<string, string>>
  readonly memoryMb: number
  readonly mailbox: Mailbox
  readonly clock: Clock
  readonly events: {
    /** The module is loaded and its function runs. */
    started(): void
    exited(exit: Exit): void
    log(text: string): void
    ready(ready: boolean): void
    /** The container asks something of another. */
    call(call: Call): Promise<unknown>
  }
}

/** One container: a thread that runs one function. */
export class WorkerContainer {
  readonly #options: WorkerContainerOptions
  readonly #worker: Worker
  readonly #pings = new Map<number, () => void>()
  #lastPing = 0
  #failure: string | undefined
  #outOfMemory = false
  #killed: string | undefined
  #endsAt = Infinity
  #cancelGrace: (() => void) | undefined

  constructor(options: WorkerContainerOptions) {
    this.#options = options
    const { start, env, memoryMb } = options
    this.#worker = new Worker(new URL('worker-thread.ts', import.meta.url), {
      name: `${start.namespace}/${start.name}/${start.container}`,
      workerData: start,
      env: { ...env },
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: {
        maxOldGenerationSizeMb: memoryMb,
        maxYoungGenerationSizeMb: Math.max(4, memoryMb / 4),
        stackSizeMb: 4
      }
    })
    // What goes past the console: tables, warnings of Node, whoever writes to a stream.
    for (const input of [this.#worker.stdout, this.#worker.stderr])
      createInterface({ input }).on('line', line => options.events.log(line))
    this.#worker.on('message', (message: FromWorker) => this.#hear(message))
    this.#worker.on('messageerror', error => this.#fail(error))
    this.#worker.on('error', (error: unknown) => this.#fail(error))
    this.#worker.on('exit', code => this.#exited(code))
  }

  /**
   * Asks the container to stop: the sentinel after what is queued; it is terminated when its time is up. Asked again,
   * it may get less time, never more.
   */
  stop(graceMs: number): void {
    const { clock, mailbox } = this.#options
    const endsAt = clock.now() + graceMs
    if (endsAt >= this.#endsAt) return
    this.#endsAt = endsAt
    this.#cancelGrace?.()
    mailbox.finish()
    this.#cancelGrace = clock.after(graceMs, () => this.kill('the grace period is over'))
  }

  /** Ends the container whatever it is doing; an endless loop is no obstacle. */
  kill(why: string): void {
    this.#killed ??= why
    void this.#worker.terminate()
  }

  /** Whether the container's event loop turns; the answer comes when it does, or never. */
  ping(): Promise<void> {
    const number = ++this.#lastPing
    const answer = new Promise<void>(resolve => this.#pings.set(number, resolve))
    this.#post({ type: 'ping', number })
    return answer
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message, [])
  }

  #receive(): void {
    this.#options.mailbox.attach({
      deliver: (sequence: number, { value, answer }: Letter) =>
        this.#post({ type: 'letter', sequence, value, wantsReply: answer !== undefined }),
      end: () => this.#post({ type: 'end' })
    })
  }

  #hear(message: FromWorker): void {
    const { events, mailbox } = this.#options
    switch (message.type) {
      case 'started':
        this.#receive()
        return events.started()
      case 'taken':
        return mailbox.taken(message.sequence)
      case 'reply':
        return mailbox.answered(message.sequence, message.ok ? message : { ok: false, error: new Error(message.error) })
      case 'pong':
        return this.#pong(message.number)
      case 'ready':
        return events.ready(message.ready)
      case 'log':
        return events.log(message.text)
      case 'failed':
        this.#failure = message.error
        return
      case 'call':
        return this.#call(message)
    }
  }

  #pong(number: number): void {
    this.#pings.get(number)?.()
    this.#pings.delete(number)
  }

  #call(call: Call): void {
    const refuse = (error: unknown): void =>
      this.#post({
        type: 'result',
        call: call.call,
        ok: false,
        error: error instanceof Error ? error.message : String(error)
      })
    this.#options.events
      .call(call)
      .then(value => this.#post({ type: 'result', call: call.call, ok: true, value }), refuse)
      .catch(refuse)
  }

  #fail(error: unknown): void {
    const { code, message } = error as { readonly code?: string; readonly message?: string }
    this.#outOfMemory ||= code === 'ERR_WORKER_OUT_OF_MEMORY'
    this.#failure ??= message ?? String(error)
    this.#options.events.log(this.#failure)
  }

  #exited(code: number): void {
    this.#cancelGrace?.()
    const exit = this.#exitOf(code)
    const { name } = this.#options.start
    this.#options.mailbox.detach(new Error(`container ${name} ended: ${exit.message ?? `exit code ${exit.code}`}`))
    this.#options.events.exited(exit)
  }

  #exitOf(code: number): Exit {
    if (this.#outOfMemory) return { code: 137, reason: 'OOMKilled', message: this.#failure ?? 'out of memory' }
    if (this.#killed !== undefined) return { code: 137, reason: 'Error', message: this.#killed }
    return { code, ...(this.#failure !== undefined && { message: this.#failure }) }
  }
}
