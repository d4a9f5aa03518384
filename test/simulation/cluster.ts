import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { StatusError } from '../../extender/embedded/store/objects.ts'
import { object, objects, text } from '../../extender/json.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'
import type { ApiTruth } from './api-truth.ts'
import type { Chance } from './chance.ts'
import type { Journal } from './journal.ts'

/** What is wanted of a gang. */
export type GangSpec = {
  readonly namespace: string
  readonly name: string
  readonly min: number
  /** Cores of each member. */
  readonly size: number
  readonly priority: keyof typeof priorities
  readonly gated: boolean
  /** Its members are to be let go by pins. */
  readonly pin: boolean
  /** Its controller makes a new pod in the place of one that is gone: under its name, or another. */
  readonly keeps: 'nobody' | 'names' | 'numbers'
  readonly graceSeconds: number
  /** It has ended, and nobody makes its pods anew. */
  done: boolean
}

export const priorities = { low: 0, middle: 10, high: 20 } as const

export type ClusterParts = {
  readonly truth: ApiTruth
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly journal: Journal
}

const timestamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

/** Kubelets, controllers and users: what else writes to the API, in virtual time. */
export class Cluster {
  readonly gangs = new Map<string, GangSpec>()
  readonly #parts: ClusterParts
  #count = 0

