import type { Clock, Random } from '../../../clock.ts'
import type { PoolCount, SandboxMetrics } from '../metrics.ts'
import type { Configure, Follower, Log, Settings } from '../ports.ts'
import type { Record } from '../record.ts'
import type { Templates } from '../templates.ts'
import { Adopter } from './adopter.ts'
import { mouldOf } from './bodies.ts'
import { Refiller } from './refiller.ts'
import { isOffered } from './shelf.ts'
import { type PoolKey, Stock } from './stock.ts'

export type PoolsParts = {
  readonly record: Record
  readonly templates: Templates
  readonly configure: Configure
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: SandboxMetrics
  readonly settings: Settings
  /** Whether all pods are known. */
  readonly listed: () => boolean
}

export type Pools = {
  readonly adopter: Adopter
  /** Has to be told of all pods. */
  readonly follower: Follower
  stop(): void
}

/** The pods that stand ready ahead of need, kept at their number from now on. Throws where a template may not be used. */
export function openPools(parts: PoolsParts): Pools {
  const { templates, random, metrics, settings } = parts
  const pools = settings.pools.map(({ way, template, size }) => ({
    mould: mouldOf(way, template, templates.of(template)),
    size
  }))
  const stock = new Stock(random)
  for (const { mould } of pools) stock.shelf(mould)
  const refiller = new Refiller({ ...parts, stock, pools })
  metrics.watchPools(() => stock.pools().flatMap(key => countsOf(stock, key)))
  return { adopter: new Adopter({ ...parts, stock, pools }), follower: stock.follower(), stop: () => refiller.stop() }
}

function countsOf(stock: Stock, { way, template }: PoolKey): readonly PoolCount[] {
  const idle = [...stock.shelf({ way, template }).idle()]
  const ready = idle.filter(pod => isOffered(pod, pod.make)).length
  const [done, starting] =
    way === 'warm' ? (['ready', 'starting'] as const) : (['placeholder', 'placeholder_starting'] as const)
  return [
    { template, state: done, count: ready },
    { template, state: starting, count: idle.length - ready }
  ]
}
