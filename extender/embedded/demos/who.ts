import type { WorkerArguments } from '../kubelet/worker-api.ts'

/** Answers every request with the name of its container: shows who was chosen. */
export async function worker({ queue, api }: WorkerArguments): Promise<void> {
  for await (const { reply } of queue) reply?.(api.self.name)
}
