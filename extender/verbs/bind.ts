import type { VerbParts } from './ports.ts'
import { bindResult, readBind } from './wire.ts'

export type BindAnswer = { readonly outcome: 'ok' | 'error' | 'not_ready'; readonly json: string }

/** POST /bind: the barrier. Answers once the pod is on its node, or why it is not. */
export async function bind(body: Buffer, parts: VerbParts, signal: AbortSignal): Promise<BindAnswer> {
  const args = readBind(body)
  if (!parts.ready()) return { outcome: 'not_ready', json: bindResult('muster has not seen the whole cluster yet') }
  const error = await parts.gangs.bind({ ...args, signal })
  return { outcome: error === '' ? 'ok' : 'error', json: bindResult(error) }
}
