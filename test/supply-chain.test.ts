import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lockfile, manifest } from './lockfile.ts'

const root = join(import.meta.dirname, '..')
const sorted = (texts: Iterable<string>): readonly string[] => [...new Set(texts)].toSorted((a, b) => (a < b ? -1 : 1))

const named = (each: { name: string; version: string }): string => `${each.name}@${each.version}`

t.test('every package is known by what it contains, and comes from the usual registry', async t => {
  const all = lockfile()
  t.ok(all.length > 100)
  t.strictSame(
    all.filter(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '')).map(({ path }) => path),
    [],
    'a hash each'
  )
  t.strictSame(
    all
      .filter(({ resolved = 'https://registry.npmjs.org/' }) => !resolved.startsWith('https://registry.npmjs.org/'))
      .map(({ path }) => path),
    [],
    'no address of another registry, of a repository or of a file'
  )
})

t.test('whatever runs at install is in the list that allows or forbids it, and nothing of the program is', async t => {
  const scripts = lockfile().filter(({ hasInstallScript }) => hasInstallScript)
  const { allowScripts } = manifest()
  t.strictSame(sorted(scripts.map(({ name }) => name)), sorted(Object.keys(allowScripts)))
  t.strictSame(sorted(Object.keys(allowScripts).filter(name => allowScripts[name])), ['node'], 'one is allowed to')
  t.strictSame(
    scripts.filter(({ dev }) => !dev).map(({ name }) => name),
    [],
    'and npm ci --omit=dev needs none'
  )
})

t.test('what is depended on directly is one version and no range, as the lockfile has it', async t => {
  const { dependencies, devDependencies } = manifest()
  const installed = new Map(lockfile().map(({ path, version }) => [path, version]))
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    t.match(version, /^\d+\.\d+\.\d+$/, name)
    t.equal(installed.get(`node_modules/${name}`), version, name)
  }
  t.ok(Object.keys(dependencies).length <= 16, 'few: four of them are for traces, and loaded only with these')
})

t.test('the SBOM lists what the program is made of, and nothing for development', async t => {
  const said = execFileSync('npm', ['run', '--silent', 'sbom'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 ** 2
  })
  const bom = JSON.parse(said) as {
    bomFormat: string
    metadata: { component: { purl: string } }
    components: { name: string; version: string; hashes?: { alg: string }[] }[]
  }
  t.equal(bom.bomFormat, 'CycloneDX')
  t.equal(bom.metadata.component.purl, `pkg:npm/muster@${manifest().version}`)
  t.strictSame(
    sorted(bom.components.map(named)),
    sorted(
      lockfile()
        .filter(({ dev }) => !dev)
        .map(named)
    )
  )
  t.strictSame(bom.components.filter(({ hashes = [] }) => hashes.every(({ alg }) => alg !== 'SHA-512')).map(named), [])
})

t.test('one place has the version, and nothing is published by a slip', async t => {
  const { version, private: isPrivate } = manifest()
  t.match(version, /^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/)
  t.equal(isPrivate, true)
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { version: string }
  t.equal(lock.version, version)
  const [, newest] = /^## (\S+)/m.exec(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')) ?? []
  t.ok(
    newest === 'Unreleased' || newest === `[${version}]` || newest === version,
    'the changelog begins with it, or with what comes'
  )
})
