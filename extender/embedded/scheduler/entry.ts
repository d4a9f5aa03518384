import type { PodView } from './views.ts'

/** A pod on its way through the queues. */
export type Entry = {
  readonly uid: string
  view: PodView
  /** When it last came into a queue from outside or from a cycle. */
  timestamp: number
  attempts: number
  /** How often no node took it. */
  refusals: number
  /** How often in a row something broke. */
  errors: number
  /** Who refused it the last time. Empty after an error. */
  plugins: Set<string>
  gated: boolean
}

export function newEntry(view: PodView, timestamp: number): Entry {
  const { uid } = view.pod
  return { uid, view, timestamp, attempts: 0, refusals: 0, errors: 0, plugins: new Set(), gated: false }
}

/** 1. Higher priority first. 2. Then whoever has waited longer in this queue (upstream PrioritySort). */
export function isBefore(a: Entry, b: Entry): boolean {
  const [one, other] = [a.view.pod.priority, b.view.pod.priority]
  return one === other ? a.timestamp < b.timestamp : one > other
}
