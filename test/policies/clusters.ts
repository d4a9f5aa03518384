import { customScheduler } from '../../policies/index.ts'
import { type Policy, schedule } from '../../policies/schedule.ts'
import { rankOf } from '../../policies/ranks.ts'
import type { Pod } from '../../policies/types.ts'
import { type NodeBuilder, pod, type PodBuilder } from '../builders.ts'

const name = 'custom-scheduler'

/** A pod of the plan-based scheduler that asks for little: only the rule of one pod to a node keeps it from a node. */
export const mine = (one: string, priority?: number): PodBuilder => {
  const plain = pod(one).scheduler(name).cpu(10)
  return priority === undefined ? plain : plain.annotation('priority', String(priority))
}

/** The members of a gang of that name. */
export const group = (one: string, size: number, priority?: number): PodBuilder[] =>
  Array.from({ length: size }, (_, index) => mine(`${one}-${index}`, priority).annotation('pod-group', one))

/** Gangs by the annotation `pod-group`, ranks by the annotation `priority`. */
export const policyOf = (more: Partial<Policy> = {}): Policy => ({
  filters: customScheduler(new Set([name])).filters,
  groupOf: one => (one.schedulerName === name ? groupOf(one) : undefined),
  rankOf: one => rankOf(one, { byAnnotation: true, cap: 0 }),
  isProtected: ({ controller }) => controller?.kind === 'DaemonSet',
  preempts: ({ preempts }) => preempts,
  ...more
})

const groupOf = ({ namespace, uid, name, annotations }: Pod) => {
  const gang = annotations.get('pod-group')
  const size = annotations.get('muster.dev/min-member')
  const minMember = size === undefined ? undefined : Number(size)
  return gang === undefined
    ? { key: uid, namespace, name, minMember: 1 }
    : { key: `${namespace}/pod-group/${gang}`, namespace, name: gang, minMember }
}

export type Shown = { readonly bind: readonly string[]; readonly preempt: readonly string[] }

/** The actions as `pod@node` and `victim>pod`. */
export function planOf(
  nodes: readonly NodeBuilder[],
  pods: readonly PodBuilder[],
  { policy = policyOf(), former = new Map() }: { policy?: Policy; former?: ReadonlyMap<string, string> } = {}
): Shown & { readonly waiting: readonly string[] } {
  const cluster = { nodes: nodes.map(each => each.obj()), pods: pods.map(each => each.obj()) }
  const { bind, preempt, waiting } = schedule(cluster, policy, former)
  return {
    bind: bind.map(each => `${each.pod.name}@${each.node}`),
    preempt: preempt.map(each => `${each.pod.name}>${each.for.name}`),
    waiting: waiting.map(unit => unit.name)
  }
}
