import type { FilterPlugin } from '../policies/framework.ts'
import { nodeInfo, Snapshot } from '../policies/snapshot.ts'
import type { HostPort, Node, NodeSelectorTerm, Pod, Requirement, Shape, Toleration } from '../policies/types.ts'

const GiB = 1024 ** 3
const none: Shape = {
  key: '',
  requests: new Map([['pods', 1]]),
  nodeSelector: new Map(),
  affinity: undefined,
  tolerations: [],
  hostPorts: []
}

const entriesOf = (map: ReadonlyMap<string, unknown>) => [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))

type Fields = Partial<Omit<Shape, 'key'>>

/** Pods with equal constraints share one shape, as the projections promise. */
const shapes = new Map<string, Shape>()
function shapeOf(shape: Shape, fields: Fields): Shape {
  const next = { ...shape, ...fields }
  const key = JSON.stringify([
    entriesOf(next.requests),
    entriesOf(next.nodeSelector),
    next.affinity ?? null,
    next.tolerations,
    next.hostPorts
  ])
  const known = shapes.get(key)
  if (known) return known
  shapes.set(key, { ...next, key })
  return { ...next, key }
}

class PodBuilder {
  readonly #pod: Pod
  constructor(pod: Pod) {
    this.#pod = pod
  }

  /** Anything that has no method of its own. */
  with(patch: Partial<Pod>) {
    return new PodBuilder({ ...this.#pod, ...patch })
  }

  #shape(fields: Fields) {
    return this.with({ shape: shapeOf(this.#pod.shape, fields) })
  }

  uid(uid: string) {
    return this.with({ uid })
  }

  namespace(namespace: string) {
    return this.with({ namespace, uid: `${namespace}/${this.#pod.name}` })
  }

  scheduler(schedulerName: string) {
    return this.with({ schedulerName })
  }

  priority(priority: number) {
    return this.with({ priority })
  }

  /** Own annotations `muster.dev/gang` and `muster.dev/min-member`. */
  gang(name: string, minMember?: number) {
    const named = this.annotation('muster.dev/gang', name)
    return minMember === undefined ? named : named.annotation('muster.dev/min-member', String(minMember))
  }

  annotation(key: string, value: string) {
    return this.with({ annotations: new Map([...this.#pod.annotations, [key, value]]) })
  }

  label(key: string, value: string) {
    return this.with({ labels: new Map([...this.#pod.labels, [key, value]]) })
  }

  /** Gated; by muster's own gate unless told otherwise. */
  gated(...gates: string[]) {
    return this.with({ gates: gates.length === 0 ? ['muster.dev/gang'] : gates })
  }

  nominated(nominatedNodeName: string) {
    return this.with({ nominatedNodeName })
  }

  /** Milliseconds since the epoch. */
  createdAt(createdAt: number) {
    return this.with({ createdAt })
  }

  /** Bound to a node and running there. */
  on(nodeName: string) {
    return this.with({ nodeName, phase: 'Running' })
  }

  request(name: string, amount: number) {
    return this.#shape({ requests: new Map([...this.#pod.shape.requests, [name, amount]]) })
  }

  /** Millicores. */
  cpu(milli: number) {
    return this.request('cpu', milli)
  }

  /** GiB. */
  memory(gib: number) {
    return this.request('memory', gib * GiB)
  }

  select(key: string, value: string) {
    return this.#shape({ nodeSelector: new Map([...this.#pod.shape.nodeSelector, [key, value]]) })
  }

  /** One more term of the required node affinity, made of label expressions. */
  require(...matchExpressions: Requirement[]) {
    return this.term({ matchExpressions, matchFields: [] })
  }

  term(term: NodeSelectorTerm) {
    return this.#shape({ affinity: [...(this.#pod.shape.affinity ?? []), term] })
  }

  tolerate(toleration: Partial<Toleration>) {
    const whole = { key: '', operator: '', value: '', effect: '', ...toleration }
    return this.#shape({ tolerations: [...this.#pod.shape.tolerations, whole] })
  }

  port(port: number, protocol = 'TCP', hostIP = '') {
    const hostPort: HostPort = { hostIP, protocol, port }
    return this.#shape({ hostPorts: [...this.#pod.shape.hostPorts, hostPort] })
  }

  obj(): Pod {
    return this.#pod
  }
}

class NodeBuilder {
  readonly #node: Node
  constructor(node: Node) {
    this.#node = node
  }

  /** Anything that has no method of its own. */
  with(patch: Partial<Node>) {
    return new NodeBuilder({ ...this.#node, ...patch })
  }

  allocatable(name: string, amount: number) {
    return this.with({ allocatable: new Map([...this.#node.allocatable, [name, amount]]) })
  }

  /** Cores. */
  cpu(cores: number) {
    return this.allocatable('cpu', cores * 1000)
  }

  /** GiB. */
  memory(gib: number) {
    return this.allocatable('memory', gib * GiB)
  }

  maxPods(count: number) {
    return this.allocatable('pods', count)
  }

  label(key: string, value: string) {
    return this.with({ labels: new Map([...this.#node.labels, [key, value]]) })
  }

  taint(key: string, value = '', effect = 'NoSchedule') {
    return this.with({ taints: [...this.#node.taints, { key, value, effect }] })
  }

  cordoned() {
    return this.with({ unschedulable: true })
  }

  notReady() {
    return this.with({ ready: false })
  }

  obj(): Node {
    return this.#node
  }
}

/** A pending pod that asks for nothing: uid `ns/NAME`, schedulerName muster, priority 0. */
export const pod = (name: string) =>
  new PodBuilder({
    uid: `ns/${name}`,
    namespace: 'ns',
    name,
    schedulerName: 'muster',
    priority: 0,
    createdAt: 0,
    phase: 'Pending',
    terminating: false,
    leavesBy: undefined,
    startedAt: undefined,
    graceMs: 0,
    preempts: true,
    gates: [],
    nodeName: undefined,
    nominatedNodeName: undefined,
    scheduled: undefined,
    native: false,
    inTree: false,
    repels: false,
    managed: false,
    controller: undefined,
    labels: new Map(),
    annotations: new Map(),
    shape: shapeOf(none, {})
  })

/** A ready node with 4 cores, 64 GiB and room for 110 pods. */
export const node = (name: string) =>
  new NodeBuilder({
    name,
    uid: `uid-${name}`,
    labels: new Map([['kubernetes.io/hostname', name]]),
    taints: [],
    unschedulable: false,
    ready: true,
    allocatable: new Map([
      ['cpu', 4000],
      ['memory', 64 * GiB],
      ['pods', 110]
    ])
  })

/** Those nodes, with those of the pods that have a node standing on it. */
export function snapshot(nodes: readonly NodeBuilder[], pods: readonly PodBuilder[] = []): Snapshot {
  const all = pods.map(each => each.obj())
  return new Snapshot(
    nodes
      .map(each => each.obj())
      .map(each =>
        nodeInfo(
          each,
          all.filter(one => one.nodeName === each.name)
        )
      )
  )
}

/** N pods of one kind: `name-0` to `name-N-1`. */
export const pods = (count: number, name: string, build: (one: PodBuilder) => PodBuilder = one => one): PodBuilder[] =>
  Array.from({ length: count }, (_, index) => build(pod(`${name}-${index}`)))

/** N nodes of one kind: `name-0` to `name-N-1`. */
export const nodes = (
  count: number,
  name = 'n',
  build: (one: NodeBuilder) => NodeBuilder = one => one
): NodeBuilder[] => Array.from({ length: count }, (_, index) => build(node(`${name}-${index}`)))

/** What a plugin says about a pod on a node where those pods stand: undefined or its reason. */
export function reasonOf(plugin: FilterPlugin, one: PodBuilder, on: NodeBuilder, standing: readonly PodBuilder[] = []) {
  const status = plugin.filter(
    one.obj().shape,
    nodeInfo(
      on.obj(),
      standing.map(each => each.obj())
    )
  )
  return status.code === 'Success' ? undefined : status.reason
}

export type { NodeBuilder, PodBuilder }
