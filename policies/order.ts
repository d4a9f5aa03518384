import { compare } from './text.ts'

/** A gang that waits for a plan, as the order sees it. */
export type Waiting = {
  /** Unique. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  /** The members' minimum. */
  readonly priority: number
  /** Of equal priorities the smaller goes first; 0 where sizes do not matter. */
  readonly size: number
  /** From the annotation; 0 where there is none. */
  readonly annotationPriority: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

/**
 * The order in which gangs are planned: by priority, higher first; then by size, smaller first; then by age, older first;
 * then by namespace, name and key. Among equals of one namespace the annotation decides: they take the places that their ages won for the
 * namespace in the order of their annotations, higher first. So a namespace's annotations never move another's gangs.
 */
export function order<T extends Waiting>(entries: readonly T[]): readonly T[] {
  const byAge = entries.toSorted(older)
  const tiers = Map.groupBy(byAge, tierOf)
  const queues = new Map([...tiers].map(([tier, equals]) => [tier, equals.toSorted(preferred).toReversed()]))
  return byAge.map(entry => queues.get(tierOf(entry))?.pop() ?? entry)
}

/** Who may be permuted among each other. No namespace contains a slash. */
const tierOf = ({ namespace, priority }: Waiting) => `${priority}/${namespace}`

/** 1. Higher priority. 2. Smaller. 3. Older. 4. Namespace. 5. Name. 6. Key. */
export const older = (a: Waiting, b: Waiting): number =>
  b.priority - a.priority ||
  a.size - b.size ||
  a.createdAt - b.createdAt ||
  compare(a.namespace, b.namespace) ||
  compare(a.name, b.name) ||
  compare(a.key, b.key)

/** 1. Higher annotation. 2. As they stood. */
const preferred = (a: Waiting, b: Waiting): number => b.annotationPriority - a.annotationPriority || older(a, b)
