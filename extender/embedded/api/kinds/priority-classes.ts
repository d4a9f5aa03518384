import type { KubeObject } from '../../store/objects.ts'
import type { Store } from '../../store/store.ts'
import { forbidden, type Problem } from '../errors.ts'
import { type Fields, fields, text } from '../fields.ts'
import { immutable } from '../metadata-rules.ts'
import { withField, withMetadata } from '../metadata.ts'
import { choice } from './choices.ts'
import type { Context, Strategy } from '../strategy.ts'

/** The classes that every cluster has. */
export const systemClasses: readonly KubeObject[] = [
  systemClass(
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.'
  ),
  systemClass(
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.'
  )
]

function systemClass(name: string, value: number, description: string): KubeObject {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description }
}

const highestOfUsers = 1_000_000_000
const id = 'priorityclasses.scheduling.k8s.io'

/** How PriorityClasses are completed and checked. */
export const priorityClassStrategy: Partial<Strategy> = {
  defaults: object => ({ preemptionPolicy: 'PreemptLowerPriority', value: 0, ...object }),
  // Upstream never counts on.
  create: (object, context) => withMetadata(onlyDefault(object, context), { generation: 1 }),
  update: (object, _current, context) => onlyDefault(object, context),
  validate: (object, current) => [
    ...(current === undefined ? creationProblems(object) : changeProblems(object, current)),
    ...choice(object['preemptionPolicy'], ['PreemptLowerPriority', 'Never'], 'preemptionPolicy')
  ],
  deletable: ({ metadata: { name } }, { resource }) => {
    if (isSystem(name)) throw forbidden(resource, name, 'this is a system priority class and cannot be deleted')
  }
}

/** Throws where another class is the default already. */
function onlyDefault(object: KubeObject, { store, resource }: Context): KubeObject {
  const other = object['globalDefault'] === true ? globalDefault(store) : undefined
  if (other === undefined || other.metadata.name === object.metadata.name) return object
  const message = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`
  throw forbidden(resource, object.metadata.name, message)
}

const isSystem = (name: string): boolean => systemClasses.some(({ metadata }) => metadata.name === name)

function creationProblems(object: KubeObject): readonly Problem[] {
  const { name } = object.metadata
  if (isSystem(name)) return []
  if (name.startsWith('system-')) {
    const detail = `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`
    return [{ field: 'metadata.name', type: 'forbidden', detail }]
  }
  const value = object['value']
  if (typeof value !== 'number' || value <= highestOfUsers) return []
  const detail = `maximum allowed value of a user defined priority is ${highestOfUsers}`
  return [{ field: 'value', type: 'forbidden', detail }]
}

function changeProblems(object: KubeObject, current: KubeObject): readonly Problem[] {
  const detail = 'may not be changed in an update.'
  return [
    ...(object['value'] === current['value'] ? [] : [{ field: 'value', type: 'forbidden', detail } as const]),
    ...immutable(current['preemptionPolicy'], object['preemptionPolicy'], 'preemptionPolicy')
  ]
}

function globalDefault(store: Store): KubeObject | undefined {
  const all = store
    .table(id)
    .list()
    .filter(object => object['globalDefault'] === true)
  return all.reduce<KubeObject | undefined>(
    (lowest, object) => (lowest !== undefined && Number(lowest['value']) <= Number(object['value']) ? lowest : object),
    undefined
  )
}

/** The pod with the priority that its class gives; the number is nobody's to choose. */
export function withPriority(pod: KubeObject, { store, resource }: Context): KubeObject {
  const spec = fields(pod['spec'])
  const { name } = pod.metadata
  const wanted = text(spec['priorityClassName'])
  const found = wanted === undefined ? globalDefault(store) : store.table(id).get('', wanted)
  if (wanted !== undefined && found === undefined)
    throw forbidden(resource, name, `no PriorityClass with name ${wanted} was found`)
  const priority = Number(found?.['value'] ?? 0)
  const preemptionPolicy = text(found?.['preemptionPolicy']) ?? 'PreemptLowerPriority'
  const wrong = ownChoice(spec, { priority, preemptionPolicy })
  if (wrong !== undefined) throw forbidden(resource, name, wrong)
  const named = found === undefined ? {} : { priorityClassName: found.metadata.name }
  return withField(pod, 'spec', { ...spec, ...named, priority, preemptionPolicy })
}

type Computed = { readonly priority: number; readonly preemptionPolicy: string }

const rule = (said: string, computed: string): string =>
  `the ${said} must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`

/** What a pod says of its priority that its class does not say. */
function ownChoice(spec: Fields, { priority, preemptionPolicy }: Computed): string | undefined {
  const { priority: number = priority, preemptionPolicy: policy = preemptionPolicy } = spec
  if (number !== priority) return rule(`integer value of priority (${String(number)})`, String(priority))
  if (policy !== preemptionPolicy) return rule(`string value of PreemptionPolicy (${String(policy)})`, preemptionPolicy)
  return undefined
}

/** The pod with the priority that it had, where a change does not speak of it. */
export function withFormerPriority(pod: KubeObject, current: KubeObject): KubeObject {
  const { priority, preemptionPolicy } = fields(current['spec'])
  return withField(pod, 'spec', { priority, preemptionPolicy, ...fields(pod['spec']) })
}
