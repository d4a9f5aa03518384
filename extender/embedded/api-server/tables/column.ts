import type { Json, KubeObject } from '../../store/objects.ts'
import { at, count, list, record, text } from '../fields.ts'
import { since } from './duration.ts'

/** One column of `kubectl get`: what the API server says about it, and its cell. */
export type Column = {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'number' | 'date'
  readonly format?: string
  /** 1: only with `-o wide`. */
  readonly priority?: 0 | 1
  readonly description?: string
  /** `now` is the wall clock, for ages. */
  cell(object: KubeObject, now: number): Json
}

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: ({ metadata }) => metadata.name
}

export const ageColumn: Column = {
  name: 'Age',
  type: 'string',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created.',
  cell: ({ metadata }, now) => since(metadata.creationTimestamp, now)
}

/** A column of text. */
export function column(name: string, cell: Column['cell']): Column {
  return { name, type: 'string', cell }
}

/** The text at a path, as it is. */
export function textColumn(name: string, path: string, fallback = ''): Column {
  return column(name, object => text(object, path, fallback))
}

/** The number at a path. */
export function countColumn(name: string, path: string, fallback = 0): Column {
  return { name, type: 'integer', cell: object => count(object, path, fallback) }
}

/** The same columns, for `-o wide` only. */
export function wide(...columns: readonly Column[]): readonly Column[] {
  return columns.map(each => ({ ...each, priority: 1 as const }))
}

/** Names and images of the containers of a pod template, at a path. */
export function containerColumns(path: string): readonly Column[] {
  const joined = (object: KubeObject, field: string): string =>
    list(at(object, path))
      .map(container => text(container, field))
      .join(',')
  return wide(
    column('Containers', object => joined(object, 'name')),
    column('Images', object => joined(object, 'image'))
  )
}

/** A plain map as kubectl shows selectors. */
export function labelsText(labels: unknown): string {
  const pairs = Object.entries(record(labels)).map(([key, value]) => `${key}=${String(value)}`)
  return pairs.length === 0 ? '<none>' : pairs.toSorted().join(',')
}

const operators: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in (${values})`,
  NotIn: (key, values) => `${key} notin (${values})`,
  Exists: key => key,
  DoesNotExist: key => `!${key}`
}

/** A `metav1.LabelSelector` at a path. */
export function selectorColumn(path: string): Column {
  return column('Selector', object => {
    const selector = at(object, path)
    const pairs = Object.entries(record(at(selector, 'matchLabels'))).map(([key, value]) => `${key}=${String(value)}`)
    const expressions = list(at(selector, 'matchExpressions')).map(expression =>
      operators[text(expression, 'operator')]?.(
        text(expression, 'key'),
        list(at(expression, 'values')).map(String).toSorted().join(',')
      )
    )
    return [...pairs.toSorted(), ...expressions.filter(each => each !== undefined)].join(',') || '<none>'
  })
}
