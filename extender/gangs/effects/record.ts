import { commit as record, recordVersion } from '../../../policies/names.ts'
import type { Hold } from '../ledger.ts'

/** What every binding of the plan says. */
export const planOf = (hold: Hold): Readonly<Record<string, string>> => ({ [record.plan]: hold.plan })

/** The durable commit record, which the first binding bears besides: member name → node. `adoption.ts` reads it. */
export function recordOf(hold: Hold): Readonly<Record<string, string>> {
  const members = Object.fromEntries([...hold.claims.values()].map(({ pod, node }) => [pod.name, node]))
  return { [record.planVersion]: String(recordVersion), [record.planMembers]: JSON.stringify(members) }
}
