import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/**
 * Node keeps what it makes of muster's files, types taken out and compiled, in the user's cache folder: the next start
 * costs half of it. Where that cannot be written nothing is kept; NODE_COMPILE_CACHE names another folder. It is not
 * Node's own choice, the folder for temporary files, where anybody may have left code.
 */
export function keepCode(env: NodeJS.ProcessEnv): void {
  const { XDG_CACHE_HOME, HOME, NODE_V8_COVERAGE } = env
  const caches = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'))
  // Of code from a cache V8 cannot tell which of it was run.
  if (!caches || NODE_V8_COVERAGE) return
  const { directory } = enableCompileCache(join(caches, 'muster', 'code'))
  // For the threads.
  if (directory !== undefined) env.NODE_COMPILE_CACHE ??= directory
}
