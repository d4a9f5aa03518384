import { type Answer, notReady } from './answer.ts'
import type { VerbParts } from './ports.ts'
import { closing } from './underway.ts'
import { bindResult, readBind } from './wire.ts'

/** POST /bind: the barrier. Answers once the pod is on its node, or why it is not. */
export async function bind(body: Buffer, parts: VerbParts, signal: AbortSignal): Promise<Answer> {
  const args = readBind(body)
  if (!parts.ready()) return { outcome: 'not_ready', json: bindResult(notReady) }
  const error = await parts.gangs.bind({ ...args, signal })
  if (error === '') return { outcome: 'ok', json: bindResult(''), pod: args }
  return { outcome: 'error', pod: args, json: bindResult(signal.reason === closing ? closing : error) }
}
