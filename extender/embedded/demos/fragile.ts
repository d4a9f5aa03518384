import type { WorkerArguments } from '../kubelet/worker-api.ts'

/** Throws when it is told to; answers everything else. */
export async function worker({ queue }: WorkerArguments): Promise<void> {
  for await (const { value, reply } of queue) {
    if (value === 'crash') throw new Error('as you wish')
    reply?.(value)
  }
}
