import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Test } from 'tap'

/** Why no Redis can be started here; undefined where one can. */
export const noRedis: string | undefined =
  spawnSync('redis-server', ['--version']).status === 0 ? undefined : 'no redis-server on the PATH'

export type RedisServer = {
  readonly url: string
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
}

/** A Redis on a free port, with nothing in it; it ends with the test. */
export async function redisServer(t: Test): Promise<RedisServer> {
  const port = await freePort()
  const dir = t.testdir({})
  let child: ChildProcess | undefined
  const start = async () => {
    const quiet = ['--save', '', '--appendonly', 'no', '--dir', dir]
    const started = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', ...quiet])
    child = started
    await new Promise<void>((resolve, reject) => {
      started.once('exit', code => reject(new Error(`redis-server ended with ${code}`)))
      started.stdout.on('data', (text: Buffer) => text.includes('Ready to accept connections') && resolve())
    })
  }
  const stop = async () => {
    const ending = child
    child = undefined
    if (!ending) return
    const ended = once(ending, 'exit')
    ending.kill('SIGKILL')
    await ended
  }
  t.teardown(stop)
  await start()
  return { url: `redis://127.0.0.1:${port}`, start, stop }
}

/** Free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  await new Promise(closed => server.close(closed))
  return typeof address === 'object' && address !== null ? address.port : 0
}
