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

/** Who may be permuted among each other. No namespace contains a slash. */
export const tierOf = ({ namespace, priority }: Waiting): string => `${priority}/${namespace}`

/** 1. Higher priority. 2. Smaller. 3. Older. 4. Namespace. 5. Name. 6. Key. */
export const older = (a: Waiting, b: Waiting): number =>
  b.priority - a.priority ||
  a.size - b.size ||
  a.createdAt - b.createdAt ||
  compare(a.namespace, b.namespace) ||
  compare(a.name, b.name) ||
  compare(a.key, b.key)

/** Of those, who is first: 1. Higher annotation. 2. As they stood. */
export const preferred = (a: Waiting, b: Waiting): number => b.annotationPriority - a.annotationPriority || older(a, b)
