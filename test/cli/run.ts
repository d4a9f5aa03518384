import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

const cli = join(import.meta.dirname, '..', '..', 'extender', 'cli', 'muster.ts')

export type Env = Readonly<Record<string, string>>

/** Of this process's environment only what Node needs: no MUSTER_ variable of the host. */
function start(args: readonly string[], env: Env) {
  return spawn(process.execPath, [cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: '/dev/null', ...env }
  })
}

/** A command of `muster` to its end. */
export async function muster(args: readonly string[], env: Env = {}) {
  const child = start(args, env)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { stdout, stderr, code: code as unknown }
}

export type Line = {
  readonly msg: string
  readonly level: number
  readonly url?: string
  readonly gang?: string
  readonly pod?: string
}

/** A `muster serve` that runs until the test ends, and what it has logged. */
export function serving(t: Test, args: readonly string[], env: Env = {}) {
  const child = start(['serve', ...args], env)
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const lines: Line[] = []
  let rest = ''
  child.stdout.on('data', chunk => {
    const all = (rest + chunk).split('\n')
    rest = all.pop() ?? ''
    lines.push(...all.map(line => JSON.parse(line) as Line))
  })
  /** The first line with that message of which that is so, once it is there. */
  const line = async (message: RegExp, isIt: (line: Line) => boolean = () => true): Promise<Line> => {
    for (;;) {
      const found = lines.find(each => message.test(each.msg) && isIt(each))
      if (found) return found
      await once(child.stdout, 'data')
    }
  }
  return { child, exited, lines, line, stderr: text(child.stderr) }
}
