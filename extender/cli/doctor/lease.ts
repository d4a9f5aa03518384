import type { Check } from './check.ts'
import { electionOf, type Lease } from './lease-holder.ts'
import { error, type Note, plain, unseen } from './note.ts'
import type { Place } from './place.ts'

/** Whether one pair is active, and no more than one. */
export const lease = {
  name: 'lease',
  async look(ground): Promise<readonly Note[]> {
    const { where = 'muster', replicas, lease: told } = await ground.installed()
    const alone = replicas > 1 && told === undefined ? [severalWithout(where, replicas)] : []
    const found = await ground.lease()
    if (!found) return [...alone, { skipped: 'kube-scheduler elects no leader, and no --lease was named' }]
    const election = electionOf(await ground.scheduler())
    return [...alone, ...held(found), ...agreement({ found, election, where, told: told ?? ground.wish.lease })]
  }
} satisfies Check

function held({ namespace, name, problem, holder, fault }: Lease): readonly Note[] {
  const where = `lease ${namespace}/${name}`
  if (problem !== undefined) return [unseen(where, problem)]
  if (fault === undefined) return [{ fact: `${where} is held by ${plain(holder ?? '')}` }]
  const fix = 'start kube-scheduler with leaderElect: true for this lease, and see its log'
  return [error({ where, problem: fault, why: 'no pair is active: nobody schedules', fix })]
}

function severalWithout(where: string, replicas: number): Note {
  const why = 'each of them plans for itself, and one takes the room that another holds'
  return error({ where, problem: `${replicas} replicas without --lease`, why, fix: 'muster serve --lease NS/NAME' })
}

type Pair = {
  readonly found: Lease
  readonly election: Place | undefined
  readonly where: string
  readonly told: unknown
}

/** Both of a pair must go by the same one. */
function agreement({ found, election, where, told }: Pair): readonly Note[] {
  if (told === undefined) return []
  const mine = `${found.namespace}/${found.name}`
  const theirs = election ? `${election.namespace}/${election.name}` : 'none'
  if (mine === theirs) return []
  const why = 'muster would be active where its kube-scheduler is not, or never'
  const problem = `muster follows the lease ${mine}, and kube-scheduler's configuration elects by ${theirs}`
  const fix = `leaderElection: {leaderElect: true, resourceNamespace: ${found.namespace}, resourceName: ${found.name}}`
  return [error({ where, problem, why, fix })]
}
