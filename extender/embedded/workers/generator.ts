import type { WorkerArguments } from '../kubelet/worker-api.ts'

type Params = {
  /** The Service that gets the messages. */
  readonly target: string
  readonly intervalMs?: number
  /** How many messages; default: until it is stopped. */
  readonly count?: number
  /** What is sent, with `{n}` for the number of the message. Default: the number itself. */
  readonly template?: string
}

/** Sends a message to a Service every so often, until it has sent `count` or is stopped. */
export async function worker({ queue, api, params }: WorkerArguments<Params>): Promise<void> {
  const { target, intervalMs = 1000, count = Infinity, template } = params
  for (let number = 1; number <= count; number++) {
    if (number > 1 && (await queue.get({ timeoutMs: intervalMs })) === null) return
    api.sendToService(target, template === undefined ? number : template.replaceAll('{n}', String(number)))
  }
  console.log(`sent ${count} messages to ${target}`)
  while ((await queue.get()) !== null);
}
