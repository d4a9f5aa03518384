import type { Check } from './check.ts'
import { error, type Note, plain } from './note.ts'

const mostMissing = 20

/** Whether that muster can be reached and is ready. */
export const server = {
  name: 'server',
  async look(ground): Promise<readonly Note[]> {
    const found = await ground.server()
    if (!found) return [{ skipped: 'no --server was named: whether muster runs and is ready was not asked' }]
    const { url, problem, missing, ready, samples } = found
    if (problem !== undefined) {
      const why = 'pods of its schedulers wait until it answers'
      return [error({ where: url, problem: plain(problem), why, fix: 'start muster, or name its --api-listen' })]
    }
    if (ready) {
      const active = samples.get('muster_active') === 0 ? 'stands by' : 'is active'
      return [{ fact: `${url} is ready and ${active}` }]
    }
    return missing.slice(0, mostMissing).map(each =>
      error({
        where: url,
        problem: `it is not ready: ${plain(each)}`,
        why: 'the verbs refuse every pod until it is',
        fix: 'see its log for what it cannot read or reach; the check "rights" for what it may not'
      })
    )
  }
} satisfies Check
