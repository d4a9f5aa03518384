import { spawn } from 'node:child_process'

/** What a run of `go` came to. */
export interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `go` in a folder; undefined when there is none on the PATH. */
export function go(args: readonly string[], cwd: string): Promise<Run | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(undefined) : reject(error)))
    child.on('close', code => resolve({ code: code ?? 1, stdout, stderr }))
  })
}

/** Runs `go` where it has been found before. */
export async function mustGo(args: readonly string[], cwd: string): Promise<Run> {
  const run = await go(args, cwd)
  if (run === undefined) throw new Error('Go has gone from the PATH')
  return run
}

/** What `go` had to say, without its progress. */
export function firstLine(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('go: downloading'))
  return lines[0]?.trim() ?? 'no message'
}
