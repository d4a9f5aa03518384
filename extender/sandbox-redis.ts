import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type LocalRedis = { readonly url: string; stop(): Promise<void> }

/** Whether a Redis can be started here. */
export const canStartRedis = (): boolean => spawnSync('redis-server', ['--version']).status === 0

/** A Redis of our own, on a socket that only we may open; it ends with us, and what it knew is gone then. */
export async function startRedis(): Promise<LocalRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-redis-'))
  const url = join(dir, 'redis.sock')
  const settings = ['--port', '0', '--unixsocket', url, '--save', '', '--appendonly', 'no', '--dir', dir]
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'ignore'] })
  const exit = once(child, 'exit')
  const kill = (): boolean => child.kill('SIGKILL')
  process.once('exit', kill)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`redis-server ended with ${code}`)))
    // Redis 7.0 says it in other words on a socket than on a port.
    child.stdout.on('data', (text: Buffer) => /ready to accept connections/i.test(text.toString()) && resolve())
  })
  return {
    url,
    async stop() {
      process.off('exit', kill)
      child.kill()
      await exit
      rmSync(dir, { recursive: true, force: true })
    }
  }
}
