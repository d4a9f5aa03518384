import { toJson } from '@bufbuild/protobuf'
import { createClient, createRouterTransport, type ServiceImpl } from '@connectrpc/connect'
import type { FastifyInstance } from 'fastify'
import {
  GetPlacementResponseSchema,
  ListClustersResponseSchema,
  PlacementService
} from '../proto/generated/sandbox/v1/placement_pb.js'
import { invalid } from '../refusals.ts'
import { labelsHeader } from './asked.ts'

/** Query → field. */
const known = { project: 'projectId', tenant: 'tenant', key: 'idempotencyKey', labels: 'labels' } as const
type Field = (typeof known)[keyof typeof known]

/** GET /v1/placement?project=: where it would go now; nothing is placed. GET /v1/clusters: who there is. */
export function placementRoutes(app: FastifyInstance, placement: ServiceImpl<typeof PlacementService>): void {
  const client = createClient(
    PlacementService,
    createRouterTransport(router => void router.service(PlacementService, placement))
  )
  app.get<{ Querystring: Record<string, unknown> }>('/v1/placement', async ({ query }) => {
    const { projectId = '', tenant = '', idempotencyKey = '', labels = '' } = fieldsOf(query)
    const headers = { [labelsHeader]: labels }
    const answer = await client.getPlacement({ projectId, tenant, idempotencyKey }, { headers })
    return toJson(GetPlacementResponseSchema, answer)
  })
  app.get('/v1/clusters', async () => toJson(ListClustersResponseSchema, await client.listClusters({})))
}

function fieldsOf(query: Readonly<Record<string, unknown>>): Partial<Record<Field, string>> {
  return Object.fromEntries(Object.entries(query).map(field))
}

function field([key, value]: [string, unknown]): [string, string] {
  if (!Object.hasOwn(known, key))
    throw invalid(key, `${JSON.stringify(key)} is unknown; ask by ${Object.keys(known).join(', ')}`)
  if (typeof value !== 'string') throw invalid(key, `${key} is given twice`)
  return [known[key as keyof typeof known], value]
}
