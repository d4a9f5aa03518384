import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Counter } from 'prom-client'

/** Spans that wait for a collector which is slow or away; more are dropped. */
const mostWaiting = 2_048
const batch = 512
/** A collector that never answers keeps no more batches than this. */
const mostSent = 4

/** Batches spans to that address, and counts what becomes of them; whoever ends a span never waits. */
export function outbox(url: string, spans: Counter<'result'>): SpanProcessor {
  const exporter = new OTLPTraceExporter({ url, concurrencyLimit: mostSent })
  return new Outbox(exporter, spans)
}

/** The SDK's queue drops spans without a word; this one keeps count, and so never lets it. */
class Outbox implements SpanProcessor {
  readonly #spans: Counter<'result'>
  readonly #batches: BatchSpanProcessor
  #waiting = 0

  constructor(exporter: SpanExporter, spans: Counter<'result'>) {
    this.#spans = spans
    const counting: SpanExporter = {
      export: (some, done) => {
        this.#waiting -= some.length
        exporter.export(some, result => {
          spans.inc({ result: result.error ? 'failed' : 'exported' }, some.length)
          done(result)
        })
      },
      shutdown: () => exporter.shutdown()
    }
    this.#batches = new BatchSpanProcessor({
      exporter: counting,
      maxQueueSize: mostWaiting,
      maxExportBatchSize: batch,
      scheduledDelayMillis: 1_000
    })
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= mostWaiting) {
      this.#spans.inc({ result: 'dropped' })
      return
    }
    this.#waiting += 1
    this.#batches.onEnd(span)
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown()
  }
}
