import { UsageError } from '../../errors.ts'
import { connectionRules, entriesOf } from './connection.ts'
import { readDocuments, type Value } from './document.ts'
import { fieldRules } from './fields.ts'
import { type Configuration, quote, type Rule } from './rule.ts'
import { replicaRules } from './replicas.ts'
import { kind, schedulerRules, strangerKind } from './scheduler.ts'
import { verbRules } from './verbs.ts'

export type Finding = {
  readonly rule: string
  readonly severity: 'error' | 'warning'
  readonly line: number
  readonly column: number
  readonly problem: string
  readonly why: string
  readonly fix: string
}

/** What the configuration is held against: the options of `muster serve`, and the URL of muster where it is not told by the verbs. */
export type Expected = Pick<Configuration, 'bindTimeoutMs' | 'schedulerNames' | 'namedSchedulers'> &
  Partial<Pick<Configuration, 'lease' | 'scope'>> & { readonly extender: string | undefined }

/** Every rule; the order is of no account. */
export const rules: readonly Rule[] = [
  ...[...schedulerRules, ...replicaRules, ...fieldRules],
  ...[...verbRules, ...connectionRules]
]

/** What is wrong with a KubeSchedulerConfiguration, in the order of the text; throws UsageError for a text that holds none. */
export function check(text: string, expected: Expected): readonly Finding[] {
  const configuration = choose(readDocuments(text), expected)
  const findings = new Map<string, Finding>()
  for (const rule of rules) {
    const { name, severity, why } = rule
    for (const { at, problem, fix } of rule.check(configuration)) {
      // By way of aliases, one line may be read many times.
      findings.set(JSON.stringify([at, name, problem]), { rule: name, severity, ...at, problem, why, fix })
    }
  }
  return [...findings.values()].toSorted(byPlace)
}

/** 1. From the top. 2. From the left. 3. By rule. 4. By what it says. */
function byPlace(a: Finding, b: Finding): number {
  return a.line - b.line || a.column - b.column || compare(a.rule, b.rule) || compare(a.problem, b.problem)
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

/** The first document that is, or is meant to be, a configuration of kube-scheduler. */
function choose(documents: readonly Value[], expected: Expected): Configuration {
  const root = documents.find(each => each.kind === 'map' && strangerKind(each) === undefined)
  if (!root) {
    const kinds = documents.map(each => quote(each.kind === 'map' ? strangerKind(each) : `a ${each.kind}`))
    throw new UsageError(
      `it holds no ${kind}${kinds.length > 0 ? ` but ${kinds.slice(0, 5).join(', ')}` : ': it is empty'}`
    )
  }
  const extenders = root.field('extenders')?.items ?? []
  const { extender, lease, scope = 'all', ...rest } = expected
  const muster = entriesOf(extenders, extender)
  return { root, isFirst: root === documents[0], extenders, muster, lease, scope, ...rest }
}
