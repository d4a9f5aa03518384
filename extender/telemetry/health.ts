import type { FastifyInstance } from 'fastify'

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
