import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const root = join(import.meta.dirname, '..', '..')
const name = 'muster-conformance'
const image = 'muster:dev'
/** What is asked of each program to see that it is there and does its work. */
const needed: Readonly<Record<string, readonly string[]>> = {
  docker: ['info'],
  kind: ['version'],
  kubectl: ['version', '--client']
}

/** How a run on kind differs. */
export interface KindOptions {
  /** Release of the node image; default: kind's own. */
  readonly release?: string | undefined
  readonly env?: NodeJS.ProcessEnv
}

/** Makes a kind cluster, builds and installs muster, has `play` play on it, and deletes it whatever happens. */
export async function onKind(
  play: (kubeconfig: string) => Promise<number>,
  { release, env = process.env }: KindOptions = {}
): Promise<number> {
  for (const [program, args] of Object.entries(needed)) await check(program, args, env)
  const dir = await mkdtemp(join(tmpdir(), 'muster-kind-'))
  const kubeconfig = join(dir, 'kubeconfig')
  const of = ['--name', name, '--kubeconfig', kubeconfig]
  const node = release === undefined ? [] : ['--image', `kindest/node:v${release}`]
  const kubectl = ['--kubeconfig', kubeconfig]
  try {
    await step('kind', ['create', 'cluster', ...of, '--config', 'manifests/kind/cluster.yaml', ...node], env)
    await step('docker', ['build', '-t', image, '.'], env)
    await step('kind', ['load', 'docker-image', image, '--name', name], env)
    await step('kubectl', [...kubectl, 'apply', '-k', 'manifests/kind'], env)
    const rollout = ['rollout', 'status', 'deployment/muster', '--timeout=300s']
    await step('kubectl', [...kubectl, '-n', 'muster-system', ...rollout], env)
    return await play(kubeconfig)
  } finally {
    await step('kind', ['delete', 'cluster', ...of], env)
    await rm(dir, { recursive: true, force: true })
  }
}

/** Throws one sentence where a program is missing or does not work. */
async function check(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = end(child)
  const [code, complaint] = await Promise.all([ended, text(child.stderr)])
  if (code === 'missing')
    throw new Error(`--kind needs ${Object.keys(needed).join(', ')} on the PATH, and there is no ${program}`)
  if (code !== 0) {
    const said = complaint.trim().split('\n').at(-1) || `it ended with ${code}`
    throw new Error(`--kind needs a ${program} that works, and ${program} ${args.join(' ')} says: ${said}`)
  }
}

async function step(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  process.stdout.write(`+ ${[program, ...args].join(' ')}\n`)
  const code = await end(spawn(program, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }))
  if (code !== 0) throw new Error(`${program} ${args.slice(0, 2).join(' ')} ended with ${code}`)
}

function end(child: ReturnType<typeof spawn>): Promise<number | 'missing'> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? resolve('missing') : reject(error)
    )
    child.once('close', code => resolve(code ?? 1))
  })
}
