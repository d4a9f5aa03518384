import type { Node, Pod } from '../../policies/types.ts'
import type { Clock, Random } from '../clock.ts'
import type { Budget, Facts } from '../facts.ts'
import type { State } from '../state.ts'
import type { ApiServer } from './api-server.ts'
import { budget } from './budgets.ts'
import { Complaints } from './complaints.ts'
import { CustomResources } from './custom-resources.ts'
import type { Log } from './log.ts'
import type { KubernetesMetrics } from './metrics.ts'
import type { ReflectorHandler } from './object-store.ts'
import { OptionalReflector } from './optional-reflector.ts'
import type { ControllerKind, ControllerSize, Projector } from './projections.ts'
import { controllerFields, nodeFields, podFields } from './read-fields.ts'
import { Reflector, type ReflectorOptions, usualIdleMs } from './reflector.ts'
import type { Tracer } from './tracer.ts'

export type CacheParts = {
  readonly api: ApiServer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: KubernetesMetrics
  readonly projector: Projector
  readonly state: State
  /** Absent while nobody traces. */
  readonly tracer?: Tracer | undefined
  /** A watch without a byte for so long is opened anew; default 90 s. */
  readonly idleMs?: number
  /** Told of what whoever listens to the state has thrown: it has missed a change. */
  readonly handlerFailed?: (error: unknown) => void
}

const controllers: readonly { readonly kind: ControllerKind; readonly resource: string; readonly path: string }[] = [
  { kind: 'ReplicaSet', resource: 'replicasets', path: '/apis/apps/v1/replicasets' },
  { kind: 'StatefulSet', resource: 'statefulsets', path: '/apis/apps/v1/statefulsets' },
  { kind: 'ReplicationController', resource: 'replicationcontrollers', path: '/api/v1/replicationcontrollers' },
  { kind: 'Job', resource: 'jobs', path: '/apis/batch/v1/jobs' }
]

type AnyReflector = Pick<Reflector<unknown>, 'synced' | 'start' | 'stop' | 'whenSynced'>
/** A watch that is opened anew has so long to tell something; then what it told before is too old to plan by. */
const reopenMs = 10_000

/** Keeps the state in step with the API server: everything that muster plans by. */
export class Cache {
  readonly #reflectors: ReadonlyMap<string, AnyReflector>
  readonly #customResources: CustomResources
  /** By which it is planned. */
  readonly #plannedBy: readonly (readonly [string, AnyReflector & Pick<Reflector<unknown>, 'staleness'>])[]
  readonly #outdatedAfterMs: number

  constructor(parts: CacheParts) {
    const { state, projector } = parts
    const complaints = new Complaints(parts.clock, parts.log)
    const reflect = <T>(
      own: Pick<ReflectorOptions<T>, 'resource' | 'path' | 'project' | 'fields' | 'handler'>
    ): [string, Reflector<T>] => [own.resource, new Reflector({ ...parts, complaints, ...own })]
    this.#customResources = new CustomResources({ ...parts, complaints })
    const [nodes, pods] = [
      { resource: 'nodes', path: '/api/v1/nodes', project: projector.node, fields: nodeFields },
      { resource: 'pods', path: '/api/v1/pods', project: projector.pod, fields: podFields }
    ]
    this.#plannedBy = [
      reflect<Node>({ ...nodes, handler: nodesInto(state) }),
      reflect<Pod>({ ...pods, handler: podsInto(state) })
    ]
    this.#outdatedAfterMs = (parts.idleMs ?? usualIdleMs) + reopenMs
    this.#reflectors = new Map<string, AnyReflector>([
      ...this.#plannedBy,
      ['poddisruptionbudgets', new OptionalReflector({ ...parts, complaints, ...budgetsOf(state.facts) })],
      ...controllers.map(({ kind, resource, path }) =>
        reflect<ControllerSize>({
          resource,
          path,
          project: projector.controller(kind),
          fields: controllerFields,
          handler: sizesInto(state.facts)
        })
      )
    ])
  }

  /** Starts listing; resolves once everything is listed. Nothing but `stop` ends it. */
  async start(): Promise<void> {
    for (const reflector of this.#reflectors.values()) reflector.start()
    const listed = [...this.#reflectors.values()].map(reflector => reflector.whenSynced())
    await Promise.all([...listed, this.#customResources.start()])
  }

  async stop(): Promise<void> {
    const stopped = [...this.#reflectors.values()].map(reflector => reflector.stop())
    await Promise.all([...stopped, this.#customResources.stop()])
  }

  /** Why nodes and pods are seen too badly to plan by; undefined while they are not. */
  outdated(): string | undefined {
    for (const [resource, reflector] of this.#plannedBy) {
      const ms = reflector.staleness()
      if (ms > this.#outdatedAfterMs) return heardNothing(resource, ms)
    }
    return undefined
  }

  /** One condition of readiness per resource. */
  checks(): { readonly name: string; readonly problem: () => string | undefined }[] {
    const all = [...this.#reflectors, ['podgroups', this.#customResources] as const]
    const listed = all.map(([name, reflector]) => ({
      name,
      problem: () => (reflector.synced ? undefined : 'not listed yet')
    }))
    return [...listed, { name: 'up to date', problem: () => this.outdated() }]
  }
}

function heardNothing(resource: string, ms: number): string {
  return `the API server has told nothing of ${resource} for ${Math.floor(ms / 1000)} s`
}

function nodesInto(state: State): ReflectorHandler<Node> {
  return {
    foretell: nodes => nodes.forEach(node => state.setNode(node)),
    replace: nodes => state.replaceNodes(nodes),
    apply: (type, node) => (type === 'DELETED' ? state.removeNode(node.name) : state.setNode(node))
  }
}

function podsInto(state: State): ReflectorHandler<Pod> {
  return {
    foretell: pods => pods.forEach(pod => state.setPod(pod)),
    replace: pods => state.replacePods(pods),
    apply: (type, pod) => (type === 'DELETED' ? state.removePod(pod.uid) : state.setPod(pod))
  }
}

/** Where muster may not read them, the Eviction API still honours them: only some evictions are then tried in vain. */
function budgetsOf(facts: Facts): Pick<ReflectorOptions<Budget>, 'resource' | 'path' | 'project' | 'handler'> {
  const handler: ReflectorHandler<Budget> = {
    replace: budgets => facts.replaceBudgets(budgets),
    apply: (type, one) => (type === 'DELETED' ? facts.removeBudget(one.uid) : facts.setBudget(one))
  }
  return { resource: 'poddisruptionbudgets', path: '/apis/policy/v1/poddisruptionbudgets', project: budget, handler }
}

/** Several kinds share the state's one table, so each takes out only its own. */
function sizesInto(facts: Facts): ReflectorHandler<ControllerSize> {
  let known = new Set<string>()
  return {
    replace(sizes) {
      const listed = new Set(sizes.map(size => size.uid))
      for (const uid of known) if (!listed.has(uid)) facts.removeController(uid)
      for (const size of sizes) facts.setController(size)
      known = listed
    },
    apply(type, size) {
      if (type === 'DELETED') {
        known.delete(size.uid)
        facts.removeController(size.uid)
        return
      }
      known.add(size.uid)
      facts.setController(size)
    }
  }
}
