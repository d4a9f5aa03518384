import { env } from 'node:process'
import { hostname } from 'node:os'
import { flagHelp } from './flags.ts'
import { serviceCommand, serviceRows } from './running.ts'

const rows = {
  host: { hint: 'HOST', fallback: '127.0.0.1', help: 'where it listens; 0.0.0.0 in a pod' },
  port: { hint: 'PORT', fallback: '8080', help: '0 is any' },
  ...serviceRows
} as const

const usage = `Usage: muster sandbox mock [options]

Runs a sandbox that only tells whose it is: SANDBOX_ID and SANDBOX_PROJECT of its environment, or of what is posted once
to /_config as {"env": {…}}. /healthz is its health; /echo gives back what it gets.

${flagHelp(rows)}

Example:
  SANDBOX_PROJECT=shop muster sandbox mock --port 8080
`
/** What is under way may take so long when it is to end. */
const graceMs = 5_000

export const mock = serviceCommand({
  ...{ name: 'mock', summary: 'run a mock sandbox', what: 'mock sandbox', rows, usage },
  async start(flags, log) {
    const options = { host: flags.text('host'), port: flags.port('port'), name: hostname(), env }
    const { startMock } = await import('../../sandbox-services.ts')
    const running = await startMock({ ...options, log: line => log.debug(line) })
    return { url: running.url, close: () => running.stop(graceMs) }
  }
})
