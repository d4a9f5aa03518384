import { annotations, gangGate, plain } from '../../../policies/names.ts'
import { parseInteger } from '../../../policies/parse.ts'
import type { Pod } from '../../../policies/types.ts'
import { annotation, type Field, firstAt, nameOf, quoted, type Said, saidAt, textAt } from './dialects/fields.ts'
import type { Named } from './dialects/identity.ts'
import { type Completed, type Dialect, dialects, foreign, jobSet } from './dialects/table.ts'

/** What a pod says about its gang; `minMember` is undefined where it declares no size. */
export type Membership = {
  /** `NAMESPACE/DIALECT/NAME`: gangs of two namespaces or dialects never meet. */
  readonly key: string
  readonly namespace: string
  readonly dialect: string
  readonly name: string
  readonly minMember: number | undefined
  /** The pod's part in the gang. */
  readonly role: string | undefined
  /** Minimum by role, as this pod says it. */
  readonly roles: ReadonlyMap<string, number> | undefined
  /** The roles need not stand on every member. */
  readonly rolesOnSome: boolean
  /** The PodGroup that bears the gang's name: `API/NAMESPACE/NAME`. */
  readonly object: string | undefined
  /** The minimum comes from the replicated jobs of a JobSet. */
  readonly replicatedJobs: boolean
  readonly completed: Completed
  /** What is wrong with the declaration, naming the key and the rule. */
  readonly problem: string | undefined
}

type Reading = { readonly row: Dialect; readonly named: Named }

const ownSize = annotation(annotations.minMember)
const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const groupName = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?$/
const dnsRule = 'must be a DNS label (lower-case letters, digits and dashes, at most 63)'
const nameRule = 'must be 1 to 253 letters, digits, dashes, dots or underscores, with a letter or digit at both ends'

/** Pods are immutable, and asked about at every call. */
const known = new WeakMap<Pod, { readonly membership: Membership | undefined }>()

/**
 * The gang that the pod says it belongs to, if any. Native groups are kube-scheduler's own: such pods belong to no
 * gang of ours. A malformed name still makes a gang (of that text), so that its pods are refused instead of started
 * one by one.
 */
export function membership(pod: Pod): Membership | undefined {
  const before = known.get(pod)
  if (before) return before.membership
  const found = pod.native ? undefined : read(pod)
  known.set(pod, { membership: found })
  return found
}

/** True while nothing but muster keeps the pod from being scheduled. */
export function gatedByMuster(pod: Pod): boolean {
  return pod.gates.includes(gangGate)
}

/** True while somebody else's gate keeps the pod from being scheduled. */
export function gatedByOthers(pod: Pod): boolean {
  return pod.gates.some(gate => gate !== gangGate)
}

const fields = [
  ...dialects.flatMap(({ group, size = [], role = [], roles }) => [
    ...[...group.fields, ...size, ...role],
    ...(roles ? [roles.field] : [])
  ]),
  ...Object.values(jobSet),
  ...Object.values(foreign)
]
const keysOf = (kind: Field['kind']): ReadonlySet<string> =>
  new Set(fields.filter(field => field.kind === kind).map(field => field.key))
const others = keysOf('annotation')

/** Whether some dialect or setting reads that annotation of pods. */
export const keepsAnnotation = (key: string): boolean =>
  key.startsWith('muster.dev/') || key === plain.priority || others.has(key)

function read(pod: Pod): Membership | undefined {
  const readings = readingsOf(pod)
  const [first] = readings
  if (!first) return undefined
  const { row, named } = first
  const sizes = sizesOf(pod, readings)
  const roles = rolesOf(pod, readings)
  const problem =
    named.problem ??
    readings.map(wrongName).find(wrong => wrong !== undefined) ??
    disagreement(readings.flatMap(reading => reading.named.said)) ??
    sizes.map(wrongSize).find(wrong => wrong !== undefined) ??
    disagreement(sizes) ??
    wrongRole(pod, readings) ??
    roles.problem
  const [size] = sizes
  return {
    key: `${pod.namespace}/${row.dialect}/${named.id}`,
    namespace: pod.namespace,
    dialect: row.dialect,
    name: named.name,
    minMember: (size && sizeOf(size.text)) ?? row.fixed,
    role: firstAt(
      pod,
      readings.flatMap(reading => reading.row.role ?? [])
    ),
    roles: roles.roles,
    rolesOnSome: roles.onSome,
    object: objectOf(pod, readings),
    replicatedJobs: row.replicatedJobs === true,
    completed: row.completed,
    problem
  }
}

