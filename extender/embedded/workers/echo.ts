import type { WorkerArguments } from '../kubelet/worker-api.ts'

type Params = { readonly prefix?: string }

/** Answers each request with what it was sent; `prefix` is put before text. */
export async function worker({ queue, params }: WorkerArguments<Params>): Promise<void> {
  for await (const { value, reply } of queue) {
    console.log('echo', value)
    reply?.(typeof value === 'string' ? `${params.prefix ?? ''}${value}` : value)
  }
}
