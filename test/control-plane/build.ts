/**
 * The control plane's programs, built into the user's cache folder: those of the pinned release from go.mod, those of
 * another one from a go.mod that is made for it. Nothing is downloaded but Go modules.
 */
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { firstLine, mustGo } from './go.ts'
import { type Kept, kept, type NoTools } from './kept.ts'
import { flagsFor, pinnedRelease, writeModule } from './kubernetes-module.ts'
import { release } from './release.ts'

export type { NoTools } from './kept.ts'

const moduleDir = import.meta.dirname
const stageFolders = ['node/fast', 'node/heartbeat-with-lease', 'pod/fast']

/** The programs, ready to run. */
export interface Tools {
  readonly kind: 'ready'
  /** Path of a program. */
  path(program: Program): string
  /** The stage files of kwok's own module that make fake nodes and pods live. */
  readonly stages: readonly string[]
}

export type Program = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubectl' | 'kwok'

type Say = (line: string) => void
const aloud: Say = line => console.error(line)

/** Builds the control plane if this machine has not built this release before. Throws only when the build itself fails. */
export async function buildTools(say: Say = aloud): Promise<Tools | NoTools> {
  const pinned = await buildPinned(say)
  if (pinned.kind === 'absent') return pinned
  const tools = toolsIn(pinned.dir)
  if (release === pinnedRelease) return tools
  const other = await buildOther(say)
  if (other.kind === 'absent') return other
  return { ...tools, path: program => (isShared(program) ? tools.path(program) : join(other.dir, program)) }
}

/** Every release stands on the same etcd, and its nodes are kept alive by the same kwok. */
const isShared = (program: Program): boolean => program === 'etcd' || program === 'kwok'

async function buildPinned(say: Say): Promise<Kept | NoTools> {
  const flags = flagsFor(pinnedRelease)
  return await kept({
    ...{ name: `the control plane (etcd, Kubernetes ${pinnedRelease}, kwok)`, flags, say },
    from: await filesOf('go.mod', 'go.sum'),
    async make(folder) {
      const absent = await missing(moduleDir)
      if (absent) return absent
      await mustBuild([...flags, '-o', folder, 'tool'], moduleDir)
      await copyStages(folder)
      return undefined
    }
  })
}

async function buildOther(say: Say): Promise<Kept | NoTools> {
  const flags = flagsFor(release)
  return await kept({
    ...{ name: `Kubernetes ${release}`, flags, say },
    from: [release, ...(await filesOf('go.mod'))],
    async make(folder) {
      const dir = join(folder, 'module')
      await mkdir(dir)
      const absent = (await writeModule(dir, release)) ?? (await missing(dir, '-mod=mod'))
      if (absent) return absent
      await mustBuild(['-mod=mod', ...flags, '-o', folder, 'tool'], dir)
      return undefined
    }
  })
}

/** Builds the upstream end-to-end specs of the scheduling group; answers the program's path. */
export async function buildSpecs(say: Say = aloud): Promise<string | NoTools> {
  const flags = flagsFor(release)
  const source = 'specs/main.go'
  const built = await kept({
    ...{ name: `the upstream specs of Kubernetes ${release}`, flags, say },
    from: ['specs', release, ...(await filesOf('go.mod', source))],
    async make(folder) {
      const dir = join(folder, 'module')
      await mkdir(dir)
      const absent = await writeModule(dir, release)
      if (absent) return absent
      await cp(join(moduleDir, source), join(dir, 'main.go'))
      await mustBuild(['-mod=mod', ...flags, '-o', join(folder, 'specs'), '.'], dir)
      return undefined
    }
  })
  return built.kind === 'kept' ? join(built.dir, 'specs') : built
}

/** Builds the extender that takes every node, apart and in seconds; answers the program's path. Throws where it cannot be had. */
export async function buildNoopExtender(): Promise<string> {
  const source = 'noop-extender/main.go'
  const flags = ['-trimpath']
  const built = await kept({
    ...{ name: 'the no-op extender', flags, say: aloud },
    from: await filesOf(source),
    async make(folder) {
      await mustBuild([...flags, '-o', join(folder, 'noop-extender'), source], moduleDir)
      return undefined
    }
  })
  if (built.kind === 'absent') throw new Error(built.reason)
  return join(built.dir, 'noop-extender')
}

/** Why the modules of the programs cannot be had, where they cannot. */
async function missing(dir: string, ...flags: readonly string[]): Promise<NoTools | undefined> {
  const { code, stderr } = await mustGo(['list', ...flags, '-deps', '-f', '', 'tool'], dir)
  return code === 0 ? undefined : { kind: 'absent', reason: `the Go modules cannot be had: ${firstLine(stderr)}` }
}

async function mustBuild(args: readonly string[], dir: string): Promise<void> {
  const built = await mustGo(['build', '-p', '2', ...args], dir)
  if (built.code !== 0) throw new Error(`go build failed:\n${built.stderr}`)
}

async function copyStages(target: string): Promise<void> {
  const kwok = await mustGo(['list', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok'], moduleDir)
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

async function filesOf(...names: readonly string[]): Promise<readonly Buffer[]> {
  return await Promise.all(names.map(name => readFile(join(moduleDir, name))))
}

if (import.meta.main) {
  const tools = await buildTools()
  console.log(tools.kind === 'ready' ? `the control plane is built: ${tools.path('kube-apiserver')}` : tools.reason)
}
