import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

/** What the lockfile says of a package that it installs. */
export type Locked = {
  /** Where it is installed, such as `node_modules/fastify`. */
  readonly path: string
  readonly name: string
  readonly version: string
  readonly integrity?: string
  readonly resolved?: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

/** Every package of `package-lock.json`. */
export function lockfile(): readonly Locked[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Omit<Locked, 'path' | 'name'> & { readonly name?: string }>>
  }
  return Object.entries(packages).flatMap(([path, entry]) => {
    const name = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    return path === '' ? [] : [{ ...entry, path, name }]
  })
}

/** `package.json`, as far as it is about packages. */
export function manifest() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly version: string
    readonly private?: boolean
    readonly allowScripts: Readonly<Record<string, boolean>>
    readonly dependencies: Readonly<Record<string, string>>
    readonly devDependencies: Readonly<Record<string, string>>
  }
}
