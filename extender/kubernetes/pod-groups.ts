import { amountOf } from '../../policies/quantity.ts'
import type { Resources } from '../../policies/types.ts'
import type { PodGroup } from '../facts.ts'
import { integer, type Json, object, objects, text } from '../json.ts'

/** A kind of object that describes a gang. */
export type PodGroupKind = {
  /** API group. */
  readonly api: string
  /** The version whose fields we know. */
  readonly version: string
  /** Minima by role of a spec. */
  readonly roles: (spec: Json) => ReadonlyMap<string, number>
}

const none: ReadonlyMap<string, number> = new Map()

/** The PodGroups of other schedulers; each is watched where its CRD is installed. */
export const podGroupKinds: readonly PodGroupKind[] = [
  { api: 'scheduling.x-k8s.io', version: 'v1alpha1', roles: () => none },
  { api: 'scheduling.sigs.k8s.io', version: 'v1alpha1', roles: () => none },
  { api: 'scheduling.volcano.sh', version: 'v1beta1', roles: taskMinima },
  { api: 'scheduling.run.ai', version: 'v2alpha2', roles: subGroupMinima }
]

/** The slim form of that kind's objects; throws where the object has no identity. */
export function podGroupProjection({ api, roles }: PodGroupKind): (json: Json) => PodGroup {
  return json => {
    const metadata = object(json.metadata)
    const [namespace, name] = [text(metadata.namespace), text(metadata.name)]
    if (namespace === undefined || name === undefined) throw new TypeError('metadata.namespace or name is missing')
    const spec = object(json.spec)
    const seconds = positive(spec.scheduleTimeoutSeconds)
    return {
      ...{ api, namespace, name, roles: roles(spec) },
      minMember: positive(spec.minMember),
      minResources: resourcesOf(spec.minResources),
      timeoutMs: seconds === undefined ? undefined : seconds * 1000
    }
  }
}

/** A minimum of 0 asks for nothing, which is the same as not saying one. */
function positive(value: unknown): number | undefined {
  const number = integer(value)
  return number !== undefined && number >= 1 ? number : undefined
}

function resourcesOf(value: unknown): Resources | undefined {
  const amounts = new Map<string, number>()
  for (const [name, quantity] of Object.entries(object(value))) {
    const amount = amountOf(name, quantity)
    if (amount !== undefined) amounts.set(name, amount)
  }
  return amounts.size > 0 ? amounts : undefined
}

/** Volcano looks at the tasks' minima only where minMember is at least their sum (its `CheckTaskValid`). */
function taskMinima(spec: Json): ReadonlyMap<string, number> {
  const minima = Object.entries(object(spec.minTaskMember)).flatMap(([task, value]): [string, number][] => {
    const min = positive(value)
    return min === undefined ? [] : [[task, min]]
  })
  const sum = minima.reduce((total, [, min]) => total + min, 0)
  return sum > (positive(spec.minMember) ?? Number.POSITIVE_INFINITY) ? none : new Map(minima)
}

/** KAI nests subgroups; pods belong to those that have none below them. */
function subGroupMinima(spec: Json): ReadonlyMap<string, number> {
  const groups = objects(spec.subGroups)
  const parents = new Set(groups.map(group => text(group.parent)))
  const minima = groups.flatMap((group): [string, number][] => {
    const [name, min] = [text(group.name), positive(group.minMember)]
    return name === undefined || min === undefined || parents.has(name) ? [] : [[name, min]]
  })
  return new Map(minima)
}
