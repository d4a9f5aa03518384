import { realpathSync, statSync } from 'node:fs'
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Why a container's module cannot be run. */
export class ModuleRefused extends Error {
  override readonly name = 'ModuleRefused'
}

/** The workers that come with muster, as `muster:echo`. */
const builtInPrefix = 'muster:'
const builtInRoot = join(dirname(dirname(fileURLToPath(import.meta.url))), 'workers')
const extensions = new Set(['.ts', '.mts', '.js', '.mjs'])

/**
 * The file of a container's module: a path within the root, or `muster:NAME`. What leads out of the root, links
 * included, is refused; so is everything that is no file of ours to run, and node_modules, where types are not stripped.
 */
export function resolveModule(module: string, root: string): URL {
  if (module.startsWith(builtInPrefix)) return within(`${module.slice(builtInPrefix.length)}.ts`, builtInRoot, module)
  if (/^[a-z][a-z0-9+.-]+:/i.test(module)) throw new ModuleRefused(`module ${quoted(module)} is no path`)
  return within(module, root, module)
}

function within(path: string, root: string, module: string): URL {
  const realRoot = real(root, module)
  const wanted = isAbsolute(path) ? path : resolve(realRoot, path)
  if (!isInside(wanted, realRoot) && !isInside(wanted, resolve(root))) throw outside(module, root)
  const file = real(wanted, module)
  if (!isInside(file, realRoot)) throw outside(module, root)
  if (!extensions.has(extname(file)) || !statSync(file).isFile())
    throw new ModuleRefused(`module ${quoted(module)} is no .ts, .mts, .js or .mjs file`)
  if (relative(realRoot, file).split(sep).includes('node_modules'))
    throw new ModuleRefused(`module ${quoted(module)} is in node_modules: workers are files of your own`)
  return pathToFileURL(file)
}

function real(path: string, module: string): string {
  try {
    return realpathSync(path)
  } catch {
    throw new ModuleRefused(`module ${quoted(module)} is not there: no file ${path}`)
  }
}

function isInside(path: string, root: string): boolean {
  const way = relative(root, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

const outside = (module: string, root: string): ModuleRefused =>
  new ModuleRefused(`module ${quoted(module)} is outside of the root ${root}`)

const quoted = (text: string): string => JSON.stringify(text)
