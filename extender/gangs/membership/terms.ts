import { annotations } from '../../../policies/names.ts'
import { parseInteger } from '../../../policies/parse.ts'
import { compare, nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { PodGroup } from '../../facts.ts'
import type { Membership } from './dialects.ts'
import { textAt } from './dialects/fields.ts'
import { jobSet } from './dialects/table.ts'
import { type Settings, settingsOf } from './settings.ts'

/** What is known besides the members. */
export type Facts = {
  readonly membership: (pod: Pod) => Membership | undefined
  /** The PodGroup `API/NAMESPACE/NAME`. */
  readonly podGroup: (key: string) => PodGroup | undefined
  readonly controllerSize: (uid: string) => number | undefined
}

/** What the members, their controllers and their PodGroup say of the gang together. */
export type Terms = Settings & {
  /** The quorum; undefined where nobody declares one. */
  readonly minMember: number | undefined
  /** The quorum of a gang that declares none, once it has stopped growing; undefined where even that does not tell. */
  readonly atRest: number | undefined
  /** That quorum is a controller's word and changes with it; else it is as many as there were. */
  readonly isFollowed: boolean
  /** Minimum by role; empty in a gang without roles. */
  readonly roles: ReadonlyMap<string, number>
  /** Without what the gang cannot be complete, as a sentence. */
  readonly waitsFor: string | undefined
}

type Speaker = { readonly pod: Pod; readonly said: Membership }
type Quorum = Pick<Terms, 'minMember' | 'atRest' | 'isFollowed' | 'roles' | 'waitsFor'>

const none: ReadonlyMap<string, number> = new Map()

/** Reads the terms of the gang that these pods make; members that are done or leaving have no say any more. */
export function termsOf(pods: readonly Pod[], facts: Facts): Terms {
  const live = speakersOf(pods.filter(isLive), facts)
  const speakers = live.length > 0 ? live : speakersOf(pods, facts)
  const key = speakers.find(({ said }) => said.object !== undefined)?.said.object
  const group = key === undefined ? undefined : facts.podGroup(key)
  const settings = settingsOf(live)
  return {
    ...settings,
    ...quorumOf(speakers, { pods, facts, key, group }),
    gangTimeoutMs: settings.gangTimeoutMs ?? group?.timeoutMs,
    minResources: settings.minResources ?? group?.minResources,
    problem: problemOf(live) ?? conflictWith(live, group) ?? settings.problem
  }
}

const isLive = (pod: Pod): boolean => !pod.terminating && pod.phase !== 'Succeeded' && pod.phase !== 'Failed'

function speakersOf(pods: readonly Pod[], { membership }: Facts): readonly Speaker[] {
  return pods.flatMap(pod => {
    const said = membership(pod)
    return said ? [{ pod, said }] : []
  })
}

type Context = {
  readonly pods: readonly Pod[]
  readonly facts: Facts
  readonly key: string | undefined
  readonly group: PodGroup | undefined
}

/** 1. What is declared. 2. What the PodGroup says. 3. The controllers. 4. The members that came. */
function quorumOf(speakers: readonly Speaker[], context: Context): Quorum {
  const { key, group } = context
  const roles = rolesSaid(speakers, group)
  const size = sizeSaid(speakers) ?? group?.minMember
  if (size !== undefined || roles.size > 0) return declared(Math.max(size ?? 1, sum(roles.values())), roles)
  return key !== undefined && !group ? absent(key) : undeclared(speakers, context)
}

function undeclared(speakers: readonly Speaker[], { pods, facts }: Context): Quorum {
  const atRest = Math.max(1, pods.filter(isLive).length)
  if (speakers.some(({ said }) => said.replicatedJobs)) return replicatedJobs(pods, facts) ?? settling(atRest)
  const wanted = controllerSize(pods, facts)
  if (wanted === undefined) return settling(atRest)
  const mustRest = speakers.some(({ said }) => mayBeSplit(said))
  return mustRest ? { ...settling(wanted), isFollowed: true } : declared(wanted, none)
}

/** Gangs by a mere name: the next member may come from another controller, and nobody says so before it is there. */
const mayBeSplit = ({ dialect }: Membership): boolean => dialect === 'muster' || dialect === 'pod-group'

function sizeSaid(speakers: readonly Speaker[]): number | undefined {
  return speakers.find(({ said }) => said.minMember !== undefined)?.said.minMember
}

function rolesSaid(speakers: readonly Speaker[], group: PodGroup | undefined): Terms['roles'] {
  return speakers.find(({ said }) => said.roles !== undefined)?.said.roles ?? group?.roles ?? none
}

function absent(key: string): Quorum {
  const [api, namespace, name] = key.split('/')
  return { ...settling(undefined), waitsFor: `PodGroup ${namespace}/${name} does not exist (${api})` }
}

/** The size of the members' only controller. */
function controllerSize(pods: readonly Pod[], facts: Facts): number | undefined {
  const controllers = new Set(pods.map(pod => pod.controller?.uid))
  const [only] = controllers
  return controllers.size === 1 && only !== undefined ? facts.controllerSize(only) : undefined
}

const declared = (minMember: number, roles: Terms['roles']): Quorum => ({
  ...{ minMember, roles },
  ...{ atRest: undefined, isFollowed: false, waitsFor: undefined }
})

const settling = (atRest: number | undefined): Quorum => ({
  ...{ minMember: undefined, atRest, isFollowed: false },
  ...{ roles: none, waitsFor: undefined }
})

/**
 * The replicated jobs of a JobSet, as far as its pods show them: the replicas of each times the pods that one of its
 * jobs runs at a time. Known at once where they are all that the JobSet has; else, when no more come (a JobSet may
 * start its jobs one after the other). Undefined where the size of some job is not known.
 */
function replicatedJobs(pods: readonly Pod[], facts: Facts): Quorum | undefined {
  const roles = new Map<string, number>()
  let replicas = 0
  let all: number | undefined
  const members = pods.filter(pod => !pod.terminating)
  for (const [job, ofJob] of Map.groupBy(members, pod => textAt(pod, jobSet.job) ?? '')) {
    const [first] = ofJob
    const times = first && parseInteger(textAt(first, jobSet.replicas) ?? '')
    const sizes = ofJob.map(({ controller }) => controller && facts.controllerSize(controller.uid))
    const size = sizes.find(known => known !== undefined)
    if (first === undefined || times === undefined || size === undefined) return undefined
    roles.set(job, times * size)
    replicas += times
    all ??= parseInteger(textAt(first, jobSet.allReplicas) ?? '')
  }
  const total = Math.max(1, sum(roles.values()))
  return replicas === all ? declared(total, roles) : { ...settling(total), roles }
}

function sum(amounts: Iterable<number>): number {
  let total = 0
  for (const amount of amounts) total += amount
  return total
}

/** The first thing that is wrong with the members' declarations. */
function problemOf(speakers: readonly Speaker[]): string | undefined {
  for (const { pod, said } of speakers) {
    if (said.problem !== undefined) return `pod ${nameOf(pod)}: ${said.problem}`
  }
  return unequal(speakers, 'size', ({ minMember }) => minMember) ?? unequalRoles(speakers)
}

function unequalRoles(speakers: readonly Speaker[]): string | undefined {
  const onSome = speakers.some(({ said }) => said.rolesOnSome)
  const asked = onSome ? speakers.filter(({ said }) => said.roles !== undefined) : speakers
  return unequal(
    asked,
    'roles',
    ({ roles }) => roles && JSON.stringify([...roles].toSorted(([a], [b]) => compare(a, b)))
  )
}

function unequal(
  speakers: readonly Speaker[],
  what: 'size' | 'roles',
  of: (said: Membership) => string | number | undefined
): string | undefined {
  const words = new Map(speakers.map(({ pod, said }) => [of(said), pod.name]))
  if (words.size <= 1) return undefined
  const said = [...words].slice(0, 5).map(([word, name]) => `${name} says ${word ?? 'nothing'}`)
  const dialect = speakers[0]?.said.dialect
  const about = dialect === 'muster' || dialect === 'pod-group' ? ownKeys[what] : `the gang's ${what} (${dialect})`
  return `${about} must be the same on every member: ${said.join(', ')}`
}

const ownKeys = { size: `annotation ${annotations.minMember}`, roles: `annotation ${annotations.roles}` } as const

/** Pods and PodGroup must not say two different minima. */
function conflictWith(speakers: readonly Speaker[], group: PodGroup | undefined): string | undefined {
  const size = sizeSaid(speakers)
  if (size === undefined || group?.minMember === undefined || size === group.minMember) return undefined
  const name = `PodGroup ${nameOf(group)} (${group.api})`
  return `the pods say a minimum of ${size}, but minMember of ${name} says ${group.minMember}`
}
