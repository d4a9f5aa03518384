import { create } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { Code } from '@connectrpc/connect'
import type { Clock } from '../../clock.ts'
import {
  type ClusterStatus,
  ClusterStatusSchema,
  type PlacementService
} from '../proto/generated/sandbox/v1/placement_pb.js'
import {
  type CreateSandboxRequest,
  CreateSandboxRequestSchema,
  type SchedulerService
} from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { refusal } from '../refusals.ts'
import { forwarded } from './answers.ts'
import type { Clusters } from './clusters.ts'
import type { Finder } from './finder.ts'
import { listed } from './listing.ts'
import type { Placer } from './placer.ts'
import { watched } from './watching.ts'

export type FrontDoor = {
  readonly clusters: Clusters
  readonly placer: Placer
  readonly finder: Finder
  readonly clock: Clock
  readonly callMs: number
}

const headersOf = ({ requestHeader }: HandlerContext): Headers => forwarded(requestHeader)

/** The service of one cluster, answered for all of them. */
export function schedulerService({
  clusters,
  placer,
  finder,
  clock,
  callMs
}: FrontDoor): ServiceImpl<typeof SchedulerService> {
  return {
    createSandbox: async (request, { requestHeader, responseHeader }) => {
      const { response, replayed } = await placer.create(withKey(request, requestHeader), requestHeader)
      if (replayed) responseHeader.set('idempotent-replayed', 'true')
      return response
    },
    getSandbox: (request, context) =>
      finder.call(request, headersOf(context), (client, options) => client.getSandbox(request, options)),
    retainSandbox: (request, context) =>
      finder.call(request, headersOf(context), (client, options) => client.retainSandbox(request, options)),
    releaseSandbox: (request, context) =>
      finder.call(request, headersOf(context), (client, options) => client.releaseSandbox(request, options)),
    touchSandbox: (request, context) =>
      finder.call({ ...request, projectId: '' }, headersOf(context), (client, options) =>
        client.touchSandbox(request, options)
      ),
    listSandboxes: async (request, context) => {
      const call = { headers: headersOf(context), timeoutMs: callMs }
      const { response, missing } = await listed(clusters, request, call)
      if (missing.length > 0) context.responseHeader.set('muster-clusters-unreachable', missing.join(', '))
      return response
    },
    watchSandboxes: (request, context) =>
      watched(clusters, request, { headers: headersOf(context), signal: context.signal, clock })
  }
}

/** Where sandboxes go. */
export function placementService({ clusters, placer }: FrontDoor): ServiceImpl<typeof PlacementService> {
  return {
    getPlacement: async ({ projectId, tenant, idempotencyKey }, { requestHeader }) => {
      const wanted = create(CreateSandboxRequestSchema, { projectId, tenant, idempotencyKey })
      return { placement: await placer.preview(wanted, requestHeader) }
    },
    listClusters: () => ({ clusters: statuses(clusters) })
  }
}

/** The key of the header, in the field. */
function withKey(request: CreateSandboxRequest, headers: Headers): CreateSandboxRequest {
  const key = headers.get('idempotency-key')
  if (key === null) return request
  if (key === '' || (request.idempotencyKey !== '' && request.idempotencyKey !== key))
    throw refusal(
      Code.InvalidArgument,
      'invalid_idempotency_key',
      'the header Idempotency-Key is empty or differs from the field idempotency_key; send one of them',
      { subject: 'idempotency_key' }
    )
  return { ...request, idempotencyKey: key }
}

function statuses({ all }: Clusters): ClusterStatus[] {
  return all.map(({ upstream: { entry }, reason }) => {
    const { name, priority, weight, state } = entry.cluster
    const known = { name, endpoint: entry.endpoint, priority, weight, state }
    return create(ClusterStatusSchema, { ...known, healthy: reason === '', reason })
  })
}
