import { create } from '@bufbuild/protobuf'
import {
  type ListSandboxesRequest,
  type ListSandboxesResponse,
  ListSandboxesResponseSchema
} from '../proto/generated/sandbox/v1/scheduler_pb.js'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import { invalid } from '../refusals.ts'
import { passedOn, unavailable } from './answers.ts'
import type { Clusters } from './clusters.ts'
import type { Failure } from './failures.ts'

export type Listing = {
  readonly response: ListSandboxesResponse
  /** Clusters that could not be asked: what they hold is missing. */
  readonly missing: readonly string[]
}

const [usualSize, largestSize] = [100, 1_000]
const lowest = ''

/** One page over all clusters, one after the other in order of name; each page of theirs ends one of ours. */
export async function listed(
  clusters: Clusters,
  request: ListSandboxesRequest,
  { headers, timeoutMs }: { readonly headers: Headers; readonly timeoutMs: number }
): Promise<Listing> {
  const size = sizeOf(request)
  const start = positionOf(request.pageToken)
  const sandboxes: Sandbox[] = []
  const failures = new Map<string, Failure>()
  const names = clusters.open.map(({ entry }) => entry.cluster.name).filter(name => name >= start.cluster)
  for (const cluster of names) {
    const pageToken = cluster === start.cluster ? start.token : ''
    if (sandboxes.length >= size) return page(sandboxes, failures, { cluster, token: pageToken })
    const wanted = { ...request, pageSize: size - sandboxes.length, pageToken }
    const outcome = await clusters.call(cluster, { headers, timeoutMs }, (client, options) =>
      client.listSandboxes(wanted, options)
    )
    if (!outcome.ok) {
      failures.set(cluster, outcome.failure)
      continue
    }
    sandboxes.push(...outcome.value.sandboxes)
    const token = outcome.value.nextPageToken
    if (token !== '') return page(sandboxes, failures, { cluster, token })
  }
  if (names.length > 0 && failures.size === names.length) throw nobodyAnswers(failures, clusters)
  return page(sandboxes, failures, { cluster: lowest, token: '' })
}

function sizeOf({ pageSize }: ListSandboxesRequest): number {
  if (pageSize < 0) throw invalid('page_size', `page_size ${pageSize} must be between 0 and ${largestSize}`)
  return Math.min(pageSize || usualSize, largestSize)
}

type Position = { readonly cluster: string; readonly token: string }

function page(sandboxes: Sandbox[], failures: ReadonlyMap<string, unknown>, next: Position): Listing {
  const nextPageToken = next.cluster === lowest ? '' : Buffer.from(JSON.stringify(next)).toString('base64url')
  return { response: create(ListSandboxesResponseSchema, { sandboxes, nextPageToken }), missing: [...failures.keys()] }
}

function positionOf(pageToken: string): Position {
  if (pageToken === '') return { cluster: lowest, token: '' }
  try {
    const { cluster, token } = JSON.parse(Buffer.from(pageToken, 'base64url').toString()) as Partial<Position>
    if (typeof cluster === 'string' && typeof token === 'string') return { cluster, token }
  } catch {
    // Said below.
  }
  throw invalid('page_token', 'page_token is none that this service gave; begin without one')
}

function nobodyAnswers(failures: ReadonlyMap<string, Failure>, clusters: Clusters): Error {
  const answered = [...failures.values()].find(({ kind }) => kind === 'answered')
  if (answered) return passedOn(answered)
  const said = [...failures].map(([name, { text }]) => `${name}: ${text}`)
  return unavailable(`no cluster can be asked for its sandboxes: ${said.join('; ')}`, '', clusters.retryAfterMs())
}
