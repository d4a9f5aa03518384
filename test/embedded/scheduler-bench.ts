import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type Clock, systemClock } from '../../extender/clock.ts'
import { openApi } from '../../extender/embedded/api/api.ts'
import { type Scheduler, startScheduler } from '../../extender/embedded/scheduler/scheduler.ts'
import type { Json, KubeObject } from '../../extender/embedded/store/objects.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { nodeObject, type NodeOptions, type Pod, podObject, type PodOptions } from '../control-plane/objects.ts'
import { FakeExtender } from './fake-extender.ts'

type Api = ReturnType<typeof openApi>
type Entry = Record<string, unknown>

const silent = {
  debug() {},
  info() {},
  warn() {},
  error(fields: object) {
    console.error(fields)
  }
}

/** An API, a scheduler over it, and whoever it asks. */
export type Bench = {
  readonly api: Api
  readonly scheduler: Scheduler
  node(name: string, options?: NodeOptions): void
  pod(name: string, options?: BenchPod): KubeObject
  /** A pod that stands on a node already, and began to run after those before it. */
  bound(name: string, node: string, options?: BenchPod): KubeObject
  get(name: string): Pod | undefined
  uid(name: string): string
  nodeOf(name: string): string | undefined
  nominated(name: string): string | undefined
  /** What was told of all pods, as `[type, reason, message]`, in the order of the texts. */
  events(): readonly (readonly string[])[]
  /** The condition PodScheduled as `reason: message`. */
  said(name: string): string
  patch(name: string, patch: object, subresource?: 'status'): void
  until(what: string, condition: () => boolean, ms?: number): Promise<void>
  /** Long enough for everything that is under way on this machine; for what must not happen. */
  quiet(): Promise<void>
}

/** `never`: of a class that may not preempt. */
export type BenchPod = PodOptions & { priority?: number; never?: boolean; spec?: object }

export type BenchOptions = {
  readonly clock?: Clock
  readonly extenders?: readonly Entry[]
  readonly config?: Entry
  readonly seed?: number
  /** What is there before the scheduler is. */
  readonly before?: (api: Api) => void
}

/** mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Starts one; it ends with the test. */
export function bench(t: Test, options: BenchOptions = {}): Bench {
  const { clock = systemClock, extenders = [], config = {} } = options
  const random = seeded(options.seed ?? 1)
  const api = openApi({ clock, random })
  options.before?.(api)
  const scheduler = startScheduler({
    client: api,
    clock,
    random,
    log: silent,
    project: new Projector(),
    config: { kind: 'KubeSchedulerConfiguration', profiles: [{ schedulerName: 'muster' }], extenders, ...config }
  })
  t.teardown(() => scheduler.stop())
  let started = 0
  const get = (name: string) => api.get({ resource: 'pods', namespace: 'default', name }) as Pod | undefined
  return {
    api,
    scheduler,
    get,
    node: (name, node = {}) => void api.create('nodes', nodeObject(name, { slots: 10, ...node }) as KubeObject),
    pod: (name, pod = {}) => api.create('pods', withSpec(name, pod, api)),
    bound(name, node, pod = {}) {
      const made = api.create('pods', withSpec(name, { ...pod, spec: { ...pod.spec, nodeName: node } }, api))
      const startTime = new Date(Date.UTC(2026, 0, 1, 0, started++)).toISOString()
      const status = { phase: 'Running', startTime }
      return api.patch({ resource: 'pods', namespace: 'default', name }, { status }, { subresource: 'status' }) ?? made
    },
    uid: name => get(name)?.metadata.uid ?? '',
    nodeOf: name => get(name)?.spec.nodeName,
    nominated: name => get(name)?.status.nominatedNodeName,
    events: () =>
      api
        .list('events')
        .items.map(({ type, reason, message }) => [String(type), String(reason), String(message)])
        .toSorted((a, b) => (a.join('|') < b.join('|') ? -1 : 1)),
    said(name) {
      const condition = get(name)?.status.conditions?.find(each => each.type === 'PodScheduled')
      return condition ? `${condition.reason ?? condition.status}: ${condition.message ?? ''}` : ''
    },
    patch(name, patch, subresource) {
      const reference = { resource: 'pods', namespace: 'default', name }
      api.patch(reference, patch as Json, { type: 'merge', ...(subresource && { subresource }) })
    },
    async until(what, condition, ms = 5_000) {
      const end = performance.now() + ms
      while (!condition()) {
        if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
        await sleep(5)
      }
    },
    quiet: () => sleep(150)
  }
}

function withSpec(name: string, options: BenchPod, api: Api): KubeObject {
  const { priority, never = false, spec, ...rest } = options
  const ranked = priority === undefined ? {} : { priorityClassName: classOf(priority, never, api) }
  const pod = podObject(name, { ...rest, ...ranked })
  const metadata = { ...pod.metadata, namespace: 'default' }
  return { apiVersion: 'v1', kind: 'Pod', ...pod, metadata, spec: { ...(pod['spec'] as object), ...spec } }
}

/** Pods have their priority from a class only. */
function classOf(value: number, never: boolean, api: Api): string {
  const [resource, name] = ['priorityclasses.scheduling.k8s.io', `${never ? 'never' : 'class'}-${value}`]
  if (api.get({ resource, name })) return name
  const policy = never ? { preemptionPolicy: 'Never' } : {}
  const type = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' }
  return api.create(resource, { ...type, metadata: { name }, value, ...policy }).metadata.name
}

/** An extender that ends with the test. */
export async function fakeExtender(
  t: Test,
  ...args: ConstructorParameters<typeof FakeExtender>
): Promise<FakeExtender> {
  const extender = await new FakeExtender(...args).start()
  t.teardown(() => extender.stop())
  return extender
}

/** Its entry in the configuration, with filter and bind unless said otherwise. */
export function entry({ url }: FakeExtender, more: Entry = {}): Entry {
  return { urlPrefix: url, nodeCacheCapable: true, filterVerb: 'filter', bindVerb: '', httpTimeout: '2s', ...more }
}
