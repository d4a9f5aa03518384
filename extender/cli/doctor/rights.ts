import { object } from '../../json.ts'
import type { Ground } from './ground.ts'
import type { Place } from './place.ts'
import { excess, type Need, needs } from './needs.ts'
import type { Check } from './check.ts'
import { error, type Note, unseen, warning } from './note.ts'

/** One verb on one resource, perhaps on one object. */
type Right = Pick<Need, 'group' | 'resource'> & { readonly verb: string } & Partial<Place>

const concurrency = 8
const reviews = '/apis/authorization.k8s.io/v1'

/** Whether muster may do what it needs, and, where its account was named, no more than that. */
export const rights = {
  name: 'rights',
  async look(ground): Promise<readonly Note[]> {
    const wanted = await wantedBy(ground)
    const missing = await missingOf(ground, wanted)
    if (missing.problem !== undefined) return [unseen('access reviews', missing.problem)]
    const { account } = ground.wish
    const more = account ? await surplusOf(ground, account) : []
    if (missing.notes.length + more.length > 0) return [...missing.notes, ...more]
    return [{ fact: `${whoseRights(account)}: all ${wanted.length} that muster needs` }]
  }
} satisfies Check

type Wanted = { readonly need: Need; readonly right: Right }

async function wantedBy(ground: Ground): Promise<readonly Wanted[]> {
  const all: Wanted[] = []
  for (const need of needs) {
    if (need.definition !== undefined && !(await isDefined(ground, need.definition))) continue
    for (const verb of need.verbs) all.push({ need, right: { group: need.group, resource: need.resource, verb } })
  }
  return [...all, ...(await leaseRights(ground))]
}

async function isDefined(ground: Ground, definition: string): Promise<boolean> {
  const { status } = await ground.get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition}`)
  return status === 200
}

async function leaseRights(ground: Ground): Promise<readonly Wanted[]> {
  const { lease: told } = await ground.installed()
  const lease = told === undefined && ground.wish.lease === undefined ? undefined : await ground.lease()
  if (!lease) return []
  const named = { group: 'coordination.k8s.io', resource: 'leases' }
  const without = 'muster does not learn who leads, and stays inactive'
  const need: Need = { ...named, verbs: ['get', 'list', 'watch'], without, required: true }
  const { namespace, name } = lease
  return need.verbs.map(verb => ({ need, right: { ...named, verb, namespace, name } }))
}

/** Asks for some at a time; a question that is not answered ends it. */
async function missingOf(
  ground: Ground,
  wanted: readonly Wanted[]
): Promise<{ readonly notes: readonly Note[]; readonly problem: string | undefined }> {
  const queue = wanted.values()
  const denied = new Set<Wanted>()
  let problem: string | undefined
  const work = async (): Promise<void> => {
    for (const each of queue) {
      const answer = await isAllowed(ground, each.right)
      if (typeof answer === 'string') problem ??= answer
      if (answer === false) denied.add(each)
      if (problem !== undefined) return
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  // In the order of the table.
  return { notes: wanted.filter(each => denied.has(each)).map(each => lacking(each, ground.wish.account)), problem }
}

function lacking({ need, right }: Wanted, account: Place | undefined): Note {
  const make = need.required ? error : warning
  const { group, verb, namespace } = right
  const rule = `{apiGroups: ["${group}"], resources: [${need.resource}], verbs: [${verb}]}`
  const kind = namespace === undefined ? 'ClusterRole' : `Role in ${namespace}`
  return make({
    where: whoseRights(account),
    problem: `may not ${said(right)}`,
    why: need.without,
    fix: `a ${kind} with the rule ${rule}, bound to muster's ServiceAccount`
  })
}

/** True, false, or why nobody answered. */
async function isAllowed(ground: Ground, right: Right): Promise<boolean | string> {
  const { group, verb, namespace, name } = right
  const [resource = '', subresource] = right.resource.split('/')
  const resourceAttributes = {
    ...{ group, resource, verb },
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name })
  }
  const { account } = ground.wish
  const kind = account ? 'SubjectAccessReview' : 'SelfSubjectAccessReview'
  const spec = { resourceAttributes, ...(account && subjectOf(account)) }
  const question = { apiVersion: 'authorization.k8s.io/v1', kind, spec }
  const { body, problem } = await ground.operations.create(`${reviews}/${kind.toLowerCase()}s`, question)
  return problem ?? object(body.status).allowed === true
}

/** As the API server knows a ServiceAccount. */
function subjectOf({ namespace, name }: Place): { readonly user: string; readonly groups: readonly string[] } {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
  return { user: `system:serviceaccount:${namespace}:${name}`, groups }
}

async function surplusOf(ground: Ground, account: Place): Promise<readonly Note[]> {
  const notes: Note[] = []
  for (const { group, resource, verbs } of excess) {
    for (const verb of verbs) {
      const right = { group, resource, verb }
      if ((await isAllowed(ground, right)) !== true) continue
      const why = 'muster does not use it, and whoever gets its token has it'
      const fix = 'take the rule away, or give kube-scheduler an account of its own where it is its'
      notes.push(warning({ where: whoseRights(account), problem: `may ${said(right)}`, why, fix }))
    }
  }
  return notes
}

function said({ verb, resource, group, namespace, name }: Right): string {
  const where = namespace === undefined ? '' : ` ${namespace}/${name}`
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${where}`
}

function whoseRights(account: Place | undefined): string {
  return account ? `ServiceAccount ${account.namespace}/${account.name}` : 'rights of whoever runs this'
}
