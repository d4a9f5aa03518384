/**
 * `npm run sbom`: prints what the program is made of, as CycloneDX, from the lockfile alone.
 *
 * `npm sbom --omit dev` leaves out whatever a package for development needs as well, so npm is shown a manifest and a
 * lockfile in which there are none.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Entry = { readonly dev?: boolean; readonly devDependencies?: object }
type Lockfile = { readonly packages: Readonly<Record<string, Entry>> }

const root = join(import.meta.dirname, '..')
const read = (name: string): unknown => JSON.parse(readFileSync(join(root, name), 'utf8'))
const { devDependencies: _, ...manifest } = read('package.json') as Entry
const { packages, ...lock } = read('package-lock.json') as Lockfile
const kept = Object.entries(packages)
  .filter(([, { dev }]) => dev !== true)
  .map(([path, { devDependencies: __, ...entry }]) => [path, entry] as const)

const parent = mkdtempSync(join(tmpdir(), 'muster-sbom-'))
try {
  // npm calls the whole by its folder's name.
  const folder = join(parent, 'muster')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages: Object.fromEntries(kept) }))
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']
  process.stdout.write(execFileSync('npm', args, { cwd: folder, maxBuffer: 64 * 1024 ** 2 }))
} finally {
  rmSync(parent, { recursive: true, force: true })
}
