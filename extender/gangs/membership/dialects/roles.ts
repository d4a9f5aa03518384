import { LRUCache } from 'lru-cache'

/** Minimum by role; the problem says what is wrong with the text. */
export type Roles = {
  readonly roles: ReadonlyMap<string, number> | undefined
  readonly problem: string | undefined
}

export type RolesReader = (text: string) => Roles

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const most = 2 ** 31 - 1

/** `{"leader": 1, "worker": 8}`: muster's own form. */
export const readRoles: RolesReader = remembered(text => {
  const json = parsed(text)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return bad('must be a JSON object of role names and minima, such as {"leader": 1, "worker": 8}')
  }
  const entries = Object.entries(json)
  if (entries.length === 0) return bad('must name at least one role')
  const wrong = entries.find(([name, min]) => !dnsLabel.test(name) || !isMinimum(min))
  if (wrong) return bad(`role ${JSON.stringify(wrong[0].slice(0, 80))} must be a DNS label with an integer from 0 up`)
  return good(new Map(entries as [string, number][]))
})

/** YuniKorn's list of task groups, of which only `name` and `minMember` are read. */
export const readTaskGroups: RolesReader = remembered(text => {
  const json = parsed(text)
  if (!Array.isArray(json) || json.length === 0) return bad('must be a JSON list of task groups')
  const roles = new Map<string, number>()
  for (const group of json as unknown[]) {
    const { name, minMember } = Object(group) as { name?: unknown; minMember?: unknown }
    if (typeof name !== 'string' || name === '' || roles.has(name)) return bad('each task group must have its own name')
    if (!isMinimum(minMember))
      return bad(`task group ${JSON.stringify(name.slice(0, 80))} must have a minMember from 0 up`)
    roles.set(name, minMember)
  }
  return good(roles)
})

function isMinimum(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
}

const good = (roles: ReadonlyMap<string, number>): Roles => ({ roles, problem: undefined })
const bad = (problem: string): Roles => ({ roles: undefined, problem })

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The members of a gang say the same long text again and again. */
function remembered(read: RolesReader): RolesReader {
  const known = new LRUCache<string, Roles>({ max: 256 })
  return text => {
    const roles = known.get(text) ?? read(text)
    known.set(text, roles)
    return roles
  }
}
