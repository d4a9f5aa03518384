import { LRUCache } from 'lru-cache'
import { requestsOf } from '../../policies/requests.ts'
import type { HostPort, NodeSelectorTerm, Requirement, Shape, Toleration } from '../../policies/types.ts'
import { integer, type Json, object, objects, text, texts } from '../json.ts'

/** Shapes in use at a time; a cluster has as many as it has kinds of pods. One that fell out is made again, equal but not the same. */
const remembered = 10_000
/** Characters of text that they may take together, whatever users write into their pods. */
const maxSize = 32 * 1024 ** 2
const bounds = { max: remembered, maxSize, sizeCalculation: (_: Shape, key: string): number => key.length + 1 }

type Fields = Omit<Shape, 'key'>

/** Gives pods with equal constraints the same Shape object. */
export class ShapeTable {
  readonly #shapes = new LRUCache<string, Shape>(bounds)
  /** By the text of what the shape is made from: pods of one template are looked up and not computed again. */
  readonly #sources = new LRUCache<string, Shape>(bounds)

  /** The shape of a pod, from its API object. */
  of(pod: Json): Shape {
    const source = sourceText(pod)
    if (source === undefined) return this.#interned(pod)
    const known = this.#sources.get(source)
    if (known) return known
    const shape = this.#interned(pod)
    this.#sources.set(source, shape)
    return shape
  }

  #interned(pod: Json): Shape {
    const fields = fieldsOf(pod)
    const key = keyOf(fields)
    const known = this.#shapes.get(key)
    if (known) return known
    const shape = { key, ...fields }
    this.#shapes.set(key, shape)
    return shape
  }
}

/** Undefined where it is nested too deep to be written, which no real pod is. */
function sourceText(pod: Json): string | undefined {
  try {
    return JSON.stringify(sourceOf(pod))
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** All that decides about the shape, and nothing that differs between pods of one template. */
function sourceOf(pod: Json): unknown {
  const spec = object(pod.spec)
  const status = object(pod.status)
  const { nodeSelector, tolerations, overhead, resources } = spec
  return [
    ...[nodeSelector, tolerations, overhead, resources, object(spec.affinity).nodeAffinity],
    ...[objects(spec.containers).map(asked), objects(spec.initContainers).map(asked)],
    ...[objects(status.containerStatuses).map(granted), objects(status.initContainerStatuses).map(granted)],
    ...[
      text(spec.nodeName) !== undefined,
      status.resize,
      resizeConditions(status),
      status.resources,
      status.allocatedResources
    ]
  ]
}

const asked = ({ name, resources, ports, restartPolicy }: Json): unknown => [name, resources, ports, restartPolicy]
const granted = ({ name, resources, allocatedResources }: Json): unknown => [name, resources, allocatedResources]

function resizeConditions(status: Json): readonly unknown[] {
  const resizing = objects(status.conditions).filter(
    ({ type }) => type === 'PodResizePending' || type === 'PodResizeInProgress'
  )
  return resizing.map(({ type, reason }) => [type, reason])
}

function fieldsOf(pod: Json): Fields {
  const spec = object(pod.spec)
  const selector = Object.entries(object(spec.nodeSelector)).filter((entry): entry is [string, string] => {
    return typeof entry[1] === 'string'
  })
  return {
    requests: requestsOf(pod),
    nodeSelector: new Map(selector.toSorted(byKey)),
    affinity: affinityOf(spec),
    tolerations: sorted(objects(spec.tolerations).map(tolerationOf)),
    hostPorts: sorted(hostPortsOf(spec))
  }
}

function keyOf({ requests, nodeSelector, affinity, tolerations, hostPorts }: Fields): string {
  return JSON.stringify([[...requests].toSorted(byKey), [...nodeSelector], affinity ?? null, tolerations, hostPorts])
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}

/** Order means nothing to the scheduler, so it must mean nothing to the key. */
function sorted<T extends object>(items: readonly T[]): readonly T[] {
  if (items.length < 2) return items
  return items
    .map(item => ({ item, key: JSON.stringify(item) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(entry => entry.item)
}

function tolerationOf(json: Json): Toleration {
  return {
    key: text(json.key) ?? '',
    operator: text(json.operator) ?? 'Equal',
    value: text(json.value) ?? '',
    effect: text(json.effect) ?? ''
  }
}

/** An empty list of terms matches no node, which is not the same as no affinity. */
function affinityOf(spec: Json): readonly NodeSelectorTerm[] | undefined {
  const node = object(object(spec.affinity).nodeAffinity)
  const required = node.requiredDuringSchedulingIgnoredDuringExecution
  if (required === undefined || required === null) return undefined
  return objects(object(required).nodeSelectorTerms).map(term => ({
    matchExpressions: objects(term.matchExpressions).map(requirementOf),
    matchFields: objects(term.matchFields).map(requirementOf)
  }))
}

function requirementOf(json: Json): Requirement {
  return { key: text(json.key) ?? '', operator: text(json.operator) ?? '', values: texts(json.values) }
}

/** Of containers and sidecars; other init containers have left before the ports matter (upstream's NodePorts plugin). */
function hostPortsOf(spec: Json): HostPort[] {
  const sidecars = objects(spec.initContainers).filter(container => container.restartPolicy === 'Always')
  const ports = [...sidecars, ...objects(spec.containers)].flatMap(container => objects(container.ports))
  return ports.flatMap(json => {
    const port = integer(json.hostPort) ?? 0
    if (port <= 0) return []
    return [{ hostIP: text(json.hostIP) ?? '', protocol: text(json.protocol) ?? 'TCP', port }]
  })
}
