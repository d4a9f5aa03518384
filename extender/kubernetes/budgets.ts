import type { Budget } from '../facts.ts'
import { integer, type Json, object, objects, text, texts } from '../json.ts'

type Labels = ReadonlyMap<string, string>

/** The slim form of a PodDisruptionBudget; throws where it has no identity. Without a status it allows nothing yet. */
export function budget(json: Json): Budget {
  const metadata = object(json.metadata)
  const [uid, namespace, name] = [text(metadata.uid), text(metadata.namespace), text(metadata.name)]
  if (uid === undefined || namespace === undefined || name === undefined)
    throw new TypeError('metadata.uid, namespace or name is missing')
  const allowed = integer(object(json.status).disruptionsAllowed) ?? 0
  return { uid, namespace, name, selects: selectorOf(object(json.spec).selector), allowed }
}

/** An absent selector selects nothing, an empty one everything (policy/v1). */
function selectorOf(selector: unknown): Budget['selects'] {
  if (typeof selector !== 'object' || selector === null) return () => false
  const equal = Object.entries(object(object(selector).matchLabels))
  const rules = objects(object(selector).matchExpressions).map(ruleOf)
  return labels => equal.every(([key, value]) => labels.get(key) === value) && rules.every(rule => rule(labels))
}

function ruleOf({ key: asked, operator, values: listed }: Json): (labels: Labels) => boolean {
  const key = text(asked) ?? ''
  const values = new Set(texts(listed))
  switch (operator) {
    case 'In':
      return labels => values.has(labels.get(key) ?? '') && labels.has(key)
    case 'NotIn':
      return labels => !labels.has(key) || !values.has(labels.get(key) ?? '')
    case 'Exists':
      return labels => labels.has(key)
    case 'DoesNotExist':
      return labels => !labels.has(key)
    default:
      return () => false
  }
}
