import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf'
import { ConnectError, type ConnectRouter, createClient, createRouterTransport } from '@connectrpc/connect'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseDuration } from '../../policies/parse.ts'
import { reasonOf } from '../errors.ts'
import {
  CreateSandboxRequestSchema,
  CreateSandboxResponseSchema,
  GetSandboxRequestSchema,
  GetSandboxResponseSchema,
  ListSandboxesRequestSchema,
  ListSandboxesResponseSchema,
  ReleaseSandboxRequestSchema,
  ReleaseSandboxResponseSchema,
  RetainSandboxRequestSchema,
  RetainSandboxResponseSchema,
  SchedulerService
} from './proto/generated/sandbox/v1/scheduler_pb.js'
import { invalid } from './refusals.ts'

/** Fields that hold a duration: here it may be a Go duration, such as `15m`. */
const durations = ['ttl', 'idleTimeout', 'idle_timeout', 'maxLifetime', 'max_lifetime']
/** Headers of a request that mean something to the service, and of an answer that mean something to the client. */
const [heard, told] = [
  ['authorization', 'idempotency-key', 'traceparent', 'tracestate', 'muster-cluster-labels'],
  ['idempotent-replayed', 'retry-after', 'muster-clusters-unreachable']
]

type WithId = { Params: { id: string }; Querystring: Record<string, unknown> }

/** `/v1/sandboxes`: the SchedulerService of these services for those who would rather speak plain HTTP. */
export function sandboxRoutes(app: FastifyInstance, services: (router: ConnectRouter) => void): void {
  const client = createClient(SchedulerService, createRouterTransport(services))
  app.post('/v1/sandboxes', async (request, reply) => {
    const response = await client.createSandbox(read(CreateSandboxRequestSchema, request.body), passing(request, reply))
    return reply.code(response.created ? 201 : 200).send(toJson(CreateSandboxResponseSchema, response))
  })
  app.get('/v1/sandboxes', async (request, reply) => {
    const wanted = read(ListSandboxesRequestSchema, queryOf(request))
    return toJson(ListSandboxesResponseSchema, await client.listSandboxes(wanted, passing(request, reply)))
  })
  app.get<WithId>('/v1/sandboxes/:id', async (request, reply) => {
    const wanted = read(GetSandboxRequestSchema, { ...queryOf(request), id: request.params.id })
    return toJson(GetSandboxResponseSchema, await client.getSandbox(wanted, passing(request, reply)))
  })
  app.post<WithId>('/v1/sandboxes/:id/retain', async (request, reply) => {
    const wanted = read(RetainSandboxRequestSchema, { ...objectOf(request.body), id: request.params.id })
    return toJson(RetainSandboxResponseSchema, await client.retainSandbox(wanted, passing(request, reply)))
  })
  app.delete<WithId>('/v1/sandboxes/:id', async (request, reply) => {
    const wanted = read(ReleaseSandboxRequestSchema, { ...queryOf(request), id: request.params.id })
    return toJson(ReleaseSandboxResponseSchema, await client.releaseSandbox(wanted, passing(request, reply)))
  })
}

/** Headers both ways. Errors keep only what belongs to them. */
function passing({ headers }: FastifyRequest, reply: FastifyReply) {
  const heardHere = heard.flatMap(name => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value] as [string, string]] : []
  })
  return {
    headers: heardHere,
    onHeader: (answered: Headers): void => {
      for (const name of told) if (answered.has(name)) void reply.header(name, answered.get(name))
    }
  }
}

function read<T extends DescMessage>(schema: T, body: unknown): MessageShape<T> {
  try {
    return fromJson(schema, spelled(objectOf(body)) as JsonValue)
  } catch (error) {
    if (error instanceof ConnectError) throw error
    throw invalid('body', reasonOf(error))
  }
}

function objectOf(body: unknown): object {
  if (body === undefined || body === null) return {}
  if (typeof body !== 'object' || Array.isArray(body)) throw invalid('body', 'the body must be a JSON object')
  return body
}

/** Go durations as protobuf's JSON spells them. */
const spelled = (body: object): object => Object.fromEntries(Object.entries(body).map(spell))

function spell([key, value]: [string, unknown]): [string, unknown] {
  if (!durations.includes(key) || typeof value !== 'string') return [key, value]
  const ms = parseDuration(value)
  if (ms === undefined) throw invalid(key, `${key} ${JSON.stringify(value)} must be a duration such as 90s or 15m`)
  return [key, `${(ms / 1000).toFixed(3)}s`]
}

/** Numbers of a query are text; everything else is meant as it stands. */
const queryOf = ({ query }: FastifyRequest): object =>
  Object.fromEntries(Object.entries(objectOf(query)).map(([key, value]) => [key, numberOf(key, value)]))

const numberOf = (key: string, value: unknown): unknown =>
  ['page_size', 'pageSize'].includes(key) && typeof value === 'string' && /^\d{1,9}$/.test(value)
    ? Number(value)
    : value
