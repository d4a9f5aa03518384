import type { Counter } from 'prom-client'
import type { Clock, Random } from '../clock.ts'
import type { Spans } from './spans.ts'

export type TracingParts = {
  /** Undefined: nobody traces. */
  readonly traces: { readonly url: string; readonly ratio: number } | undefined
  readonly version: string
  /** Of this process among others of its kind. */
  readonly instance: string
  readonly clock: Clock
  readonly random: Random
  readonly spans: Counter<'result'>
}

/** What tells a collector of spans; undefined where nobody asked for it, and then nothing of OpenTelemetry is loaded. */
export async function tracing({ traces, ...parts }: TracingParts): Promise<Spans | undefined> {
  if (!traces) return undefined
  const [{ Spans }, { outbox }] = await Promise.all([import('./spans.ts'), import('./outbox.ts')])
  return new Spans({ ...parts, ratio: traces.ratio, outbox: outbox(traces.url, parts.spans) })
}
