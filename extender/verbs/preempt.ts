import { type Answer, notReady, podOf } from './answer.ts'
import type { VerbParts } from './ports.ts'
import { preemptResult, readPreempt } from './wire.ts'

/**
 * POST /preempt: the veto. Drops candidate nodes where kube-scheduler's own preemption would break a gang or evict for
 * nothing; never adds a node or a victim. Its answer has no field for an error, so while not ready it is a 503: nobody
 * is evicted on half a picture.
 */
export function preempt(body: Buffer, parts: VerbParts): Answer {
  const { pod: json, candidates } = readPreempt(body)
  if (!parts.ready()) return { outcome: 'not_ready', status: 503, json: JSON.stringify({ error: notReady }) }
  const asked = new Map([...candidates].map(([node, { uids }]) => [node, uids]))
  const pod = podOf(json, parts)
  const allowed = parts.gangs.allowedPreemptions(pod, asked)
  const left = new Map([...candidates].filter(([node]) => allowed.has(node)))
  return { outcome: 'ok', json: preemptResult(left), pod }
}
