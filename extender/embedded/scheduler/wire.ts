import type { KubeObject } from '../store/objects.ts'
import { extenderPlugin } from './diagnosis.ts'
import { type Json, object } from './json.ts'
import type { NodeEntry } from './views.ts'

/** What an extender says about the nodes it was offered. */
export type FilterAnswer = {
  /** Undefined where it names nodes by whole objects, or not at all. */
  readonly names: readonly string[] | undefined
  readonly nodes: readonly KubeObject[]
  readonly failed: ReadonlyMap<string, string>
  readonly unresolvable: ReadonlyMap<string, string>
}

/** Uids of victims by node, as the preempt verb answers them. */
export type MetaVictims = ReadonlyMap<string, { readonly uids: readonly string[]; readonly violations: number }>

/** An answer that Go's decoder would refuse, or that says no. */
export class ExtenderError extends Error {
  override readonly name = `${extenderPlugin}Error`
}

/** The arguments of filter and prioritize: names where the extender knows the nodes, else the nodes. */
export function extenderArgs(pod: KubeObject, nodes: readonly NodeEntry[], byName: boolean): Json {
  return {
    Pod: wirePod(pod),
    Nodes: byName ? null : { metadata: {}, items: nodes.map(({ object }) => stripped(object)) },
    NodeNames: byName ? nodes.map(({ node }) => node.name) : null
  }
}

/** As the scheduler's informer has it: without kind and without the managers of its fields. */
export const wirePod = (pod: KubeObject): Json => stripped(pod)

function stripped(object: KubeObject): Json {
  return { ...without(object, 'apiVersion', 'kind'), metadata: without(object.metadata, 'managedFields') }
}

function without(fields: object, ...names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
}

/** Go finds keys whatever their case. */
function field(json: Json, name: string): unknown {
  if (name in json) return json[name] ?? undefined
  const key = Object.keys(json).find(each => each.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : (json[key] ?? undefined)
}

function expected(what: string): never {
  throw new ExtenderError(`json: cannot unmarshal the answer: ${what} expected`)
}

function answerObject(value: unknown, what = 'an object'): Json {
  if (value === null || value === undefined) return {}
  return typeof value === 'object' && !Array.isArray(value) ? object(value) : expected(what)
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : expected(what)
}

function string(value: unknown, what: string): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : expected(what)
}

function int64(value: unknown, what: string): number {
  if (value === undefined || value === null) return 0
  return Number.isSafeInteger(value) ? (value as number) : expected(what)
}

function texts(value: unknown, what: string): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(answerObject(value, what)).map(([key, text]) => [key, string(text, `a text in ${what}`)])
  )
}

/** Throws ExtenderError with what stands under `Error`. */
function throwError(answer: Json): void {
  const error = string(field(answer, 'Error'), 'a text under Error')
  if (error !== '') throw new ExtenderError(error)
}

export function readFilter(body: unknown): FilterAnswer {
  const answer = answerObject(body)
  throwError(answer)
  const names = field(answer, 'NodeNames')
  const nodes = answerObject(field(answer, 'Nodes'), 'a list of nodes')
  return {
    names:
      names === undefined ? undefined : list(names, 'a list of NodeNames').map(name => string(name, 'a node name')),
    nodes: list(field(nodes, 'items'), 'nodes') as readonly KubeObject[],
    failed: texts(field(answer, 'FailedNodes'), 'FailedNodes'),
    unresolvable: texts(field(answer, 'FailedAndUnresolvableNodes'), 'FailedAndUnresolvableNodes')
  }
}

/** Scores by node. Go reads whole numbers only. */
export function readPriorities(body: unknown): ReadonlyMap<string, number> {
  const scores = new Map<string, number>()
  for (const entry of list(body, 'a list of scores')) {
    const score = answerObject(entry, 'a score')
    const host = string(field(score, 'Host'), 'a text under Host')
    scores.set(host, (scores.get(host) ?? 0) + int64(field(score, 'Score'), 'a whole number under Score'))
  }
  return scores
}

/** The meta form always; upstream would panic on a null in it, which here is an error. */
export function readVictims(body: unknown): MetaVictims {
  const nodes = answerObject(field(answerObject(body), 'NodeNameToMetaVictims'), 'NodeNameToMetaVictims')
  return new Map(
    Object.entries(nodes).map(([node, value]) => {
      if (value === null) throw new ExtenderError(`null victims for node ${node}: kube-scheduler would panic`)
      const victims = answerObject(value, 'victims')
      const uids = list(field(victims, 'Pods'), 'a list of Pods').map(pod => {
        if (pod === null) throw new ExtenderError(`a null victim on node ${node}: kube-scheduler would panic`)
        return string(field(answerObject(pod, 'a victim'), 'UID'), 'a text under UID')
      })
      return [node, { uids, violations: int64(field(victims, 'NumPDBViolations'), 'a number of violations') }]
    })
  )
}

export function readBinding(body: unknown): void {
  throwError(answerObject(body))
}
