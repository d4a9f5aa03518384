import type { WorkerArguments } from '../kubelet/worker-api.ts'

type Params = {
  /** A batch is full with so many values. Default 5. */
  readonly batchSize?: number
  /** A batch is closed after this time, full or not. Default: only when it is full. */
  readonly windowMs?: number
  /** The Service that gets the batches. */
  readonly forwardTo?: string
}

/** As many batches are kept for whoever asks. */
const mostBatches = 1000

/** What is told of a batch. */
export type Batch = { readonly count: number; readonly sum: number; readonly values: readonly unknown[] }

/** Collects values into batches by number and by time. A request is answered with the latest batches. */
export async function worker({ queue, api, params }: WorkerArguments<Params>): Promise<void> {
  const batches = new Batches(params, batch => {
    console.log(`batch of ${batch.count}, sum ${batch.sum}`)
    if (params.forwardTo !== undefined) api.sendToService(params.forwardTo, batch)
  })
  for (;;) {
    const { timeLeft } = batches
    const message = await (timeLeft === undefined ? queue.get() : queue.get({ timeoutMs: timeLeft }))
    if (message === null) return batches.close()
    if (message === undefined) batches.close()
    else if (message.reply !== undefined) message.reply(batches.closed)
    else batches.add(message.value)
  }
}

class Batches {
  readonly closed: Batch[] = []
  readonly #params: Params
  readonly #told: (batch: Batch) => void
  #values: unknown[] = []
  #closesAt = 0

  constructor(params: Params, told: (batch: Batch) => void) {
    this.#params = params
    this.#told = told
  }

  /** Milliseconds until the open batch is closed; undefined where no time closes it. */
  get timeLeft(): number | undefined {
    if (this.#values.length === 0 || this.#params.windowMs === undefined) return undefined
    return Math.max(0, this.#closesAt - Date.now())
  }

  add(value: unknown): void {
    const { batchSize = 5, windowMs = 0 } = this.#params
    if (this.#values.length === 0) this.#closesAt = Date.now() + windowMs
    this.#values.push(value)
    if (this.#values.length >= batchSize || this.timeLeft === 0) this.close()
  }

  close(): void {
    const values = this.#values
    if (values.length === 0) return
    this.#values = []
    const sum = values.reduce<number>((total, value) => total + (typeof value === 'number' ? value : 0), 0)
    const batch = { count: values.length, sum, values }
    this.closed.push(batch)
    if (this.closed.length > mostBatches) this.closed.shift()
    this.#told(batch)
  }
}
