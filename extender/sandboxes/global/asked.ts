import { create } from '@bufbuild/protobuf'
import type { Choice, Cluster } from '../../../policies/clusters.ts'
import { sandboxIdOf, tenantOf } from '../identity.ts'
import { type Placement, PlacementReason, PlacementSchema } from '../proto/generated/sandbox/v1/placement_pb.js'
import type { CreateSandboxRequest } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { invalid } from '../refusals.ts'
import { forwarded } from './answers.ts'

/** One create on its way through the clusters. */
export type Asked = {
  readonly request: CreateSandboxRequest
  readonly id: string
  readonly tenant: string
  readonly keyed: boolean
  /** Labels that the cluster must have. */
  readonly labels: ReadonlyMap<string, string>
  readonly headers: Headers
  /** Cluster → what came of asking it. */
  readonly tried: Map<string, string>
}

/** The header by which a request says which clusters will do: `region=eu,tier=gold`. */
export const labelsHeader = 'muster-cluster-labels'
const mostLabels = 20

/** @param given Its key already in the field, where it came as a header */
export function askedOf(request: CreateSandboxRequest, given: Headers): Asked {
  if (request.projectId === '') throw invalid('project_id', 'project_id is missing: name the project of the sandbox')
  const tenant = tenantOf(request.tenant)
  return {
    request,
    id: sandboxIdOf(request),
    tenant,
    keyed: request.idempotencyKey !== '',
    labels: labelsOf(given.get(labelsHeader) ?? ''),
    headers: forwarded(given),
    tried: new Map()
  }
}

/** Labels of a header or a query. */
function labelsOf(text: string): ReadonlyMap<string, string> {
  const pairs = text === '' ? [] : text.split(',').map(pair => /^\s*([^=\s]+)=([^=]*?)\s*$/.exec(pair))
  if (pairs.length > mostLabels || pairs.includes(null))
    throw invalid(labelsHeader, `${labelsHeader} must be at most ${mostLabels} of NAME=VALUE, with commas between`)
  return new Map(pairs.map(pair => [pair?.[1] ?? '', pair?.[2] ?? '']))
}

/** Verdicts of the choice, with what came of asking in place of what was thought before. */
export function considered(
  { verdicts }: Choice,
  { tried }: Asked,
  chosen: string
): { name: string; verdict: string }[] {
  const all = new Map([...verdicts.map(({ cluster, verdict }) => [cluster, verdict] as const), ...tried])
  return [...all.keys()].toSorted().map(name => ({
    name,
    verdict: name === chosen ? '' : all.get(name) || 'was not asked'
  }))
}

/** The answer to how a cluster was chosen. */
export function placementOf(
  asked: Asked,
  choice: Choice,
  { name, priority }: Cluster,
  reason: Choice['reason']
): Placement {
  return create(PlacementSchema, {
    cluster: name,
    tier: priority,
    reason: PlacementReason[reason],
    considered: considered(choice, asked, name)
  })
}
