import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from './worker.ts'

export type PoolOptions = {
  /** Processes at once; default one for each core. */
  readonly workers?: number
  /** More arguments for node, and more of its environment. */
  readonly execArgv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Nothing of who runs the tests; and what was compiled once is not compiled again by each process. */
const lean = { NODE_OPTIONS: '', NODE_COMPILE_CACHE: join(tmpdir(), 'muster-simulation') }

/** Simulates those seeds in processes of their own. `look` is told of each and answers false to end. */
export async function simulateAll(
  seeds: Iterator<number>,
  look: (report: Report) => boolean,
  { workers = availableParallelism(), execArgv = [], env = {} }: PoolOptions = {}
): Promise<void> {
  const children = Array.from({ length: workers }, () =>
    fork(new URL('./worker.ts', import.meta.url), {
      execArgv: [...execArgv],
      env: { ...process.env, ...lean, ...env }
    })
  )
  let goesOn = true
  const work = async (child: ChildProcess): Promise<void> => {
    for (let next = seeds.next(); goesOn && !next.done; next = seeds.next()) {
      const report = await ask(child, next.value)
      if (!goesOn) return
      goesOn = look(report)
    }
  }
  try {
    await Promise.all(children.map(work))
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}

async function ask(child: ChildProcess, seed: number): Promise<Report> {
  child.send(seed)
  const ended = new AbortController()
  const answer = once(child, 'message', { signal: ended.signal })
  const exit = once(child, 'exit', { signal: ended.signal })
  try {
    const first = await Promise.race([answer, exit.then(() => undefined)])
    if (first) return first[0] as Report
    throw new Error(`the process that simulates seed ${seed} has ended`)
  } finally {
    ended.abort()
    for (const one of [answer, exit]) one.catch(() => {})
  }
}
