import { someOf } from '../../../policies/text.ts'
import { gatePolicies } from '../gate-policies.ts'
import type { Group } from './census.ts'
import type { Check } from './check.ts'
import { error, type Note, plain, unseen, warning } from './note.ts'

/** Whether gang pods are gated as they are made, and whether somebody lets go those that are. */
export const gates = {
  name: 'gates',
  async look(ground): Promise<readonly Note[]> {
    const { policies, problem } = await gatePolicies(ground.operations)
    if (problem !== undefined) return [unseen('MutatingAdmissionPolicies', problem), ...(await stuck(ground.pods()))]
    const notes = policies.map(({ name, bindings }): Note => {
      const where = `MutatingAdmissionPolicy ${plain(name)}`
      if (bindings.length > 0) return { fact: `${where} gates gang pods, by ${bindings.map(plain).join(', ')}` }
      const why = 'no pod is gated by it'
      return error({ where, problem: 'nothing binds it', why, fix: 'apply its MutatingAdmissionPolicyBinding' })
    })
    return [...(notes.length > 0 ? notes : [none]), ...(await stuck(ground.pods()))]
  }
} satisfies Check

const none = warning({
  where: 'MutatingAdmissionPolicies',
  problem: 'none gates gang pods',
  why: 'gangs work without, but members that do not bring the gate themselves cost refused attempts',
  fix: 'apply manifests/components/gates, or put schedulingGates into the templates'
})

type Stuck = { readonly strangers: ReadonlyMap<string, Group>; readonly gangless: Group }

/** Gated pods that nobody would ever let go. */
async function stuck(pods: Promise<Stuck>): Promise<readonly Note[]> {
  const { strangers, gangless } = await pods
  const foreign = [...strangers].map(([name, group]) =>
    error({
      where: someOfGroup(group),
      problem: `gated by muster.dev/gang, and their scheduler ${plain(name)} has no profile`,
      why: 'muster plans nobody of that name, and nobody else takes the gate away',
      fix: `muster serve --scheduler-name ${plain(name)}, or take the gate out of their template; muster uninstall frees them`
    })
  )
  if (gangless.count === 0) return foreign
  const alone = error({
    where: someOfGroup(gangless),
    problem: 'gated by muster.dev/gang, and members of no gang',
    why: 'there is nothing to wait for, and nobody takes the gate away',
    fix: 'the annotation muster.dev/gang in their template, or no gate'
  })
  return [...foreign, alone]
}

/** Named as far as they are remembered, and counted. */
export function someOfGroup({ count, some }: Group): string {
  const more = count > some.length ? ` and ${count - some.length} more` : ''
  return `${count === 1 ? 'pod' : 'pods'} ${someOf(some)}${more}`
}
