import type { Queue, WorkerArguments } from '../kubelet/worker-api.ts'

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
    if (number > 1 && !(await pause(queue, intervalMs))) return
    api.sendToService(target, template === undefined ? number : template.replaceAll('{n}', String(number)))
  }
  console.log(`sent ${count} messages to ${target}`)
  await pause(queue, Infinity)
}

/** False when the container is to stop before the time is over. What it is sent meanwhile is not for a generator. */
async function pause(queue: Queue, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; ; ) {
    const message = await queue.get({ timeoutMs: Math.max(0, end - Date.now()) })
    if (message === undefined) return true
    if (message === null) return false
    message.fail?.('a generator answers nothing')
  }
}
