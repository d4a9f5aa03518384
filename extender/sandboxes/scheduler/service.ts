import { Code, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { ListSandboxesRequest, SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { invalid, refusal } from '../refusals.ts'
import { sandboxOf } from './answer.ts'
import type { Claim } from './claim.ts'
import type { Claims } from './claims.ts'
import type { Creator } from './creator.ts'
import { notFound } from './errors.ts'
import type { Hub } from './hub.ts'
import type { Keys } from './keys.ts'
import type { Lifetimes } from './lifetimes.ts'
import type { Settings } from './ports.ts'
import type { Record } from './record.ts'
import { checkProject, checkTenant, duration, idOf, wantedOf } from './request.ts'
import type { Templates } from './templates.ts'

export type ServiceParts = {
  readonly creator: Creator
  readonly lifetimes: Lifetimes
  readonly record: Record
  readonly claims: Claims
  readonly keys: Keys
  readonly hub: Hub
  readonly templates: Templates
  readonly settings: Settings
}

/** Which sandbox a request is about. */
type Which = { readonly id: string; readonly projectId: string; readonly tenant: string }
type Found = { readonly claim: Claim } | { readonly ended: Sandbox }

const pages = { usual: 100, most: 1_000 }

/** The calls of SchedulerService, on the sandboxes of one cluster. */
export function schedulerService(parts: ServiceParts): ServiceImpl<typeof SchedulerService> {
  const { creator, lifetimes, record, claims, keys, settings } = parts
  const told = (claim: Claim): Sandbox => sandboxOf(claim, claims.podOf(claim), settings)
  const find = async (which: Which, read: (id: string) => Promise<Claim | undefined>): Promise<Found> => {
    const { id, tenant } = keyOf(which)
    const claim = await read(id)
    if (claim?.tenant === tenant && isFor(claim, which)) return { claim }
    const ended = await keys.recall(tenant, id)
    if (ended && isFor(ended, which)) return { ended }
    throw notFound(`sandbox ${id}`, id)
  }
  const fresh = (id: string): Promise<Claim | undefined> => record.read(id)
  const known = async (id: string): Promise<Claim | undefined> => claims.get(id) ?? (await record.read(id))

  return {
    async createSandbox(request, context) {
      const wanted = wantedOf(request, context.requestHeader, settings)
      parts.templates.of(wanted.spec.template)
      const { sandbox, created } = await creator.create(wanted)
      if (!created) context.responseHeader.set('idempotent-replayed', 'true')
      return { sandbox, created }
    },
    async getSandbox(which) {
      const found = await find(which, known)
      return { sandbox: 'claim' in found ? told(found.claim) : found.ended }
    },
    listSandboxes: request => page(parts, request),
    async retainSandbox(request) {
      const ttlMs = duration('ttl', request.ttl, settings.maxLifetimeMs)
      const found = await find(request, fresh)
      const claim = 'claim' in found ? await lifetimes.retain(found.claim, ttlMs) : undefined
      if (claim === undefined) throw gone(keyOf(request).id)
      return { sandbox: told(claim) }
    },
    async releaseSandbox(request) {
      const found = await find(request, fresh)
      if ('ended' in found) return { sandbox: found.ended }
      const claim = await lifetimes.release(found.claim)
      if (claim) return { sandbox: told(claim) }
      const ended = await keys.recall(found.claim.tenant, found.claim.id)
      if (ended) return { sandbox: ended }
      throw notFound(`sandbox ${found.claim.id}`, found.claim.id)
    },
    async touchSandbox({ id, uid, tenant }) {
      const found = await find({ id, tenant, projectId: '' }, known)
      const isMeant = 'claim' in found && (uid === '' || found.claim.uid === uid)
      const claim = isMeant ? await lifetimes.touch(found.claim) : undefined
      if (claim === undefined) throw gone(id)
      return { sandbox: told(claim) }
    },
    watchSandboxes: (request, context) => watch(parts, request, context)
  }
}

const gone = (id: string): Error =>
  refusal(Code.FailedPrecondition, 'terminated', `sandbox ${id} has ended; ask for a new one`, { subject: id })

/** By id, or by the project whose own it is. */
function keyOf({ id, projectId, tenant: named }: Which): { readonly id: string; readonly tenant: string } {
  const tenant = checkTenant(named)
  if (id !== '') {
    if (!/^sbx-[a-z2-7]{26}$/.test(id))
      throw invalid('id', `id ${JSON.stringify(id.slice(0, 80))} is no id of a sandbox`)
    return { id, tenant }
  }
  if (projectId === '') throw invalid('id', 'the request names no sandbox; send its id or its project_id')
  checkProject(projectId)
  return { id: idOf({ tenant, projectId, key: '' }), tenant }
}

const isFor = (one: Pick<Sandbox, 'projectId'>, { projectId }: Which): boolean =>
  projectId === '' || one.projectId === projectId

/** In the order of ids, so that a page goes on where the last one ended whatever has changed between. */
function page({ claims, settings }: ServiceParts, request: ListSandboxesRequest): object {
  const { pageSize, pageToken } = request
  if (pageSize < 0 || pageSize > pages.most)
    throw invalid('page_size', `page_size ${pageSize} must be between 0 and ${pages.most}`)
  const after = Buffer.from(pageToken, 'base64url').toString()
  if (pageToken !== '' && !after.startsWith('sbx-'))
    throw invalid('page_token', 'page_token must be a next_page_token of an answer before')
  const wants = filterOf(request)
  const size = pageSize || pages.usual
  const rest = claims.all().filter(claim => claim.id > after && wants(claim))
  const taken = rest.slice(0, size)
  return {
    sandboxes: taken.map(claim => sandboxOf(claim, claims.podOf(claim), settings)),
    nextPageToken: rest.length > size ? Buffer.from(taken.at(-1)?.id ?? '').toString('base64url') : ''
  }
}

type Owner = { readonly tenant: string; readonly projectId: string }

function filterOf({ tenant: named, projectId }: Owner): (one: Owner) => boolean {
  const tenant = checkTenant(named)
  if (projectId !== '') checkProject(projectId)
  return one => one.tenant === tenant && (projectId === '' || one.projectId === projectId)
}

/** What is there, then every change; the end of each is the last that is told of it. */
function watch(parts: ServiceParts, request: Owner, { signal }: HandlerContext): AsyncGenerator<{ sandbox: Sandbox }> {
  // Here and not in the stream: what is wrong with the request is said before the first answer.
  return changes(parts, filterOf(request), signal)
}

async function* changes(
  { claims, hub, settings }: ServiceParts,
  wants: (one: Owner) => boolean,
  signal: AbortSignal
): AsyncGenerator<{ sandbox: Sandbox }> {
  // Before the list: what changes while that is read comes after it.
  const reader = hub.open(wants, signal)
  try {
    for (const claim of claims.all().filter(wants)) yield { sandbox: sandboxOf(claim, claims.podOf(claim), settings) }
    for await (const sandbox of reader) yield { sandbox }
  } finally {
    hub.close(reader)
  }
  throw signal.reason
}
