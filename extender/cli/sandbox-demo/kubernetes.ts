import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Wish } from './wish.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Runs a command in the project's folder and shows what it says; throws where it fails. */
export async function run(command: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const code = await new Promise((resolve, reject) => {
    child.once('error', error => reject(new Error(`cannot run ${command}: ${error.message}`)))
    child.once('exit', (status, signal) => resolve(status ?? signal))
  })
  if (code !== 0) throw new Error(`${[command, ...args].slice(0, 3).join(' ')} ended with ${String(code)}`)
}

/** Brings the services into the current cluster. */
export async function deploy({ build, verbose }: Wish): Promise<void> {
  const quiet = verbose ? [] : ['--silent']
  if (build) await run('make', ...quiet, 'docker-build')
  await run('make', ...quiet, 'k8s-deploy')
}

/** The client as a pod, where the names of Services are known. */
export async function playInCluster(wish: Wish): Promise<void> {
  const { retain, release, verbose, sandboxTtlMs } = wish
  const wanted = Object.entries({ retain, release, verbose }).filter(([, is]) => is)
  const flags = [`--sandbox-ttl=${sandboxTtlMs}ms`, ...wanted.map(([name]) => `--${name}`)]
  await run('make', '--silent', 'k8s-demo', `FLAGS=${flags.join(' ')}`)
}
