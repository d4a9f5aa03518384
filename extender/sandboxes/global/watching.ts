import { pause, type Clock } from '../../clock.ts'
import type { WatchSandboxesRequest, WatchSandboxesResponse } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import type { Clusters } from './clusters.ts'
import type { Upstream } from './upstream.ts'

const againMs = 2_000

export type WatchOptions = { readonly headers: Headers; readonly signal: AbortSignal; readonly clock: Clock }

/** What all clusters tell, as it comes. A watch that breaks off is opened anew, and tells again what is there. */
export async function* watched(
  clusters: Clusters,
  request: WatchSandboxesRequest,
  options: WatchOptions
): AsyncGenerator<WatchSandboxesResponse> {
  const done = new AbortController()
  const signal = AbortSignal.any([options.signal, done.signal])
  const sources = clusters.open.map(upstream => watchedAt(upstream, request, { ...options, signal }))
  try {
    yield* merged(sources)
  } finally {
    done.abort()
  }
}

async function* watchedAt(
  { client }: Upstream,
  { tenant, projectId }: WatchSandboxesRequest,
  { headers, signal, clock }: WatchOptions
): AsyncGenerator<WatchSandboxesResponse> {
  while (!signal.aborted) {
    try {
      yield* client.watchSandboxes({ tenant, projectId }, { headers, signal })
    } catch {
      // Its probes say why; here it is only tried again.
    }
    await pause(clock, againMs, signal)
  }
}

/** Takes from each source only what the reader has asked for. Sources do not fail; they end. */
async function* merged<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const arrived: { readonly source: AsyncGenerator<T>; readonly result: IteratorResult<T, unknown> }[] = []
  let wake: (() => void) | undefined
  const pull = async (source: AsyncGenerator<T>): Promise<void> => {
    arrived.push({ source, result: await source.next() })
    wake?.()
  }
  for (const source of sources) void pull(source)
  for (let open = sources.length; open > 0; ) {
    const next = arrived.shift()
    if (!next) await new Promise<void>(resolve => (wake = resolve))
    else if (next.result.done) open -= 1
    else {
      void pull(next.source)
      yield next.result.value
    }
  }
}
