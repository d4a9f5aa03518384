import { commit, recordVersion } from '../../../policies/names.ts'
import { parseInteger } from '../../../policies/parse.ts'
import { shownNode } from '../../../policies/pin.ts'
import type { Claim, Pod } from '../../../policies/types.ts'
import { quoted } from '../membership/dialects/fields.ts'
import { placeable, placed, type Gang } from '../membership/gang.ts'
import { isWhole } from '../membership/quorum.ts'

/** What a former life decided about a gang, as far as the API shows it. */
export type Former = {
  /** The id of the plan, where a binding tells it. */
  readonly plan: string | undefined
  /** Members stand on their nodes or are on their way: what is known of it counts, be it whole or not. */
  readonly begun: boolean
  readonly claims: ReadonlyMap<string, Claim>
}

/**
 * Reads a gang's former plan from the API alone. The commit record on a bound member counts: its gang has begun, the
 * missing members keep their nodes; so do members that were handed over to kube-scheduler. Nominations and pins of others
 * are only hints: they count where they form a complete quorum. Undefined where there is nothing to take over.
 */
export function formerPlan(gang: Gang): Former | undefined {
  if (gang.binder === 'kube-scheduler') return fromHandover(gang) ?? fromNominations(gang)
  return placed(gang) > 0 ? fromRecord(gang) : fromNominations(gang)
}

/** Whoever is let go is bound where it was sent, whatever anybody plans. */
function fromHandover(gang: Gang): Former | undefined {
  const sent = placeable(gang).filter(pod => pod.gates.length === 0)
  const claims = claimsFor(sent, shownNode)
  return claims.size > 0 ? { plan: undefined, begun: true, claims } : undefined
}

function fromRecord(gang: Gang): Former | undefined {
  const record = newestRecord(gang)
  if (!record) return undefined
  const claims = claimsFor(placeable(gang), pod => record.nodes.get(pod.name))
  return claims.size > 0 ? { plan: record.plan, begun: true, claims } : undefined
}

function fromNominations(gang: Gang): Former | undefined {
  const claims = claimsFor(placeable(gang), shownNode)
  return claims.size > 0 && isWhole(gang, claims) ? { plan: undefined, begun: false, claims } : undefined
}

function claimsFor(pods: readonly Pod[], nodeOf: (pod: Pod) => string | undefined): Map<string, Claim> {
  const claims = new Map<string, Claim>()
  for (const pod of pods) {
    const node = nodeOf(pod)
    if (node !== undefined) claims.set(pod.uid, { node, pod })
  }
  return claims
}

type Record = { readonly plan: string; readonly text: string; readonly isKnown: boolean; readonly pod: Pod }

/** What is written on that pod; a record without a version is of the muster before there were any, and written alike. */
function recordOn(pod: Pod): readonly Record[] {
  const [plan, text] = [pod.annotations.get(commit.plan), pod.annotations.get(commit.planMembers)]
  if (plan === undefined || text === undefined) return []
  const version = pod.annotations.get(commit.planVersion)
  return [{ plan, text, pod, isKnown: version === undefined || parseInteger(version) === recordVersion }]
}

function newest(gang: Gang): Record | undefined {
  return gang.members.flatMap(({ pod }) => recordOn(pod)).toSorted((a, b) => newerFirst(a.plan, b.plan))[0]
}

/** Of several, the last; that one or none, for an older plan was given up. */
function newestRecord(gang: Gang): { plan: string; nodes: ReadonlyMap<string, string> } | undefined {
  const found = newest(gang)
  const nodes = found?.isKnown ? parseMembers(found.text) : undefined
  return found && nodes && { plan: found.plan, nodes }
}

/** Why the plan by which the gang began is not gone on with, where another muster wrote it in a way of its own. */
export function unreadRecord(gang: Gang): string | undefined {
  const found = placed(gang) > 0 ? newest(gang) : undefined
  if (!found || found.isKnown) return undefined
  const version = quoted(found.pod.annotations.get(commit.planVersion) ?? '')
  return (
    `the plan by which it began stands on ${found.pod.name} in version ${version}, and this muster reads up to ` +
    `${recordVersion}: its missing members are planned anew, wherever there is room`
  )
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
