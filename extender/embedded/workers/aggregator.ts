import type { WorkerArguments } from '../kubelet/worker-api.ts'

type Params = {
  /** A batch is full with so many values. Default 5. */
  readonly batchSize?: number
  /** A batch is closed after this time, full or not. Default: only when it is full. */
  readonly windowMs?: number
  /** The Service that gets the batches. */
  readonly forwardTo?: string
}

/** What is told of a batch. */
export type Batch = { readonly count: number; readonly sum: number; readonly values: readonly unknown[] }

const summary = (values: readonly unknown[]): Batch => ({
  count: values.length,
  sum: values.reduce<number>((sum, value) => sum + (typeof value === 'number' ? value : 0), 0),
  values
})

/** Collects values into batches by number and by time. A request is answered with the batches so far. */
export async function worker({ queue, api, params }: WorkerArguments<Params>): Promise<void> {
  const { batchSize = 5, windowMs, forwardTo } = params
  const batches: Batch[] = []
  let values: unknown[] = []
  let closesAt = Infinity
  const close = (): void => {
    if (values.length === 0) return
    const batch = summary(values)
    values = []
    closesAt = Infinity
    batches.push(batch)
    console.log(`batch of ${batch.count}, sum ${batch.sum}`)
    if (forwardTo !== undefined) api.sendToService(forwardTo, batch)
  }
  for (;;) {
    const message =
      closesAt === Infinity ? await queue.get() : await queue.get({ timeoutMs: Math.max(0, closesAt - Date.now()) })
    if (message === null) return close()
    if (message?.reply !== undefined) message.reply(batches)
    else if (message !== undefined) values.push(message.value)
    if (values.length === 1 && closesAt === Infinity && windowMs !== undefined) closesAt = Date.now() + windowMs
    if (values.length >= batchSize || Date.now() >= closesAt) close()
  }
}
