import { X509Certificate } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { basename, join } from 'node:path'
import { reasonOf, UsageError } from '../../errors.ts'

/** The files of a folder, by name. `ca.crt` may hold several certificates, that of `ca.key` first. */
export const fileNames = ['ca.crt', 'ca.key', 'server.crt', 'server.key', 'client.crt', 'client.key'] as const
export type FileName = (typeof fileNames)[number]
export type Files = Readonly<Record<FileName, string>>

/** The current set; the names in the folder lead through it, as in the volumes that a kubelet mounts. */
const current = '..data'

/** Whether that folder has certificates. */
export function isThere(folder: string): boolean {
  return existsSync(join(folder, current))
}

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/** All files; throws UsageError where one of them is missing or cannot be read. */
export function load(folder: string): Files {
  try {
    const texts = fileNames.map(name => [name, readFileSync(join(folder, name), 'utf8')] as const)
    return Object.fromEntries(texts) as Files
  } catch (error) {
    throw new UsageError(`${folder} holds no certificates of muster certs create: ${reasonOf(error)}`)
  }
}

/**
 * Puts a whole set in the place of the last one by one rename, so that whoever reads finds the one or the other and no
 * half pair. The last set stays until the next one comes: who reads at this moment finds it.
 */
export function replace(folder: string, files: Files, now: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const old = sets(folder)
  const set = basename(mkdtempSync(join(folder, `..${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}-`)))
  for (const name of fileNames)
    writeFileSync(join(folder, set, name), files[name], { mode: name.endsWith('.key') ? 0o600 : 0o644, flag: 'wx' })
  swap(folder, current, set)
  for (const name of fileNames) if (!exists(join(folder, name))) symlinkSync(join(current, name), join(folder, name))
  for (const each of old.slice(0, -1)) rmSync(join(folder, each), { recursive: true, force: true })
}

function swap(folder: string, link: string, target: string): void {
  const next = join(folder, `${link}-next`)
  rmSync(next, { force: true })
  symlinkSync(target, next)
  renameSync(next, join(folder, link))
}

/** Former sets, the oldest first. */
function sets(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter(name => /^\.\.\d{4}-/.test(name))
    .toSorted()
}

/** The certificates of a PEM text; throws UsageError where it holds none. */
export function certificatesIn(pem: string, file: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    const [first, ...more] = blocks.slice(0, 100).map(block => new X509Certificate(block))
    if (!first) throw new UsageError('it holds no PEM certificate')
    return [first, ...more]
  } catch (error) {
    throw new UsageError(`${file}: ${reasonOf(error)}`)
  }
}
