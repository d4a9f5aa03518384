import { Registry } from 'prom-client'
import { connectTo } from '../../extender/kubernetes/connection.ts'
import type { ApiServer } from '../../extender/kubernetes/api-server.ts'
import type { Log } from '../../extender/kubernetes/log.ts'
import { type KubernetesMetrics, kubernetesMetrics } from '../../extender/kubernetes/metrics.ts'
import type { Test } from 'tap'
import { ManualClock } from './manual-clock.ts'

export class RecordingLog implements Log {
  readonly lines: string[] = []
  debug = (): void => {}
  info = (_: object, message: string): void => void this.lines.push(`info ${message}`)
  warn = (_: object, message: string): void => void this.lines.push(`warn ${message}`)
  error = (_: object, message: string): void => void this.lines.push(`error ${message}`)
}

export type Parts = {
  readonly api: ApiServer
  readonly clock: ManualClock
  readonly metrics: KubernetesMetrics
  readonly log: RecordingLog
  readonly random: () => number
  /** The value of a series, by its text. */
  readonly metric: (series: string) => Promise<number | undefined>
}

/** What every part of kubernetes/ is given, over a connection to that URL. */
export function parts(t: Test, url: string): Parts {
  const clock = new ManualClock()
  const registry = new Registry()
  const metrics = kubernetesMetrics(registry)
  const api = connectTo(url, { clock, metrics })
  t.teardown(() => api.close())
  return {
    ...{ api, clock, metrics },
    log: new RecordingLog(),
    random: () => 0.5,
    metric: async series => {
      const line = (await registry.metrics()).split('\n').find(each => each.startsWith(`${series} `))
      return line === undefined ? undefined : Number(line.slice(series.length))
    }
  }
}
