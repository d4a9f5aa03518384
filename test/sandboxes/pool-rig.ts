import type { Test } from 'tap'
import type { Clock } from '../../extender/clock.ts'
import type { SchedulerOptions } from '../../extender/sandbox.ts'
import { labels } from '../../extender/sandboxes/labels.ts'
import { untilTrue } from '../embedded/until.ts'
import { cluster, type Cluster, service, type Service, type Wrap } from './rig.ts'
import type { Loose } from './serve.ts'
import { SkewedClock } from './skewed-clock.ts'

/** A template whose sandboxes take nothing after their start, as simulated pods cannot. */
export const plain = {
  spec: {
    containers: [
      {
        ...{ name: 'main', image: 'plain', ports: [{ containerPort: 8080 }] },
        resources: { requests: { cpu: '100m', memory: '64Mi' } }
      }
    ]
  }
}

export type PoolOptions = SchedulerOptions & { readonly wrap?: Wrap; readonly clock?: Clock }

/** A service that keeps pools of the template `plain`. */
export const pooled = (t: Test, on: Cluster, options: PoolOptions = {}): Promise<Service> =>
  service(t, on, { templates: { plain }, ...options })

/** A cluster, and a service on it whose pools are full. */
export async function fullRig(t: Test, options: PoolOptions) {
  const on = await cluster(t)
  const it = await pooled(t, on, options)
  await full(it, options)
  return { on, it }
}

/** Until the service sees its pools full and ready. */
export async function full(it: Service, { warmPool = {}, placeholders = {} }: SchedulerOptions): Promise<void> {
  for (const [template, size] of Object.entries(warmPool)) await untilCount(it, template, 'ready', size)
  for (const [template, size] of Object.entries(placeholders)) await untilCount(it, template, 'placeholder', size)
}

export async function untilCount(it: Service, template: string, state: string, count: number): Promise<void> {
  const series = `muster_sandbox_pool_pods{template="${template}",state="${state}"}`
  for (let turn = 0; turn < 2_000; turn++) {
    if ((await it.metric(series)) === count) return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const told = it.lines.flatMap(({ msg, reason }) => (msg === 'answered' ? [] : [`${msg}: ${reason}`]))
  throw new Error(`${series} never came to ${count}, but is ${await it.metric(series)}; the log: ${told.join(' | ')}`)
}

/** Pods that were made ahead of need. */
const poolPods = (on: Cluster): readonly Loose[] =>
  on.pods().filter(pod => pod.metadata.labels?.[labels.pool] !== undefined)

/** Those that nobody has. */
export const idle = (on: Cluster, way = 'warm'): readonly Loose[] =>
  poolPods(on).filter(({ metadata }) => metadata.labels[labels.pool] === way && !(labels.id in metadata.labels))

/** Nothing is left of any sandbox, and what stands ready stands. */
export const only = (on: Cluster, count: number) =>
  untilTrue(`nothing but ${count} idle pods is left`, () => on.services().length === 0 && on.pods().length === count)

/** No time passes for claims, so that nobody takes over what takes long on a busy machine. */
export class StillClock extends SkewedClock {
  readonly #start = super.wall()

  override wall(): number {
    return this.#start
  }
}
