import { State } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { Upstream } from './upstream.ts'

const [pageSize, mostPages, pageMs] = [1_000, 100, 5_000]

/** How many sandboxes a cluster has that have not ended; undefined where it does not say. */
export async function counted(upstream: Upstream): Promise<number | undefined> {
  let [count, pageToken] = [0, '']
  for (let page = 0; page < mostPages; page++) {
    const outcome = await upstream.call(pageMs, new Headers(), (client, options) =>
      client.listSandboxes({ pageSize, pageToken }, options)
    )
    if (!outcome.ok) return undefined
    count += outcome.value.sandboxes.filter(({ state }) => state !== State.TERMINATED).length
    pageToken = outcome.value.nextPageToken
    if (pageToken === '') break
  }
  return count
}
