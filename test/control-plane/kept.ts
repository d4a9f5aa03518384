/**
 * What is built from Go modules stays in the user's cache folder and is not built twice: the folder's name is a hash of
 * all that decides what is in it.
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstLine, go } from './go.ts'

/** This machine cannot have it; the reason is one line, for the test that skips. */
export interface NoTools {
  readonly kind: 'absent'
  readonly reason: string
}

/** A folder with all that was built. */
export interface Kept {
  readonly kind: 'kept'
  readonly dir: string
}

/** Something to be built and kept. */
export interface Build {
  /** In words, for those who wait. */
  readonly name: string
  /** All that decides what comes out, besides the version of Go. */
  readonly from: readonly (string | Buffer)[]
  /** Flags of `go build`, which decide too. */
  readonly flags: readonly string[]
  readonly say: (line: string) => void
  /** Fills an empty folder, or says why this machine cannot. Throws only when the build itself fails. */
  make(folder: string): Promise<NoTools | undefined>
}

/** Changes when the layout of the cache folder changes. */
const layout = '1'

/** Answers what was built before, or builds it. */
export async function kept(build: Build): Promise<Kept | NoTools> {
  const version = await go(['env', 'GOVERSION'], import.meta.dirname)
  if (version === undefined) return { kind: 'absent', reason: 'Go is not on the PATH' }
  if (version.code !== 0) return { kind: 'absent', reason: `Go does not run: ${firstLine(version.stderr)}` }
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muster', 'control-plane')
  const target = join(cache, hash(build, version.stdout.trim()))
  if (await exists(target)) return { kind: 'kept', dir: target }
  await mkdir(cache, { recursive: true })
  return await locked(`${target}.lock`, build, () => fill(target, build))
}

async function fill(target: string, build: Build): Promise<Kept | NoTools> {
  if (await exists(target)) return { kind: 'kept', dir: target }
  build.say(`building ${build.name} into ${target}: some minutes, once`)
  const unfinished = `${target}.${process.pid}`
  try {
    await mkdir(unfinished, { recursive: true })
    const absent = await build.make(unfinished)
    if (absent) return absent
    await rename(unfinished, target)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return { kind: 'kept', dir: target }
}

function hash({ from, flags }: Build, goVersion: string): string {
  const sum = createHash('sha256')
  for (const part of from) sum.update(part)
  return sum
    .update(JSON.stringify([layout, flags, goVersion]))
    .digest('hex')
    .slice(0, 16)
}

/** One builder at a time on this machine; the others wait for what it makes. */
async function locked<T>(lock: string, { name, say }: Build, work: () => Promise<T>): Promise<T> {
  let told = false
  while (!(await take(lock))) {
    if (!told) say(`another process is building ${name}; waiting for it`)
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

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false
  )
}
