import type { VerbParts } from './ports.ts'
import { preemptResult, readPreempt } from './wire.ts'

/**
 * POST /preempt: the veto. Drops candidate nodes where kube-scheduler's own preemption would break a gang or evict for
 * nothing; never adds a node or a victim.
 */
export function preempt(body: Buffer, { gangs, project }: VerbParts): string {
  const { pod, candidates } = readPreempt(body)
  const asked = new Map([...candidates].map(([node, { uids }]) => [node, uids]))
  const allowed = gangs.allowedPreemptions(project(pod), asked)
  return preemptResult(new Map([...candidates].filter(([node]) => allowed.has(node))))
}
