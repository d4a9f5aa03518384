/**
 * The JSON of kube-scheduler's `extender/v1`: Go field names, absent parts as `null`. Pinned by golden tests.
 * Filter and prioritize come with thousands of node names, so their names are not parsed unless somebody needs them.
 */

import { type NodeNames, ParsedNames, RawNames } from './node-names.ts'

type Json = Readonly<Record<string, unknown>>

/** What is wrong with a request, in one sentence; answered as 400. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'
  readonly statusCode = 400
}

/** ExtenderArgs, with the pod as plain JSON. */
export type Args = { readonly pod: Json; readonly names: NodeNames }

const namesKey = '"NodeNames":['
const quote = 0x22
const comma = 0x2c
const brace = 0x7b
const close = 0x5d

/** Reads a filter or prioritize request; throws BadRequest for anything that is not one. */
export function readArgs(body: Buffer): Args {
  return readFast(body) ?? readWhole(body)
}

/**
 * kube-scheduler writes the names last. Parses what stands before them and only checks that the rest is a plain list
 * of names; undefined on any surprise.
 */
function readFast(body: Buffer): Args | undefined {
  const at = body.lastIndexOf(namesKey)
  if (at < 0 || !startsKey(body, at)) return undefined
  const from = at + namesKey.length - 1
  const end = endOfNames(body, from)
  if (end === undefined) return undefined
  try {
    const head: unknown = JSON.parse(`${body.toString('utf8', 0, at)}"NodeNames":null}`)
    if (!isObject(head) || !isObject(head.Pod)) return undefined
    return { pod: head.Pod, names: new RawNames(body.toString('latin1', from, end)) }
  } catch {
    return undefined
  }
}

/** Whether a key can begin there: not inside another key, as in `"x\"NodeNames":[`. */
function startsKey(body: Buffer, at: number): boolean {
  return body[at - 1] === comma || body[at - 1] === brace
}

/** Behind the list of names that opens there; undefined unless nothing but the end of the body follows. */
function endOfNames(body: Buffer, open: number): number | undefined {
  let at = open + 1
  if (body[at] !== close) {
    at = open
    do at = endOfName(body, at + 1)
    while (body[at] === comma)
  }
  return body[at] === close && /^\}[ \t\r\n]*$/.test(body.toString('latin1', at + 1)) ? at + 1 : undefined
}

/** Behind the `"name"` that begins there; behind everything where none does. */
function endOfName(body: Buffer, from: number): number {
  let at = from + 1
  while (isNameByte(body[at] ?? 0)) at += 1
  return body[from] === quote && body[at] === quote ? at + 1 : body.length
}

/** Letters, digits, `-` and `.`: all that a node's name can hold. */
function isNameByte(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    (byte >= 0x41 && byte <= 0x5a)
  )
}

function readWhole(body: Buffer): Args {
  const args = readObject(body)
  if (!isObject(args.Pod)) throw new BadRequest('the field Pod must be an object')
  const { NodeNames: names, Nodes: nodes } = args
  if (isNames(names)) return { pod: args.Pod, names: new ParsedNames(names) }
  if (isObject(nodes))
    throw new BadRequest('the request carries whole nodes; set nodeCacheCapable: true for this extender')
  throw new BadRequest('the field NodeNames must be a list of node names')
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(name => typeof name === 'string')
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function readObject(body: Buffer): Json {
  if (body.length === 0) throw new BadRequest('the body is empty')
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    throw new BadRequest('the body is not JSON')
  }
  if (!isObject(value)) throw new BadRequest('the body must be a JSON object')
  return value
}

/** ExtenderBindingArgs. */
export type BindArgs = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly node: string
}

export function readBind(body: Buffer): BindArgs {
  const args = readObject(body)
  const field = (key: string): string => {
    const value = args[key]
    if (typeof value !== 'string' || value === '') throw new BadRequest(`the field ${key} must be a non-empty string`)
    return value
  }
  return { namespace: field('PodNamespace'), name: field('PodName'), uid: field('PodUID'), node: field('Node') }
}

export type Victims = { readonly uids: readonly string[]; readonly pdbViolations: number }

/** ExtenderPreemptionArgs, either form of victims. */
export type PreemptArgs = { readonly pod: Json; readonly candidates: ReadonlyMap<string, Victims> }

export function readPreempt(body: Buffer): PreemptArgs {
  const args = readObject(body)
  if (!isObject(args.Pod)) throw new BadRequest('the field Pod must be an object')
  const given = args.NodeNameToMetaVictims ?? args.NodeNameToVictims
  if (!isObject(given))
    throw new BadRequest('the field NodeNameToMetaVictims must be an object of nodes and their victims')
  const candidates = new Map<string, Victims>()
  for (const [node, victims] of Object.entries(given)) candidates.set(node, readVictims(node, victims))
  return { pod: args.Pod, candidates }
}

function readVictims(node: string, value: unknown): Victims {
  if (!isObject(value)) throw new BadRequest(`the victims of node ${JSON.stringify(node)} must be an object`)
  const pods: unknown = value.Pods ?? []
  if (!Array.isArray(pods)) throw new BadRequest(`the victims of node ${JSON.stringify(node)} must be a list`)
  const violations = value.NumPDBViolations ?? 0
  if (!isInteger(violations))
    throw new BadRequest(`NumPDBViolations of node ${JSON.stringify(node)} must be an integer`)
  return { uids: pods.map(uidOf), pdbViolations: violations }
}

/** Of a MetaPod or of a whole pod. */
function uidOf(pod: unknown): string {
  const metadata = isObject(pod) ? pod.metadata : undefined
  const uid = isObject(pod) ? (pod.UID ?? (isObject(metadata) ? metadata.uid : undefined)) : undefined
  if (typeof uid !== 'string' || uid === '') throw new BadRequest('each victim must have a uid')
  return uid
}

/** ExtenderFilterResult: those nodes and no others. `names` is a JSON array. */
export function filterResult(names: string, unresolvable: Readonly<Record<string, string>> | undefined): string {
  const failed = unresolvable ? JSON.stringify(unresolvable) : 'null'
  return `{"Nodes":null,"NodeNames":${names},"FailedNodes":null,"FailedAndUnresolvableNodes":${failed},"Error":""}`
}

/** ExtenderFilterResult of a call that could not be answered. */
export function filterError(message: string): string {
  return JSON.stringify({
    Nodes: null,
    NodeNames: null,
    FailedNodes: null,
    FailedAndUnresolvableNodes: null,
    Error: message
  })
}

/** HostPriorityList. */
export function hostPriorities(scores: readonly { readonly host: string; readonly score: number }[]): string {
  return JSON.stringify(scores.map(({ host, score }) => ({ Host: host, Score: score })))
}

/** ExtenderBindingResult. */
export function bindResult(error: string): string {
  return JSON.stringify({ Error: error })
}

/** ExtenderPreemptionResult: always the meta form, and never a null inside, which would crash kube-scheduler. */
export function preemptResult(candidates: ReadonlyMap<string, Victims>): string {
  const victims = new Map<string, object>()
  for (const [node, { uids, pdbViolations }] of candidates) {
    victims.set(node, { Pods: uids.map(UID => ({ UID })), NumPDBViolations: pdbViolations })
  }
  return JSON.stringify({ NodeNameToMetaVictims: Object.fromEntries(victims) })
}
