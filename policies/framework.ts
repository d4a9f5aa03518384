import type { NodeInfo } from './snapshot.ts'
import type { Shape } from './types.ts'

/** What a plugin answers. A refusal is a value; only a bug is thrown. */
export type Status =
  | { readonly code: 'Success' }
  /** No, but evicting pods may help. */
  | { readonly code: 'Unschedulable'; readonly reason: string }
  /** No, and evicting pods cannot help. */
  | { readonly code: 'UnschedulableAndUnresolvable'; readonly reason: string }

export const success: Status = { code: 'Success' }

export interface Plugin {
  readonly name: string
}

/**
 * Asked once per shape and node, by the planner and by the verbs, with the node as it would be before the pod comes.
 * `Success` lets the pod in; a refusal's reason is a short constant text that names the requirement, without numbers,
 * so that equal refusals can be counted. Must be pure: same shape and node, same answer. One more pod on the node never
 * turns a refusal into a yes; and two nodes that give the same first answers and have the same amounts go on to answer
 * alike when the same pods come to both: the planner asks one of them for both.
 */
export interface FilterPlugin extends Plugin {
  filter(shape: Shape, info: NodeInfo): Status
  /** Whether the answer depends on the pods of a node by more than the amounts that they take; absent: never. */
  seesPods?(shape: Shape): boolean
}

/** A profile is an ordered list that one can read; it belongs to the pods of some scheduler names. */
export type Profile = {
  readonly name: string
  readonly filters: readonly FilterPlugin[]
  /** Whether pods without a gang are planned as well, each as a gang of one; else kube-scheduler places them. */
  readonly plansSingles: boolean
  /** Whether the annotation `priority` takes the place of the PriorityClass; else it only orders inside one. */
  readonly byAnnotation: boolean
  /** Whether of equal priorities the smaller gang is planned first, whatever its age. */
  readonly smallerFirst: boolean
}

export type Refusal = Exclude<Status, { code: 'Success' }> & { readonly plugin: string }

/** Asks each plugin in order; the first refusal stands, signed by its plugin. Undefined means that the pod fits. */
export function runFilters(filters: readonly FilterPlugin[], shape: Shape, info: NodeInfo): Refusal | undefined {
  for (const plugin of filters) {
    const status = plugin.filter(shape, info)
    if (status.code !== 'Success') return { ...status, plugin: plugin.name }
  }
  return undefined
}
