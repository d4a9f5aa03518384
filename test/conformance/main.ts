/** `npm run conformance`: which scenarios are run where; see `usage`. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CommandLine } from '../command-line.ts'
import { newestOf } from '../control-plane/kubernetes-module.ts'
import { onKind } from './kind.ts'
import { leftOut } from './left-out.ts'

const usage = `usage: npm run conformance [-- FILE...]            muster's own scenarios, on a local control plane
       npm run conformance -- --kubeconfig FILE    those that need only an API server, where muster is installed
       npm run conformance -- --kind               the same in a kind cluster of their own: made, installed, deleted
       npm run conformance -- --upstream           the [sig-scheduling] ... [Conformance] specs of Kubernetes, on a
                                                   local control plane whose default scheduler asks muster

  --minor 1.37          the newest release of another minor version instead of the pinned one, and
  --kubernetes 1.37.2   one release; local control planes are built from Go modules, once

TEST_CASE='part of a name' selects scenarios.
`
const folder = import.meta.dirname
const run = join(folder, '..', 'run.ts')

const options = {
  kubeconfig: { type: 'string' },
  kind: { type: 'boolean' },
  upstream: { type: 'boolean' },
  minor: { type: 'string' },
  kubernetes: { type: 'string' }
} as const

const { values, positionals } = new CommandLine('conformance', usage).read(options)

type Values = typeof values

try {
  process.exitCode = await conform(values, positionals)
} catch (error) {
  process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

async function conform(values: Values, files: readonly string[]): Promise<number> {
  check(values, files)
  if (values.kubeconfig !== undefined) return await onCluster(values.kubeconfig)
  const chosen = await chosenRelease(values)
  if (values.kind) return await onKind(onCluster, { release: chosen })
  // Read when the files that build and run a control plane are loaded, here and in the processes of tests.
  if (chosen !== undefined) process.env['TEST_KUBERNETES'] = chosen
  return values.upstream ? await upstream() : await tests(files.length > 0 ? files : all())
}

function check({ kubeconfig, kind, upstream, minor, kubernetes }: Values, files: readonly string[]): void {
  const places = [kubeconfig !== undefined && '--kubeconfig', kind && '--kind', upstream && '--upstream'].filter(
    Boolean
  )
  if (places.length > 1) throw new Error(`${places.join(' and ')} do not go together; give one of them`)
  if (places.length > 0 && files.length > 0) throw new Error(`${places[0]} chooses what is run; leave out ${files[0]}`)
  const version = minor ?? kubernetes
  if (version !== undefined && kubeconfig !== undefined)
    throw new Error(`--kubeconfig names a cluster that runs its own Kubernetes; leave out ${version}`)
  if (minor !== undefined && kubernetes !== undefined) throw new Error('give --minor or --kubernetes, not both')
}

async function chosenRelease({ minor, kubernetes }: Values): Promise<string | undefined> {
  if (kubernetes !== undefined) {
    const [, release] = /^v?(1\.\d+\.\d+\S*)$/.exec(kubernetes) ?? []
    if (release === undefined) throw new Error(`--kubernetes ${kubernetes} is no release; it is written as 1.37.2`)
    return release
  }
  if (minor === undefined) return undefined
  if (!/^1\.\d+$/.test(minor)) throw new Error(`--minor ${minor} is no minor version; it is written as 1.37`)
  const newest = await newestOf(minor)
  if (newest === undefined) throw new Error(`the module proxy has no release of Kubernetes ${minor}`)
  return newest
}

async function upstream(): Promise<number> {
  const { runUpstream } = await import('./upstream.ts')
  const came = await runUpstream(line => process.stdout.write(`${line}\n`))
  if (typeof came === 'string') throw new Error(came)
  return came === 0 ? 0 : 1
}

async function onCluster(file: string): Promise<number> {
  // npm runs this in the root of the tree, wherever it was called.
  const kubeconfig = resolve(process.env['INIT_CWD'] ?? '', file)
  if (!existsSync(kubeconfig)) throw new Error(`there is no kubeconfig ${kubeconfig}`)
  const code = await tests([join(folder, 'any-cluster.test.ts')], { TEST_KUBECONFIG: kubeconfig })
  process.stdout.write('\nLeft out, since they need more than an API server:\n')
  for (const [file, why] of Object.entries(leftOut)) process.stdout.write(`  ${file.padEnd(20)} ${why}\n`)
  return code
}

function all(): readonly string[] {
  const files = readdirSync(folder).filter(name => name.endsWith('.test.ts'))
  return files.map(name => join(folder, name))
}

async function tests(files: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(process.execPath, [run, ...files], { stdio: 'inherit', env: { ...process.env, ...env } })
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve(code ?? 1))
  })
}
