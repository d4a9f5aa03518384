import { commit } from '../../policies/names.ts'
import type { Claim, Pod } from '../../policies/types.ts'
import { placeable, placed, type Gang } from './gang.ts'
import { isWhole } from './quorum.ts'

/** What a former life decided about a gang, as far as the API shows it. */
export type Former = {
  /** The id of a plan that has begun; undefined where nominations are all there is. */
  readonly plan: string | undefined
  readonly claims: ReadonlyMap<string, Claim>
}

/**
 * Reads a gang's former plan from the API alone. The commit record on a bound member counts: its gang has begun, the
 * missing members keep their nodes. Nominations are only hints: they count where they form a complete quorum.
 * Undefined where there is nothing to take over.
 */
export function formerPlan(gang: Gang): Former | undefined {
  return placed(gang) > 0 ? fromRecord(gang) : fromNominations(gang)
}

function fromRecord(gang: Gang): Former | undefined {
  const record = newestRecord(gang)
  if (!record) return undefined
  const claims = claimsFor(placeable(gang), pod => record.nodes.get(pod.name))
  return claims.size > 0 ? { plan: record.plan, claims } : undefined
}

function fromNominations(gang: Gang): Former | undefined {
  const claims = claimsFor(placeable(gang), pod => pod.nominatedNodeName)
  return claims.size > 0 && isWhole(gang, claims) ? { plan: undefined, claims } : undefined
}

function claimsFor(pods: readonly Pod[], nodeOf: (pod: Pod) => string | undefined): Map<string, Claim> {
  const claims = new Map<string, Claim>()
  for (const pod of pods) {
    const node = nodeOf(pod)
    if (node !== undefined) claims.set(pod.uid, { node, pod })
  }
  return claims
}

function newestRecord(gang: Gang): { plan: string; nodes: ReadonlyMap<string, string> } | undefined {
  const plans = gang.members
    .map(({ pod }) => ({ plan: pod.annotations.get(commit.plan), text: pod.annotations.get(commit.planMembers) }))
    .filter(record => record.plan !== undefined && record.text !== undefined)
    .toSorted((a, b) => newerFirst(a.plan ?? '', b.plan ?? ''))
  const [newest] = plans
  const nodes = newest && parseMembers(newest.text ?? '')
  return nodes && newest?.plan !== undefined ? { plan: newest.plan, nodes } : undefined
}

/** Plan ids are `EPOCH-N`: 1. later epoch first. 2. later plan first. */
export function newerFirst(a: string, b: string): number {
  const [epochA = 0, countA = 0] = a.split('-').map(Number)
  const [epochB = 0, countB = 0] = b.split('-').map(Number)
  return epochB - epochA || countB - countA
}

/** Tolerates anything: the annotation is writable by others. */
function parseMembers(text: string): ReadonlyMap<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    return new Map(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  } catch {
    return undefined
  }
}
