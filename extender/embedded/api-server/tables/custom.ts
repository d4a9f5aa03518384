import type { Json, KubeObject } from '../../store/objects.ts'
import { list, record, text } from '../fields.ts'
import type { Column } from './column.ts'
import { since } from './duration.ts'

type Definition = Readonly<Record<string, unknown>>

/** The `additionalPrinterColumns` of a CustomResourceDefinition. */
export function customColumns(definitions: readonly Definition[]): readonly Column[] {
  return definitions.map(definition => {
    const path = parsePath(text(definition, 'jsonPath'))
    const type = text(definition, 'type', 'string') as Column['type']
    return {
      name: text(definition, 'name'),
      type,
      format: text(definition, 'format'),
      description: text(
        definition,
        'description',
        `Custom resource definition column (in JSONPath format): ${text(definition, 'jsonPath')}`
      ),
      priority: definition.priority === 1 ? (1 as const) : (0 as const),
      cell: (object, now) => cellOf(find(object, path), type, now)
    }
  })
}

function cellOf(value: unknown, type: Column['type'], now: number): Json {
  if (value === undefined || value === null) return null
  if (type === 'date') return since(value, now)
  if (type === 'string') return typeof value === 'string' ? value : JSON.stringify(value)
  const wanted = type === 'boolean' ? 'boolean' : 'number'
  if (typeof value !== wanted) return null
  return type === 'integer' ? Math.trunc(value as number) : (value as Json)
}

type Step = (value: unknown) => unknown

const stepOf = /\.([\w-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.([\w.-]+)\s*==\s*["']([^"']*)["']\)\]/gy

/** As much of JSONPath as columns use: names, indexes and one condition; what is not understood finds nothing. */
function parsePath(path: string): readonly Step[] {
  const matches = [...path.matchAll(stepOf)]
  const understood = matches.reduce((sum, [all]) => sum + all.length, 0) === path.length
  if (!understood) return [() => undefined]
  return matches.map(([, name, quoted, index, field, wanted]): Step => {
    const key = name ?? quoted
    if (key !== undefined) return value => record(value)[key.replaceAll('\\.', '.')]
    if (field !== undefined) return value => list(value).find(each => text(each, field) === wanted)
    return value => list(value)[index === '*' ? 0 : Number(index)]
  })
}

function find(object: KubeObject, path: readonly Step[]): unknown {
  return path.reduce((value: unknown, step) => step(value), object)
}
