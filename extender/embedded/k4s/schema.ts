import { quantity } from '../api/quantity.ts'
import type { ManifestDocument } from './documents.ts'

/** What a field may hold: a scalar, a free map, or an object of known fields. */
export type Field = 'string' | 'number' | 'boolean' | 'map' | 'selector' | 'quantity' | Shape
export type Shape = { readonly fields: Readonly<Record<string, Field>>; readonly required?: readonly string[] }

const metadata: Shape = {
  fields: { name: 'string', namespace: 'string', labels: 'map', annotations: 'map' },
  required: ['name']
}
const probe: Shape = {
  fields: {
    ...{ initialDelaySeconds: 'number', periodSeconds: 'number', timeoutSeconds: 'number' },
    ...{ failureThreshold: 'number', successThreshold: 'number' }
  }
}

/** What a container is in `apiVersion: k4s/v1`. */
const container: Shape = {
  fields: {
    ...{ module: 'string', function: 'string', params: 'map', env: 'map', memory: 'quantity' },
    ...{ restartPolicy: 'string', gracePeriodSeconds: 'number', livenessProbe: probe, readinessProbe: probe }
  },
  required: ['module']
}

const template: Shape = {
  fields: { metadata: { fields: { labels: 'map', annotations: 'map' } }, spec: container },
  required: ['spec']
}

const top = { apiVersion: 'string', kind: 'string', metadata } as const

/** The kinds of `apiVersion: k4s/v1`. */
const kinds: Readonly<Record<string, Shape>> = {
  Container: { fields: { ...top, spec: container }, required: ['spec'] },
  ReplicaSet: {
    fields: { ...top, spec: { fields: { replicas: 'number', template }, required: ['template'] } },
    required: ['spec']
  },
  Service: {
    fields: { ...top, spec: { fields: { selector: 'selector' }, required: ['selector'] } },
    required: ['spec']
  }
}

/** Throws for the first field that is unknown, missing, or holds what it may not. */
export function check(document: ManifestDocument): void {
  const { kind } = document.object
  const shape = kinds[kind]
  if (shape === undefined)
    throw document.error(['kind'], `unknown kind "${kind}" of k4s/v1; there are ${Object.keys(kinds).join(', ')}`)
  checkShape(document, document.object, shape, [])
}

function checkShape(document: ManifestDocument, value: unknown, shape: Shape, path: readonly string[]): void {
  if (!isObject(value)) throw document.error(path, `${path.join('.')} is no map`)
  for (const [name, field] of Object.entries(value)) {
    const expected = shape.fields[name]
    const here = [...path, name]
    if (expected === undefined) throw document.error(here, unknownField(here, shape, name))
    if (typeof expected === 'object') checkShape(document, field, expected, here)
    else if (!holds(expected, field)) throw document.error(here, `${here.join('.')} is no ${expected}`)
  }
  for (const name of shape.required ?? [])
    if (value[name] === undefined) throw document.error(path, `${[...path, name].join('.')} is missing`)
}

function unknownField(path: readonly string[], shape: Shape, name: string): string {
  const near = Object.keys(shape.fields).find(known => distance(known, name) <= 2)
  return `unknown field "${path.join('.')}"${near === undefined ? '' : `: did you mean "${near}"?`}`
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function holds(type: Exclude<Field, Shape>, value: unknown): boolean {
  if (type === 'map') return isObject(value)
  if (type === 'quantity') return typeof value === 'string' && !Number.isNaN(quantity(value))
  if (type === 'selector') return typeof value === 'string' || isObject(value)
  return typeof value === type
}

/** How many letters have to be changed, added or left out. */
function distance(one: string, other: string): number {
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [row, letter] of Array.from(one).entries()) {
    const current = [row + 1]
    for (let column = 0; column < other.length; column++) {
      const same = (previous[column] ?? 0) + (other[column] === letter ? 0 : 1)
      current.push(Math.min(same, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}
