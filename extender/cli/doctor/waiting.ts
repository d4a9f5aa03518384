import type { Group } from './census.ts'
import { someOfGroup } from './gates.ts'
import type { Ground } from './ground.ts'
import type { Check } from './check.ts'
import { error, type Note, plain } from './note.ts'

/** Whether pods of ours wait although nobody is there for them. */
export const waiting = {
  name: 'waiting',
  async look(ground): Promise<readonly Note[]> {
    const { waiting: all, unseen } = await ground.pods()
    if (all.count === 0) return [{ fact: 'no pod of its schedulers waits for longer than a minute' }]
    const unasked = [...unseen].map(([name, group]) =>
      error({
        where: someOfGroup(group),
        problem: `no kube-scheduler has looked at them for a minute`,
        why: `none that runs has a profile of the name ${plain(name)}`,
        fix: 'start the kube-scheduler whose configuration muster scheduler-config prints, and see its log'
      })
    )
    const absent = await nobodyThere(ground)
    if (absent === undefined) return [...unasked, { fact: patient(all) }]
    const fix = 'start muster; until then they stay as they are, and nothing is started in part'
    return [...unasked, error({ where: someOfGroup(all), problem: 'they wait', why: absent, fix })]
  }
} satisfies Check

/** Why no muster is active, as far as that was seen. */
async function nobodyThere(ground: Ground): Promise<string | undefined> {
  const [lease, server] = [await ground.lease(), await ground.server()]
  if (lease?.fault !== undefined)
    return `no muster is active: of lease ${lease.namespace}/${lease.name}, ${lease.fault}`
  return server?.ready === false ? `the muster at ${server.url} is not ready` : undefined
}

/** Nothing that the doctor knows of keeps them: muster itself has their reasons. */
const patient = (group: Group): string =>
  `${someOfGroup(group)} wait for longer than a minute; muster explain POD -n NAMESPACE says why`
