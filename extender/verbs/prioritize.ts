import type { Answer } from './answer.ts'
import { hostPriorities, readArgs } from './wire.ts'

/**
 * POST /prioritize: a tie-break from 0 to 10, never correctness. No policy of today's profiles scores, so every node
 * gets 0 and the printed configuration does not name this verb; a configuration that does name it works.
 */
export function prioritize(body: Buffer): Answer {
  const scores = readArgs(body)
    .names.list()
    .map(host => ({ host, score: 0 }))
  return { outcome: 'ok', json: hostPriorities(scores) }
}
