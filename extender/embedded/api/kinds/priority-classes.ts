import type { KubeObject } from '../../store/objects.ts'
import type { Store } from '../../store/store.ts'
import { forbidden, type Problem } from '../errors.ts'
import { fields, text } from '../fields.ts'
import { withField } from '../metadata.ts'
import type { Context, Strategy } from '../strategies.ts'

/** The classes that every cluster has. */
export const systemClasses: readonly KubeObject[] = [
  systemClass('system-node-critical', 2_000_001_000, 'Used for system critical pods that must not be moved from their current node.'),
  systemClass('system-cluster-critical', 2_000_000_000, 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.')
]

function systemClass(name: string, value: number, description: string): KubeObject {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description }
}

const highestOfUsers = 1_000_000_000
const id = 'priorityclasses.scheduling.k8s.io'

/** How PriorityClasses are completed and checked. */
export const priorityClassStrategy: Partial<Strategy> = {
  defaults: object => ({ preemptionPolicy: 'PreemptLowerPriority', value: 0, ...object }) as KubeObject,
  create: (object, { store, resource }) => {
    const other = object['globalDefault'] === true ? globalDefault(store) : undefined
    if (other === undefined) return object
    const message = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`
    throw forbidden(resource, object.metadata.name, message)
  },
  validate: (object, current) => (current === undefined ? creationProblems(object) : changeProblems(object, current)),
  deletable: ({ metadata: { name } }, { resource }) => {
    if (isSystem(name)) throw forbidden(resource, name, 'this is a system priority class and cannot be deleted')
  }
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
  const changed = ['value', 'preemptionPolicy'].filter(field => object[field] !== current[field])
  return changed.map(field => ({ field, type: 'forbidden', detail: 'may not be changed in an update.' }))
}

function globalDefault(store: Store): KubeObject | undefined {
  const all = store.table(id).list().filter(object => object['globalDefault'] === true)
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
  checkNumber(pod, priority, resource)
  const preemptionPolicy = spec['preemptionPolicy'] ?? found?.['preemptionPolicy'] ?? 'PreemptLowerPriority'
  const named = found === undefined ? {} : { priorityClassName: found.metadata.name }
  return withField(pod, 'spec', { ...spec, ...named, priority, preemptionPolicy })
}

function checkNumber(pod: KubeObject, computed: number, resource: Context['resource']): void {
  const { priority } = fields(pod['spec'])
  if (priority === undefined || priority === computed) return
  const message = `the integer value of priority (${String(priority)}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`
  throw forbidden(resource, pod.metadata.name, message)
}
