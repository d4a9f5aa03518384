import type { Node, Pod } from '../../policies/types.ts'
import { UsageError } from '../errors.ts'
import { integer, type Json, object, objects, text } from '../json.ts'
import { Projector } from './projections.ts'

/** Nodes and pods that somebody wrote down. */
export type Described = { readonly nodes: readonly Node[]; readonly pods: readonly Pod[] }

/** Nobody means more pods of one object. */
const mostPods = 100_000
const workloads: ReadonlySet<string> = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'Job'])
/** Kubernetes makes these. */
const critical = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 }

/**
 * Reads nodes, pods and lists of them, as the API server prints them or as users write them: what a manifest leaves out
 * is what the API server would make of it. Workloads that are in no cluster yet, which have no uid, stand for the pods
 * that they are to make. Other objects say nothing here. Throws UsageError for what has no name.
 */
export function clusterOf(given: readonly unknown[], keepAnnotation: (key: string) => boolean): Described {
  const all = given.flatMap(itemsOf)
  const of = (kind: string): readonly Json[] => all.filter(each => each.kind === kind)
  const projector = new Projector({ keepAnnotation })
  const priorities = prioritiesOf(of('PriorityClass'))
  const made = all.filter(
    ({ kind, metadata }) => workloads.has(text(kind) ?? '') && text(object(metadata).uid) === undefined
  )
  const pods = [...of('Pod'), ...made.flatMap(podsOf)].map(pod => completed(pod, priorities))
  return {
    nodes: of('Node').map(node => projector.node(completed(node, priorities))),
    pods: pods.map(projector.pod)
  }
}

function itemsOf(given: unknown): readonly Json[] {
  const json = object(given)
  const kind = text(json.kind) ?? ''
  if (!kind.endsWith('List')) return [json]
  // Items of a typed list do not say their kind.
  return objects(json.items).flatMap(item => itemsOf({ kind: kind.slice(0, -'List'.length), ...item }))
}

function prioritiesOf(classes: readonly Json[]): ReadonlyMap<string, number> {
  const said = classes.map((each): [string, number] => [
    text(object(each.metadata).name) ?? '',
    integer(each.value) ?? 0
  ])
  const usual = classes.find(({ globalDefault }) => globalDefault === true)
  return new Map([...Object.entries(critical), ...said, ['', integer(usual?.value) ?? 0]])
}

/** With what the API server adds to every object, as far as it is read. */
function completed(json: Json, priorities: ReadonlyMap<string, number>): Json {
  const metadata = object(json.metadata)
  const spec = object(json.spec)
  const name = text(metadata.name)
  if (name === undefined) throw new UsageError(`a ${text(json.kind)} has no metadata.name`)
  const namespace = text(metadata.namespace) ?? 'default'
  const uid = text(metadata.uid) ?? `${text(json.kind)}/${namespace}/${name}`
  const priority = integer(spec.priority) ?? priorities.get(text(spec.priorityClassName) ?? '')
  return { ...json, metadata: { ...metadata, namespace, uid }, spec: { ...spec, priority } }
}

function podsOf(workload: Json): readonly Json[] {
  const { kind, metadata: meta, spec: all } = workload
  const [metadata, spec] = [object(meta), object(all)]
  const name = text(metadata.name)
  if (name === undefined) throw new UsageError(`a ${text(kind)} has no metadata.name`)
  const count = integer(kind === 'Job' ? spec.parallelism : spec.replicas) ?? 1
  if (count > mostPods) throw new UsageError(`${text(kind)} ${name}: ${count} pods are more than ${mostPods}`)
  const template = object(spec.template)
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    kind: 'Pod',
    metadata: { ...object(template.metadata), name: `${name}-${index}`, namespace: metadata.namespace },
    spec: template.spec
  }))
}
