import type { Pod } from '../../../../policies/types.ts'

/** Where on a pod something is said. */
export type Field = { readonly kind: 'label' | 'annotation'; readonly key: string }

export const label = (key: string): Field => ({ kind: 'label', key })
export const annotation = (key: string): Field => ({ kind: 'annotation', key })

/** As messages name it. */
export const nameOf = ({ kind, key }: Field): string => `${kind} ${key}`

/** What the pod says there; undefined where it says nothing. */
export function textAt(pod: Pod, { kind, key }: Field): string | undefined {
  return (kind === 'label' ? pod.labels : pod.annotations).get(key)
}

/** The first of these fields that the pod has. */
export function firstAt(pod: Pod, fields: readonly Field[]): string | undefined {
  for (const field of fields) {
    const text = textAt(pod, field)
    if (text !== undefined) return text
  }
  return undefined
}

/** What a pod says in one place. */
export type Said = { readonly field: Field; readonly text: string }

export function saidAt(pod: Pod, fields: readonly Field[]): Said[] {
  return fields.flatMap(field => {
    const text = textAt(pod, field)
    return text === undefined ? [] : [{ field, text }]
  })
}

/** A user's text as it may stand in a message: short, and without line breaks. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
