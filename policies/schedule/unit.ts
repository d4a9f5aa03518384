import { gangGate } from '../names.ts'
import { older, type Waiting } from '../order.ts'
import { lowest, outranks, type Rank } from '../ranks.ts'
import { compare } from '../text.ts'
import type { Pod } from '../types.ts'

/** The gang that a pod belongs to, or the pod as a gang of one. */
export type Group = {
  /** Unique; a pod of no gang has one of its own. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  /** How many members must be there; undefined: as many as there are. */
  readonly minMember: number | undefined
}

/** Who is planned, and with what rights. All of it is a matter of the pod alone, so that it can be asked once. */
export type Rules = {
  /** Undefined for pods that are not planned: they only use room. */
  readonly groupOf: (pod: Pod) => Group | undefined
  readonly rankOf: (pod: Pod) => Rank
  /** Whether the pod may never be evicted, for anybody. */
  readonly isProtected: (pod: Pod) => boolean
  /** Whether others may be evicted for the pod. */
  readonly preempts: (pod: Pod) => boolean
}

/** Pods that are placed, or evicted, together: those of a gang that stand on nodes, or those that wait, or a single one. */
export type Unit = Waiting & {
  readonly pods: readonly Pod[]
  /** Its pods stand on nodes; else they wait for some. */
  readonly stands: boolean
  /** It stands, and nobody may evict it. */
  readonly isFixed: boolean
  readonly preempts: boolean
  readonly rank: Rank
  /** The key of the gang's members on nodes, for one that is missing beside them: it comes only where they stay. */
  readonly beside: string | undefined
}

const isDone = ({ phase }: Pod): boolean => phase === 'Succeeded' || phase === 'Failed'

/** On a node, and there to stay unless it is evicted. */
export const stands = (pod: Pod): boolean => pod.nodeName !== undefined && !pod.terminating && !isDone(pod)

/** On a node, or still leaving it. */
export const takesRoom = (pod: Pod): boolean => pod.nodeName !== undefined && !isDone(pod)

/** May be given a node: nothing but muster keeps it waiting. */
const waits = (pod: Pod): boolean =>
  pod.nodeName === undefined && !pod.terminating && !isDone(pod) && pod.gates.every(gate => gate === gangGate)

/**
 * What the pods of one gang make: a unit of all that stand, and one of those that wait. A gang that has begun gets its
 * missing members one by one; one that has not begun needs its minimum, and the later members come once it has.
 */
export function unitsOf(pods: readonly Pod[], rules: Rules): readonly Unit[] {
  const sorted = pods.toSorted((a, b) => a.createdAt - b.createdAt || compare(a.name, b.name))
  const [standing, waiting] = [sorted.filter(stands), sorted.filter(waits)]
  const live = sorted.filter(pod => stands(pod) || waits(pod))
  const group = live[0] && rules.groupOf(live[0])
  if (!group) return []
  const common = { namespace: group.namespace, annotationPriority: 0, rank: lowest(live.map(rules.rankOf)) }
  const unit = (members: readonly Pod[], more: Pick<Unit, 'key' | 'name' | 'stands' | 'beside'>): Unit => ({
    ...common,
    ...more,
    priority: common.rank.own,
    size: members.length,
    createdAt: Math.min(...members.map(pod => pod.createdAt)),
    pods: members,
    isFixed: more.stands && members.some(rules.isProtected),
    preempts: members.every(rules.preempts)
  })
  const named = { name: group.name, beside: undefined }
  if (standing.length > 0) {
    const whole = unit(standing, { ...named, key: group.key, stands: true })
    const missing = waiting.map(pod =>
      unit([pod], { key: `${group.key} ${pod.uid}`, name: pod.name, stands: false, beside: group.key })
    )
    return [whole, ...missing]
  }
  const need = group.minMember ?? waiting.length
  if (waiting.length < need) return []
  return [unit(waiting.slice(0, need), { ...named, key: group.key, stands: false })]
}

/**
 * The order of the units: 1. Who may not be evicted. 2. Higher priority. 3. Who stands, before who waits. 4. Of those who
 * wait the smaller; of those who stand the larger, as more ends with it. 5. Older. 6. Namespace, name and key.
 */
export function inTurn(a: Unit, b: Unit): number {
  return (
    Number(b.isFixed) - Number(a.isFixed) ||
    b.priority - a.priority ||
    Number(b.stands) - Number(a.stands) ||
    (a.stands ? b.size - a.size : 0) ||
    older(a, b)
  )
}

/** Whether the one that waits may take the room of the one that stands. */
export function mayTake(waiting: Unit, standing: Unit): boolean {
  return waiting.preempts && !standing.isFixed && outranks(waiting.rank, standing.rank)
}

/** Whether who comes earlier in the order may always evict who comes later: all ranks are of one scale, and used. */
export function isOneScale(units: readonly Unit[]): boolean {
  if (units.some(unit => !unit.stands && !unit.preempts)) return false
  return units.every(isUniversal) || units.every(({ namespace }) => namespace === units[0]?.namespace)
}

/** Whether its rank means the same in its namespace and in all others. */
export const isUniversal = ({ rank }: Unit): boolean => rank.own === rank.cross
