import type { Config } from '../../config.ts'
import type { Place, Value } from './document.ts'

/** A KubeSchedulerConfiguration and what `muster serve` is told. */
export type Configuration = {
  readonly root: Value
  /** Whether no other document stands before it. */
  readonly isFirst: boolean
  readonly extenders: readonly Value[]
  /** Those of the extenders that call muster. */
  readonly muster: readonly Value[]
  readonly bindTimeoutMs: number
  /** The names whose pods muster plans, and which of them the user named. */
  readonly schedulerNames: readonly string[]
  readonly namedSchedulers: readonly string[]
  /** By which muster knows whether it leads. */
  readonly lease: Config['lease']
  readonly scope: Config['scope']
}

export type Found = { readonly at: Place; readonly problem: string; readonly fix: string }

/** One thing that may be wrong. Errors hurt gangs or keep kube-scheduler from starting; warnings cost or mislead. */
export type Rule = {
  readonly name: string
  readonly severity: 'error' | 'warning'
  /** Half a sentence: what happens if it stays. */
  readonly why: string
  check(configuration: Configuration): Iterable<Found>
}

/** '' where there is none, as in Go. */
export function text(value: Value | undefined, name: string): string {
  const scalar = value?.field(name)?.scalar
  return typeof scalar === 'string' ? scalar : ''
}

export function flag(value: Value | undefined, name: string): boolean {
  return value?.field(name)?.scalar === true
}

export function number(value: Value | undefined, name: string): number | undefined {
  const scalar = value?.field(name)?.scalar
  return typeof scalar === 'number' ? scalar : undefined
}

/** Where a field is written, or where the map is that lacks it. */
export function placeOf(value: Value, name: string): Place {
  return (value.field(name) ?? value).place
}

/** What a file says, safe and short enough for a terminal. */
export function quote(said: unknown): string {
  const shown = JSON.stringify(said) ?? 'this'
  // oxlint-disable-next-line no-control-regex -- that is the point
  const safe = shown.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?')
  return safe.length > 80 ? `${safe.slice(0, 77)}..."` : safe
}
