import { spawnSync } from 'node:child_process'

/** Why a test is skipped, or false where the command is on the PATH. */
export function missing(command: 'prometheus' | 'promtool'): string | false {
  const found = spawnSync(command, ['--version'], { stdio: 'ignore' })
  return found.error ? `${command} is not on the PATH (Debian: apt-get install prometheus)` : false
}

/** promtool to its end, with that input. */
export function promtool(args: readonly string[], input = ''): { readonly code: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', [...args], { input, encoding: 'utf8' })
  return { code: status, said: stdout + stderr }
}
