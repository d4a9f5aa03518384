import { readFileSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { firstLine, mustGo } from './go.ts'
import type { NoTools } from './kept.ts'

const ours = join(import.meta.dirname, 'go.mod')
const kubernetes = 'k8s.io/kubernetes'

/** The release of Kubernetes that go.mod pins, without the v: what the tests are written for. */
export const pinnedRelease = versionIn(readFileSync(ours, 'utf8'), kubernetes).slice(1)

/** The flags that make `go build` leave out paths and symbols and write the release into the programs. */
export const flagsFor = (version: string): readonly string[] => [
  '-trimpath',
  '-ldflags',
  `-s -w -X k8s.io/component-base/version.gitVersion=v${version}`
]

/** The newest patch of a minor version, as 1.37, that the module proxy has; undefined where there is none. */
export async function newestOf(minor: string): Promise<string | undefined> {
  const { code, stdout, stderr } = await mustGo(['list', '-m', '-versions', kubernetes], import.meta.dirname)
  if (code !== 0) throw new Error(`the versions of Kubernetes cannot be listed: ${firstLine(stderr)}`)
  return newest(stdout.trim().split(' ').slice(1), minor)
}

/** Of versions as `v1.37.2` the newest release of a minor version, without the v. */
export function newest(versions: readonly string[], minor: string): string | undefined {
  const patches = versions
    .filter(version => version.startsWith(`v${minor}.`))
    .map(version => version.slice(minor.length + 2))
    .filter(patch => /^\d+$/.test(patch))
  return patches.length === 0 ? undefined : `${minor}.${Math.max(...patches.map(Number))}`
}

/** Fills a folder with the module that builds a release: a copy of ours, or one made for it; or says why it cannot. */
export async function writeModule(folder: string, version: string): Promise<NoTools | undefined> {
  if (version === pinnedRelease) {
    for (const file of ['go.mod', 'go.sum']) await cp(join(import.meta.dirname, file), join(folder, file))
    return undefined
  }
  const { stdout, stderr } = await mustGo(['mod', 'download', '-json', `${kubernetes}@v${version}`], folder)
  const { GoMod, Error: error } = JSON.parse(stdout || '{}') as { readonly GoMod?: string; readonly Error?: string }
  if (error !== undefined || GoMod === undefined)
    return { kind: 'absent', reason: `Kubernetes ${version} cannot be had: ${firstLine(error ?? stderr)}` }
  const text = moduleFor(version, await readFile(ours, 'utf8'), await readFile(GoMod, 'utf8'))
  await writeFile(join(folder, 'go.mod'), text)
  return undefined
}

/**
 * Of our go.mod the programs of Kubernetes, and of that release's own the version of Go and the staging modules, which
 * it takes from its tree and everybody else from where they are published.
 */
export function moduleFor(version: string, own: string, theirs: string): string {
  const published = theirs.matchAll(/^\s*(k8s\.io\/[\w-]+) => \.\/staging\//gm)
  const staging = [...published].map(([, path]) => path ?? '').filter(path => !path.includes('/sample-'))
  const programs = [...own.matchAll(/^\t(k8s\.io\/kubernetes\/cmd\/\S+)$/gm)].map(([, path]) => path ?? '')
  return [
    'module muster.dev/test/control-plane\n',
    `${/^go [\d.]+$/m.exec(theirs)?.[0] ?? ''}\n`,
    block('tool', programs),
    block('require', [`${kubernetes} v${version}`]),
    block(
      'replace',
      staging.map(path => `${path} => ${path} v0${version.slice(1)}`)
    )
  ].join('\n')
}

const block = (word: string, lines: readonly string[]): string =>
  `${word} (\n${lines.map(line => `\t${line}\n`).join('')})\n`

function versionIn(text: string, path: string): string {
  const [, version = ''] = new RegExp(`^\\s*${RegExp.escape(path)} (v\\S+)`, 'm').exec(text) ?? []
  return version
}
