/** What the containers of tests run: a container names one of these functions. */
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { threadId } from 'node:worker_threads'
import type { WorkerArguments } from '../../extender/embedded/kubelet/worker-api.ts'

/** Answers with who it is, what it was given and what it was sent. */
export async function tell({ queue, api, params }: WorkerArguments): Promise<void> {
  console.log('started', params)
  for await (const { value, reply } of queue) reply?.({ ...api.self, value, params, env: process.env, threadId })
}

/** Answers with its name. */
export async function who({ queue, api }: WorkerArguments): Promise<void> {
  for await (const { reply } of queue) reply?.(api.self.name)
}

/** Goes wrong in the way that it is told to; echoes everything else. */
export async function fragile({ queue }: WorkerArguments): Promise<void> {
  console.log('started')
  for await (const { value, reply } of queue) {
    if (value === 'throw') throw new Error('as you wish')
    if (value === 'exit') process.exit(3)
    if (value === 'reject') void Promise.reject(new Error('nobody caught me'))
    else if (value === 'spin') for (;;);
    else if (value === 'leak') for (const held: string[][] = []; ; held.push('x'.repeat(100_000).split('')));
    else if (value !== 'hang') reply?.(value)
  }
}

/** Comes to its end by itself. */
export function done(): void {
  console.log('done')
}

/** Throws when it starts, always. */
export function broken(): never {
  throw new Error('it never works')
}

/** Works from the second start on; the file says whether this is one. */
export function second({ params }: WorkerArguments<{ readonly file: string }>): void {
  const isSecond = existsSync(params.file)
  writeFileSync(params.file, '')
  if (!isSecond) throw new Error('not yet')
  console.log('at last')
}

/** Hears that it is to stop, tells `to`, and goes on. */
export async function stubborn({ api, params, signal }: WorkerArguments<{ readonly to: string }>): Promise<void> {
  signal.addEventListener('abort', () => api.send(params.to, 'heard'))
  await new Promise(() => {})
}

/** Keeps what it is sent; at the sentinel tells `to` what it had, and whether the signal was given. */
export async function tidy({ queue, api, params, signal }: WorkerArguments<{ readonly to: string }>): Promise<void> {
  const kept: unknown[] = []
  for (let message = await queue.get(); message !== null; message = await queue.get()) kept.push(message.value)
  api.send(params.to, { kept, aborted: signal.aborted })
}

/** Answers how many it has taken, once it is told to go on: what comes before waits in the queue. */
export async function slow({ queue, api }: WorkerArguments): Promise<void> {
  for await (const { value, reply } of queue) {
    await new Promise(resolve => setTimeout(resolve, Number(value)))
    reply?.(api.self.name)
  }
}

type Errand = { readonly operation: 'request' | 'requestService'; readonly target: string; readonly value: unknown }

/** Asks others in the name of who asks it. */
export async function relay({ queue, api }: WorkerArguments<object, Errand>): Promise<void> {
  for await (const { value, reply, fail } of queue) {
    const { operation, target, value: what } = value
    api[operation](target, what, { timeoutMs: 5000 }).then(
      answer => reply?.(answer),
      (error: Error) => fail?.(error)
    )
  }
}

/** Sends on what it gets, without waiting, to a container and to a Service. */
export async function herald({ queue, api }: WorkerArguments): Promise<void> {
  for await (const { value } of queue) {
    api.send('sink', value)
    api.sendToService('sinks', value)
    api.send('nobody', value)
  }
}

/** Collects; a request is answered with all of it. */
export async function sink({ queue }: WorkerArguments): Promise<void> {
  const all: unknown[] = []
  for await (const { value, reply } of queue) {
    if (reply) reply(all)
    else all.push(value)
  }
}

/** Is ready when it is told to be. */
export async function willing({ queue, api }: WorkerArguments<object, boolean>): Promise<void> {
  api.ready(false)
  for await (const { value, reply } of queue) {
    api.ready(value)
    reply?.(value)
  }
}

/** Serves HTTP at its own address, on a port that all of them use. */
export async function serve({ queue, api, params }: WorkerArguments<{ readonly port: number }>): Promise<void> {
  const server = createServer((_, response) => response.end(api.self.name))
  await new Promise<void>(resolve => server.listen(params.port, api.self.podIP, resolve))
  for await (const { reply } of queue) reply?.(`http://${api.self.podIP}:${params.port}/`)
  server.close()
}

/** Writes in every way that there is. */
export async function printer({ queue }: WorkerArguments): Promise<void> {
  console.log('text', { deep: { object: 1 } })
  console.error('trouble %d', 7)
  console.table([{ a: 1 }])
  process.stdout.write('raw\n')
  process.stderr.write('raw trouble\n')
  while ((await queue.get()) !== null);
}

/** What `reply` and queue do that is seldom done. */
export async function odd({ queue }: WorkerArguments): Promise<void> {
  let size = 0
  for await (const { value, reply, fail } of queue) {
    if (value === 'twice') {
      reply?.(1)
      reply?.(2)
    } else if (value === 'error') fail?.(new RangeError('out of range'))
    else if (value === 'text') fail?.('just text')
    else if (value === 'wait') reply?.(await queue.get({ timeoutMs: 20 }))
    else if (value === 'size') reply?.(size)
    size = queue.size
  }
}

type Meeting = { readonly arrived: Int32Array; readonly size: number }

/** Blocks its thread until all have arrived who are to meet; answers how many came. */
export async function meet({ queue }: WorkerArguments<object, Meeting>): Promise<void> {
  for await (const { value, reply } of queue) {
    Atomics.add(value.arrived, 0, 1)
    Atomics.notify(value.arrived, 0)
    for (let there = 0; (there = Atomics.load(value.arrived, 0)) < value.size; )
      if (Atomics.wait(value.arrived, 0, there, 10_000) === 'timed-out') break
    reply?.(Atomics.load(value.arrived, 0))
  }
}
