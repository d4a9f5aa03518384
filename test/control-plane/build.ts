/**
 * The control plane's programs, built from go.mod into the user's cache folder.
 *
 * Nothing is downloaded but Go modules, and nothing is built twice: the folder's name is a hash of all that decides
 * what the programs are.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const moduleDir = import.meta.dirname
const buildFlags = ['-trimpath', '-ldflags', '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3']
const stageFolders = ['node/fast', 'node/heartbeat-with-lease', 'pod/fast']
/** Changes when the layout of the cache folder changes. */
const layout = '1'
const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muster', 'control-plane')
const noopSource = join('noop-extender', 'main.go')

/** The programs, ready to run. */
export interface Tools {
  readonly kind: 'ready'
  /** Path of a program. */
  path(program: Program): string
  /** The stage files of kwok's own module that make fake nodes and pods live. */
  readonly stages: readonly string[]
}

/** This machine cannot have them; the reason is one line, for the test that skips. */
export interface NoTools {
  readonly kind: 'absent'
  readonly reason: string
}

export type Program = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubectl' | 'kwok'

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Builds the control plane if this machine has not built this version before. Throws only when the build itself fails. */
export async function buildTools(say: (line: string) => void = line => console.error(line)): Promise<Tools | NoTools> {
  const version = await go(['env', 'GOVERSION'])
  if (version === undefined) return { kind: 'absent', reason: 'Go is not on the PATH' }
  if (version.code !== 0) return { kind: 'absent', reason: `Go does not run: ${firstLine(version.stderr)}` }
  const target = join(cache, await hash(version.stdout.trim(), ['go.mod', 'go.sum']))
  if (await exists(target)) return toolsIn(target)
  await mkdir(cache, { recursive: true })
  return await locked(`${target}.lock`, say, () => build(target, say))
}

/** The extender that takes every node: built apart, in seconds, so that a change of it builds nothing else anew. */
export async function buildNoopExtender(): Promise<string> {
  const { stdout } = await mustGo(['env', 'GOVERSION'])
  const target = join(cache, `noop-extender-${await hash(stdout.trim(), [noopSource])}`)
  if (await exists(target)) return target
  await mkdir(cache, { recursive: true })
  const unfinished = `${target}.${process.pid}`
  const built = await mustGo(['build', '-trimpath', '-o', unfinished, `./${dirname(noopSource)}`])
  if (built.code !== 0) throw new Error(`go build of the no-op extender failed:\n${built.stderr}`)
  await rename(unfinished, target)
  return target
}

async function build(target: string, say: (line: string) => void): Promise<Tools | NoTools> {
  if (await exists(target)) return toolsIn(target)
  say(`building the control plane (etcd, Kubernetes 1.36.3, kwok) into ${target}: some 10 minutes the first time`)
  const listed = await mustGo(['list', '-deps', '-f', '', 'tool'])
  if (listed.code !== 0) return { kind: 'absent', reason: `the Go modules cannot be had: ${firstLine(listed.stderr)}` }
  const unfinished = `${target}.${process.pid}`
  try {
    await mkdir(unfinished, { recursive: true })
    const built = await mustGo(['build', '-p', '2', ...buildFlags, '-o', unfinished, 'tool'])
    if (built.code !== 0) throw new Error(`go build failed:\n${built.stderr}`)
    await copyStages(unfinished)
    await rename(unfinished, target)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return toolsIn(target)
}

async function copyStages(target: string): Promise<void> {
  const kwok = await mustGo(['list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok'])
  if (kwok.code !== 0) throw new Error(`kwok's module is not there: ${firstLine(kwok.stderr)}`)
  for (const folder of stageFolders) {
    const from = join(kwok.stdout.trim(), 'kustomize', 'stage', folder)
    for (const file of stageFiles(folder)) {
      await mkdir(join(target, 'stages'), { recursive: true })
      await cp(join(from, file), join(target, 'stages', file))
    }
  }
}

function stageFiles(folder: string): readonly string[] {
  if (folder === 'node/fast') return ['node-initialize.yaml']
  if (folder === 'pod/fast') return ['pod-ready.yaml', 'pod-complete.yaml', 'pod-delete.yaml']
  return ['node-heartbeat-with-lease.yaml']
}

function toolsIn(dir: string): Tools {
  return {
    kind: 'ready',
    // The module of etcd's server ends in /server/v3, which is the name that `go build` gives it.
    path: program => join(dir, program === 'etcd' ? 'server' : program),
    stages: stageFolders.flatMap(folder => stageFiles(folder).map(file => join(dir, 'stages', file)))
  }
}

async function hash(goVersion: string, files: readonly string[]): Promise<string> {
  const sum = createHash('sha256')
  for (const file of files) sum.update(await readFile(join(moduleDir, file)))
  return sum
    .update(JSON.stringify([layout, buildFlags, goVersion]))
    .digest('hex')
    .slice(0, 16)
}

/** One builder at a time on this machine; the others wait for what it makes. */
async function locked<T>(lock: string, say: (line: string) => void, work: () => Promise<T>): Promise<T> {
  let told = false
  while (!(await take(lock))) {
    if (!told) say('another process is building the control plane; waiting for it')
    told = true
    await sleep(500)
  }
  try {
    return await work()
  } finally {
    await rm(lock, { force: true })
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    const holder = Number(await readFile(lock, 'utf8').catch(() => ''))
    // An empty file is a holder between creating and writing it; only a dead holder's lock is removed.
    if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true })
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function mustGo(args: readonly string[]): Promise<Run> {
  const run = await go(args)
  if (run === undefined) throw new Error('Go has gone from the PATH')
  return run
}

/** Undefined when there is no `go`. */
function go(args: readonly string[]): Promise<Run | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd: moduleDir, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(undefined) : reject(error)))
    child.on('close', code => resolve({ code: code ?? 1, stdout, stderr }))
  })
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false
  )
}

function firstLine(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('go: downloading'))
  return lines[0]?.trim() ?? 'no message'
}

if (import.meta.main) {
  const tools = await buildTools()
  console.log(tools.kind === 'ready' ? `the control plane is built: ${tools.path('kube-apiserver')}` : tools.reason)
}
