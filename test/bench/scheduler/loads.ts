import { annotations, managed } from '../../../policies/names.ts'
import { type GangOptions, gangObjects, type NamedPod, podObject } from '../../control-plane/objects.ts'

/** How pods are muster's gangs: without the gate, with it, let go by a pin, as kube-scheduler asks about gangs alone, and handed over to it. */
const musterWays = {
  ungated: { gated: false },
  gated: { gated: true },
  pinned: { gated: true, annotations: { [annotations.pin]: 'true' } },
  // What the component scope-gangs adds to gang pods.
  scoped: { gated: true, extended: { [managed.filter]: '1', [managed.bind]: '1' } },
  handed: { gated: true, annotations: { [annotations.pin]: 'true', [annotations.binder]: 'kube-scheduler' } }
} as const satisfies Record<string, Pick<GangOptions, 'gated' | 'annotations' | 'extended'>>

/** How pods are gangs: not at all, beside gangs that wait, natively, or in one of muster's ways. */
export type Way = 'loose' | 'beside' | 'native' | keyof typeof musterWays

/** So many pods in gangs of one size; a size of one are single pods. */
export type Load = { readonly size: number; readonly pods: number }

/** As the tables call it. */
export function titleOf({ size, pods }: Load): string {
  const count = pods.toLocaleString('en')
  const gangs = pods / size
  if (size === 1) return `${count} single pods`
  return gangs === 1 ? `a gang of ${size}` : `${gangs.toLocaleString('en')} gangs of ${size}`
}

/** Whole gangs, as many as come nearest to so many pods, at least one. */
export function loadOf(size: number, about: number): Load {
  return { size, pods: Math.max(1, Math.round(about / size)) * size }
}

/** What one run creates. */
export type Objects = {
  /** Native PodGroups; before the pods. */
  readonly groups: readonly object[]
  readonly pods: readonly NamedPod[]
}

/** A node of the bench: room for 32 pods of it. */
export const nodeShape = { slots: 110, cpu: '32', memory: '128Gi' } as const
const podShape = { cpu: '1', memory: '1Gi' } as const
/** More than any node has. */
const tooLarge = { cpu: '33', memory: '1Gi' } as const

/** The pods of a load. */
export function objectsOf({ size, pods }: Load, way: Way): Objects {
  const names = Array.from({ length: pods / size }, (_, index) => `gang-${index}`)
  const loose = (name: string, more: object = {}): readonly NamedPod[] =>
    Array.from({ length: size }, (_, index) => podObject(`${name}-${index}`, { ...podShape, ...more }))
  if (way === 'loose' || way === 'beside') return { groups: [], pods: names.flatMap(name => loose(name)) }
  if (way === 'native')
    return {
      groups: names.map(name => ({ metadata: { name }, spec: { schedulingPolicy: { gang: { minCount: size } } } })),
      pods: names.flatMap(name => loose(name, { podGroup: name }))
    }
  return { groups: [], pods: names.flatMap(name => gangObjects({ ...podShape, ...musterWays[way], name, size })) }
}

/** Gated gangs of ten, complete, for which no node is large enough. */
export function waitingOf(members: number): readonly NamedPod[] {
  const names = Array.from({ length: members / 10 }, (_, index) => `waiting-${index}`)
  return names.flatMap(name => gangObjects({ ...tooLarge, name, size: 10, gated: true }))
}