  constructor(parts: ClusterParts) {
    this.#parts = parts
    const { api } = parts.truth
    for (const [name, value] of Object.entries(priorities))
      api.create('priorityclasses.scheduling.k8s.io', {
        ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value }
      })
    for (const name of ['a', 'b']) api.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    api.watch('pods', ({ type, object: pod }) => {
      if (type === 'DELETED') this.#gone(pod)
      else this.#changed(pod)
    })
  }

  get api() {
    return this.#parts.truth.api
  }

  /** The next number, for names. */
  next(): number {
    return this.#count++
  }

  nodes(): readonly KubeObject[] {
    return this.api.list('nodes').items
  }

  addNode(name: string, cores: number): void {
    const room = { cpu: String(cores), memory: '64Gi', pods: '110' }
    const conditions = [{ type: 'Ready', status: 'True' }]
    this.api.create('nodes', {
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'kubernetes.io/hostname': name } } },
      ...{ spec: {}, status: { capacity: room, allocatable: room, conditions } }
    })
  }

  setNode(name: string, { cores, cordoned }: { readonly cores?: number; readonly cordoned?: boolean }): void {
    if (cordoned !== undefined)
      this.api.patch({ resource: 'nodes', name }, { spec: { unschedulable: cordoned } }, { type: 'merge' })
    if (cores === undefined) return
    const room = { cpu: String(cores) }
    const status = { allocatable: room, capacity: room }
    this.api.patch({ resource: 'nodes', name }, { status }, { type: 'merge', subresource: 'status' })
  }

  /** With its pods, as the garbage collector does. */
  loseNode(name: string): void {
    this.api.delete({ resource: 'nodes', name })
    for (const pod of this.#parts.truth.pods()) if (object(pod.spec).nodeName === name) this.remove(pod, 0)
  }

  addGang(spec: GangSpec, count: number): void {
    this.gangs.set(`${spec.namespace}/${spec.name}`, spec)
    for (let index = 0; index < count; index += 1) this.addMember(spec, `${spec.name}-${index}`)
  }

  addMember(spec: GangSpec, name: string): void {
    const named = { 'muster.dev/gang': spec.name, 'muster.dev/min-member': String(spec.min) }
    const annotations = { ...named, ...(spec.pin && { 'muster.dev/pin': 'true' }) }
    this.addPod({ ...spec, name, annotations, ...(spec.gated && { gates: [{ name: 'muster.dev/gang' }] }) })
  }

  addPod(pod: {
    readonly namespace: string
    readonly name: string
    readonly size: number
    readonly priority: string
    readonly scheduler?: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
    readonly gates?: readonly object[]
    readonly graceSeconds?: number
  }): void {
    const { namespace, name, size, priority, scheduler = 'muster', annotations = {}, labels = {} } = pod
    const { gates = [], graceSeconds = 1 } = pod
    const resources = { requests: { cpu: String(size) } }
    this.#try(() =>
      this.api.create('pods', {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace, name, annotations, labels: { app: name.split(/[-.]/)[0] ?? '', ...labels } },
        spec: {
          ...{ schedulerName: scheduler, priorityClassName: priority, terminationGracePeriodSeconds: graceSeconds },
          containers: [{ name: 'main', image: 'none', resources }],
          ...(gates.length > 0 && { schedulingGates: gates })
        }
      })
    )
  }

  remove(pod: KubeObject, graceSeconds?: number): void {
    const { namespace = '', name } = pod.metadata
    const grace = graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }
    this.#try(() => this.api.delete({ resource: 'pods', namespace, name }, grace))
  }

  /** Its work is done: who runs succeeds, and who has not begun is not needed any more. */
  finish(spec: GangSpec): void {
    spec.done = true
    for (const pod of this.membersOf(spec)) {
      if (isStanding(pod)) this.setPhase(pod, 'Succeeded')
      else this.remove(pod)
    }
  }

  setPhase(pod: KubeObject, phase: string): void {
    this.#status(pod, { phase })
  }

  /** Others erase nominations at any time. */
  eraseNomination(pod: KubeObject): void {
    this.#status(pod, { nominatedNodeName: null })
  }

  membersOf({ namespace, name }: GangSpec): KubeObject[] {
    return this.#parts.truth.pods().filter(pod => pod.metadata.namespace === namespace && gangNameOf(pod) === name)
  }

  specOf(pod: KubeObject): GangSpec | undefined {
    return this.gangs.get(`${pod.metadata.namespace}/${gangNameOf(pod)}`)
  }

  /** At least so many of the pods with that label are to stay; none: the budget is gone. */
  setBudget(namespace: string, app: string, minAvailable: number | undefined): void {
    const reference = { resource: 'poddisruptionbudgets.policy', namespace, name: app }
    if (this.api.get(reference)) this.#try(() => this.api.delete(reference))
    if (minAvailable === undefined) return
    this.api.create(reference.resource, {
      ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { namespace, name: app } },
      spec: { minAvailable, selector: { matchLabels: { app } } }
    })
    this.#countBudgets()
  }

  /** What the disruption controller writes. */
  #countBudgets(): void {
    for (const budget of this.api.list('poddisruptionbudgets.policy').items) {
      const { namespace = '', name, generation = 1 } = budget.metadata
      const pods = this.#parts.truth.pods().filter(pod => pod.metadata.namespace === namespace && appOf(pod) === name)
      const currentHealthy = pods.filter(pod => isStanding(pod) && isReady(pod)).length
      const desiredHealthy = Number(object(budget.spec).minAvailable)
      const disruptionsAllowed = Math.max(0, currentHealthy - desiredHealthy)
      const status = { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods: pods.length }
      const all = { ...status, observedGeneration: generation, disruptedPods: null }
      const reference = { resource: 'poddisruptionbudgets.policy', namespace, name }
      this.api.patch(reference, { status: all }, { type: 'merge', subresource: 'status' })
    }
  }

  #changed(pod: KubeObject): void {
    const { deletionTimestamp, uid } = pod.metadata
    const { phase } = object(pod.status)
    if (object(pod.spec).nodeName === undefined) return
    if (deletionTimestamp !== undefined) return this.#stop(pod)
    if (phase === 'Pending') this.#later(50, 1_500, () => this.#isNow(uid, now => this.#started(now)))
    if (phase === 'Failed') this.#later(100, 2_000, () => this.#isNow(uid, now => this.remove(now, 0)))
  }

  #started(pod: KubeObject): void {
    if (object(pod.status).phase !== 'Pending' || pod.metadata.deletionTimestamp !== undefined) return
    const conditions = [{ type: 'Ready', status: 'True' }]
    this.#status(pod, { phase: 'Running', startTime: timestamp(this.#parts.clock.wall()), conditions })
    this.#countBudgets()
  }

  /** Some stop at once, some use all the time they have. */
  #stop(pod: KubeObject): void {
    if (this.#stopping.has(pod.metadata.uid ?? '')) return
    this.#stopping.add(pod.metadata.uid ?? '')
    const most = (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1_000
    const ms = this.#parts.chance.is(0.5) ? most : 0
    this.#later(ms, most, () => this.#isNow(pod.metadata.uid, now => this.remove(now, 0)))
    this.#later(10, 100, () => this.#countBudgets())
  }

  readonly #stopping = new Set<string>()

  /** Its controller misses it. */
  #gone(pod: KubeObject): void {
    const spec = this.specOf(pod)
    if (!spec || spec.done || spec.keeps === 'nobody') return
    const { name } = pod.metadata
    const successor = spec.keeps === 'names' ? name : `${name.split('.')[0]}.${this.next()}`
    this.#later(10, 3_000, () => {
      if (spec.done) return
      if (spec.keeps === 'names') this.#parts.journal.sees('pod recreated under its name')
      this.addMember(spec, successor)
    })
  }

  #status(pod: KubeObject, status: { readonly [key: string]: never } | object): void {
    const { namespace = '', name } = pod.metadata
    const patch = { metadata: { uid: pod.metadata.uid ?? '' }, status } as never
    this.#try(() =>
      this.api.patch({ resource: 'pods', namespace, name }, patch, { type: 'strategic', subresource: 'status' })
    )
  }

  #isNow(uid: string | undefined, task: (pod: KubeObject) => void): void {
    const pod = this.#parts.truth.pods().find(each => each.metadata.uid === uid)
    if (pod) task(pod)
  }

  #later(least: number, most: number, task: () => void): void {
    this.#parts.clock.after(this.#parts.chance.between(least, Math.max(least, most)), task)
  }

  /** Whoever comes too late is refused, as anywhere. */
  #try(write: () => void): void {
    try {
      write()
    } catch (error) {
      if (!(error instanceof StatusError) || error.status === 400 || error.status === 422) throw error
    }
  }
}

export function gangNameOf(pod: KubeObject): string {
  return pod.metadata.annotations?.['muster.dev/gang'] ?? ''
}

export const appOf = (pod: KubeObject): string => pod.metadata.labels?.['app'] ?? ''

export function nodeOf(pod: KubeObject): string | undefined {
  return text(object(pod.spec).nodeName)
}

export function priorityOf(pod: KubeObject): number {
  return Number(object(pod.spec).priority ?? 0)
}

export const isDone = (pod: KubeObject): boolean => ['Succeeded', 'Failed'].includes(String(object(pod.status).phase))

/** On a node, and to stay there. */
export function isStanding(pod: KubeObject): boolean {
  return nodeOf(pod) !== undefined && !isDone(pod) && pod.metadata.deletionTimestamp === undefined
}

const isReady = (pod: KubeObject): boolean =>
  objects(object(pod.status).conditions).some(({ type, status }) => type === 'Ready' && status === 'True')

/** Cores. */
export function sizeOf(pod: KubeObject): number {
  return objects(object(pod.spec).containers).reduce(
    (sum, { resources }) => sum + Number(object(object(resources).requests).cpu ?? 0),
    0
  )
}

export function coresOf(node: KubeObject): number {
  return Number(object(object(node.status).allocatable).cpu)
}
