import type { Problem } from './errors.ts'
import { type Fields, fields, list, text, texts } from './fields.ts'
import { keyProblems, labelMapProblems, valueProblems } from './names.ts'

/** What is wrong with a `metav1.LabelSelector`; nothing where there is none. */
export function labelSelectorProblems(selector: unknown, path: string): readonly Problem[] {
  const { matchLabels, matchExpressions } = fields(selector)
  return [
    ...labelMapProblems(`${path}.matchLabels`, fields(matchLabels)),
    ...list(matchExpressions).flatMap((requirement, index) =>
      requirementProblems(requirement, `${path}.matchExpressions[${index}]`)
    )
  ]
}

/** One condition on labels: of a selector, or with `Gt` and `Lt` of a node's affinity. */
export function requirementProblems(requirement: Fields, path: string, isOfNode = false): readonly Problem[] {
  const values = texts(requirement['values'])
  return [
    ...operatorProblems(requirement, path, isOfNode),
    ...keyProblems(`${path}.key`, text(requirement['key']) ?? ''),
    ...values.flatMap((value, index) => valueProblems(`${path}.values[${index}]`, value))
  ]
}

type Rule = { readonly fits: (count: number) => boolean; readonly type: Problem['type']; readonly detail: string }

const some: Rule = {
  fits: count => count > 0,
  type: 'required',
  detail: "must be specified when `operator` is 'In' or 'NotIn'"
}
const none: Rule = {
  fits: count => count === 0,
  type: 'forbidden',
  detail: "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
}
const one: Rule = {
  fits: count => count === 1,
  type: 'required',
  detail: "must be specified single value when `operator` is 'Lt' or 'Gt'"
}

/** How many values an operator takes. */
const ofLabels: Readonly<Record<string, Rule>> = { In: some, NotIn: some, Exists: none, DoesNotExist: none }
const ofNodes: Readonly<Record<string, Rule>> = { ...ofLabels, Gt: one, Lt: one }

function operatorProblems({ operator, values }: Fields, path: string, isOfNode: boolean): readonly Problem[] {
  const rule = (isOfNode ? ofNodes : ofLabels)[String(operator)]
  if (rule === undefined) {
    const detail = 'not a valid selector operator'
    return [{ field: `${path}.operator`, type: 'invalid', value: operator ?? '', detail }]
  }
  if (rule.fits(texts(values).length)) return []
  return [{ field: `${path}.values`, type: rule.type, detail: rule.detail }]
}