/** What is declared; where nothing is, the first that is implied. */
function readingsOf(pod: Pod): readonly Reading[] {
  const readings = dialects.flatMap(row => {
    const named = row.group.of(pod)
    return named ? [{ row, named }] : []
  })
  const declared = readings.filter(({ row }) => !row.implied)
  return declared.length > 0 ? declared : readings.slice(0, 1)
}

/** muster's own size is read in every dialect; what a controller wrote gives way to it, what a user wrote must agree. */
function sizesOf(pod: Pod, readings: readonly Reading[]): readonly Said[] {
  const own = saidAt(pod, [ownSize])
  if (own.length > 0 && readings[0]?.row.implied) return own
  return [
    ...own,
    ...saidAt(
      pod,
      readings.flatMap(({ row }) => row.size ?? [])
    )
  ]
}

function rolesOf(
  pod: Pod,
  readings: readonly Reading[]
): { roles: Membership['roles']; onSome: boolean; problem: string | undefined } {
  for (const { row } of readings) {
    const text = row.roles && textAt(pod, row.roles.field)
    if (row.roles === undefined || text === undefined) continue
    const { roles, problem } = row.roles.read(text)
    const about = problem === undefined ? undefined : `${nameOf(row.roles.field)} ${problem}`
    return { roles, onSome: row.roles.onSome === true, problem: about }
  }
  return { roles: undefined, onSome: readings.some(({ row }) => row.roles?.onSome === true), problem: undefined }
}

function objectOf(pod: Pod, readings: readonly Reading[]): string | undefined {
  // A name that was made up for a controller's pods is no object's name.
  const reading = readings.find(({ row, named }) => row.object !== undefined && named.said.length > 0)
  return reading && `${reading.row.object}/${pod.namespace}/${reading.named.name}`
}

function wrongName({ row, named }: Reading): string | undefined {
  const own = row.dialect === 'muster'
  const wrong = named.said.find(({ text }) => !(own ? dnsLabel : groupName).test(text))
  return wrong && `${nameOf(wrong.field)}: ${quoted(wrong.text)} ${own ? dnsRule : nameRule}`
}

function wrongSize({ field, text }: Said): string | undefined {
  if (sizeOf(text) !== undefined) return undefined
  return `${nameOf(field)}: ${quoted(text)} must be a decimal integer of at least 1`
}

function sizeOf(text: string): number | undefined {
  const size = parseInteger(text)
  return size !== undefined && size >= 1 ? size : undefined
}

/** muster's own roles are a closed set: a role that is not in it is a slip of the pen. */
function wrongRole(pod: Pod, readings: readonly Reading[]): string | undefined {
  const role = pod.annotations.get(annotations.role)
  if (role === undefined || readings[0]?.row.dialect !== 'muster') return undefined
  const about = `annotation ${annotations.role}: ${quoted(role)}`
  if (!dnsLabel.test(role)) return `${about} ${dnsRule}`
  const { roles } = rolesOf(pod, readings)
  return roles && !roles.has(role) ? `${about} is not one of ${annotations.roles}` : undefined
}

/** All that is said about one thing must be the same. */
function disagreement(said: readonly Said[]): string | undefined {
  const [first] = said
  const other = first && said.find(({ text }) => text !== first.text)
  return (
    first &&
    other &&
    `${nameOf(first.field)} says ${quoted(first.text)}, but ${nameOf(other.field)} says ${quoted(other.text)}`
  )
}
