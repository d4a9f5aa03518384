import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../muster.ts', import.meta.url))
const startMs = 60_000
const tailLines = 10

type Line = { readonly msg?: string; readonly url?: string }

/** A `muster serve` of its own process, on any free ports. */
export class MusterChild {
  /** Of the verbs. */
  url = ''
  /** Of the human API. */
  apiUrl = ''
  readonly #process: ChildProcess
  readonly #tail: string[] = []
  readonly #kill = (): unknown => this.#process.kill('SIGKILL')

  private constructor(kubeconfig: string) {
    const listen = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
    this.#process = spawn(process.execPath, [cli, 'serve', '--kubeconfig', kubeconfig, ...listen], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: withoutOurs(process.env)
    })
    process.once('exit', this.#kill)
  }

  /** Starts one and waits until it has seen the cluster. */
  static async start(kubeconfig: string): Promise<MusterChild> {
    const child = new MusterChild(kubeconfig)
    try {
      await child.#ready()
      return child
    } catch (error) {
      await child.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill)
    if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined) return
    const end = new Promise(resolve => this.#process.once('exit', resolve))
    this.#process.kill('SIGTERM')
    await end
  }

  /** Its log tells where it listens, and when it is ready. */
  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`muster serve ${why}:\n${this.#tail.join('\n')}`))
      const timer = setTimeout(() => fail('is not ready in time'), startMs)
      this.#process.once('exit', code => fail(`ended with ${code}`))
      this.#process.once('error', error => fail(error.message))
      for (const stream of [this.#process.stdout, this.#process.stderr]) {
        if (!stream) continue
        createInterface({ input: stream }).on('line', line => {
          if (!this.#read(line)) return
          clearTimeout(timer)
          resolve()
        })
      }
    })
  }

  #read(text: string): boolean {
    this.#tail.push(text)
    if (this.#tail.length > tailLines) this.#tail.shift()
    const { msg, url = '' } = parsed(text)
    if (msg === 'the extender listens') this.url = url
    if (msg === 'the API listens') this.apiUrl = url
    return msg === 'ready'
  }
}

function parsed(line: string): Line {
  try {
    return JSON.parse(line) as Line
  } catch {
    return {}
  }
}

/** What the user has set for a muster of their own must not reach this one. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MUSTER_')))
}
