import type { FastifyInstance } from 'fastify'
import type { Clock } from '../clock.ts'

/** A named condition of readiness; a text says what is missing. */
export type Check = { readonly name: string; readonly problem: () => string | undefined }

/**
 * GET /livez: the process answers, whatever the cluster does. GET /readyz: everything is listed and taken over, so that
 * the verbs may decide.
 */
export function healthRoutes(app: FastifyInstance, checks: readonly Check[]): void {
  app.get('/livez', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    const results = checks.map(({ name, problem }) => ({ name, problem: problem() }))
    const ready = results.every(result => result.problem === undefined)
    const lines = results.map(({ name, problem }) =>
      problem === undefined ? `[+] ${name} ok` : `[-] ${name}: ${problem}`
    )
    return reply
      .code(ready ? 200 : 503)
      .type('text/plain')
      .send(`${lines.join('\n')}\n`)
  })
}

/** What is not in step for longer costs the kube-scheduler beside it the lead. */
const patienceMs = 30_000

/**
 * Whether kube-scheduler is well served by the muster beside it. Its livenessProbe may ask: a pair whose muster does
 * not get into step with the cluster must leave the lead to another.
 */
export class PairHealth {
  readonly #clock: Clock
  readonly #checks: readonly Check[]
  /** Monotonic: out of step since then, as far as somebody has asked; the beginning counts. */
  #since: number | undefined

  constructor(clock: Clock, checks: readonly Check[]) {
    this.#clock = clock
    this.#checks = checks
    this.#since = clock.now()
  }

  /** What has been missing for too long; undefined while nothing has. */
  problem(): string | undefined {
    const missing = this.#checks.flatMap(({ name, problem }) => {
      const text = problem()
      return text === undefined ? [] : [`${name}: ${text}`]
    })
    if (missing.length === 0) {
      this.#since = undefined
      return undefined
    }
    this.#since ??= this.#clock.now()
    return this.#clock.now() - this.#since > patienceMs ? missing.join('; ') : undefined
  }
}

/** GET /livez/pair: fails once muster has been out of step with the cluster for 30 s. */
export function pairRoute(app: FastifyInstance, pair: PairHealth): void {
  app.get('/livez/pair', async (_request, reply) => {
    const problem = pair.problem()
    return reply
      .code(problem === undefined ? 200 : 503)
      .type('text/plain')
      .send(problem === undefined ? 'ok\n' : `out of step with the cluster for over 30 s: ${problem}\n`)
  })
}
