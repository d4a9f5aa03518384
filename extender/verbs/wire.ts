/**
 * The JSON of kube-scheduler's `extender/v1`: Go field names, absent parts as `null`. Pinned by golden tests.
 * Filter and prioritize come with thousands of node names, so their names are not parsed unless somebody needs them.
 */

type Json = Readonly<Record<string, unknown>>

/** What is wrong with a request, in one sentence; answered as 400. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'
  readonly statusCode = 400
}

/** The node names of a request, still as its bytes. */
export interface NodeNames {
  readonly count: number
  /** The JSON array, as it came. */
  readonly json: string
  has(name: string): boolean
  /** Parses them all. */
  list(): readonly string[]
}

/** ExtenderArgs, with the pod as plain JSON. */
export type Args = { readonly pod: Json; readonly names: NodeNames }

const namesKey = '"NodeNames":['
const quote = 0x22
const comma = 0x2c

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
  if (at < 0) return undefined
  const from = at + namesKey.length - 1
  const count = countNames(body, from)
  if (count === undefined) return undefined
  try {
    const head: unknown = JSON.parse(`${body.toString('utf8', 0, at)}"NodeNames":null}`)
    if (!isObject(head) || !isObject(head.Pod)) return undefined
    return { pod: head.Pod, names: new RawNames(body.toString('latin1', from, body.lastIndexOf(']') + 1), count) }
  } catch {
    return undefined
  }
}

/** How many names stand in `["a","b"]}` from there to the end of the body; undefined unless it is exactly that. */
function countNames(body: Buffer, from: number): number | undefined {
  const end = body.lastIndexOf(']}')
  if (end < from || body.toString('latin1', end + 2).trim() !== '') return undefined
  if (end === from + 1) return 0
  let count = 0
  let at = from + 1
  while (at < end) {
    if (body[at] !== quote) return undefined
    at += 1
    const start = at
    while (at < end && isNameByte(body[at] ?? 0)) at += 1
    if (at === start || body[at] !== quote) return undefined
    count += 1
    at += 1
    if (at < end && body[at++] !== comma) return undefined
  }
  return at === end && body[end - 1] === quote ? count : undefined
}

/** Letters, digits, `-` and `.`: all that a node's name can hold. */
function isNameByte(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e || (byte >= 0x41 && byte <= 0x5a)
}

class RawNames implements NodeNames {
  readonly json: string
  readonly count: number

  constructor(json: string, count: number) {
    this.json = json
    this.count = count
  }

  has(name: string): boolean {
    return this.json.includes(`"${name}"`)
  }

  list(): readonly string[] {
    return this.count === 0 ? [] : this.json.slice(2, -2).split('","')
  }
}

class ParsedNames implements NodeNames {
  readonly #names: readonly string[]

  constructor(names: readonly string[]) {
    this.#names = names
  }

  get count(): number {
    return this.#names.length
  }

  get json(): string {
    return JSON.stringify(this.#names)
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  list(): readonly string[] {
    return this.#names
  }
}

function readWhole(body: Buffer): Args {
  const args = readObject(body)
  if (!isObject(args.Pod)) throw new BadRequest('the field Pod must be an object')
  const { NodeNames: names, Nodes: nodes } = args
  if (isNames(names)) return { pod: args.Pod, names: new ParsedNames(names) }
  if (isObject(nodes)) throw new BadRequest('the request carries whole nodes; set nodeCacheCapable: true for this extender')
  throw new BadRequest('the field NodeNames must be a list of node names')
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(name => typeof name === 'string')
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readObject(body: Buffer): Json {
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
export type BindArgs = { readonly namespace: string; readonly name: string; readonly uid: string; readonly node: string }

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
  const given = args.NodeNameToMetaVictims ?? args.NodeNameToVictims ?? {}
  if (!isObject(given)) throw new BadRequest('the victims must be an object of node names')
  const candidates = new Map<string, Victims>()
  for (const [node, victims] of Object.entries(given)) candidates.set(node, readVictims(node, victims))
  return { pod: args.Pod, candidates }
}

function readVictims(node: string, value: unknown): Victims {
  if (!isObject(value)) throw new BadRequest(`the victims of node ${JSON.stringify(node)} must be an object`)
  const pods: unknown = value.Pods ?? []
  if (!Array.isArray(pods)) throw new BadRequest(`the victims of node ${JSON.stringify(node)} must be a list`)
  const violations = value.NumPDBViolations
  return { uids: pods.map(uidOf), pdbViolations: Number.isSafeInteger(violations) ? Number(violations) : 0 }
}

/** Of a MetaPod or of a whole pod. */
function uidOf(pod: unknown): string {
  const metadata = isObject(pod) ? pod.metadata : undefined
  const uid = isObject(pod) ? (pod.UID ?? (isObject(metadata) ? metadata.uid : undefined)) : undefined
  if (typeof uid !== 'string') throw new BadRequest('each victim must have a uid')
  return uid
}

/** ExtenderFilterResult: those nodes and no others. `names` is a JSON array. */
export function filterResult(names: string, unresolvable: Readonly<Record<string, string>> | undefined): string {
  const failed = unresolvable ? JSON.stringify(unresolvable) : 'null'
  return `{"Nodes":null,"NodeNames":${names},"FailedNodes":null,"FailedAndUnresolvableNodes":${failed},"Error":""}`
}

/** ExtenderFilterResult of a call that could not be answered. */
export function filterError(message: string): string {
  return JSON.stringify({ Nodes: null, NodeNames: null, FailedNodes: null, FailedAndUnresolvableNodes: null, Error: message })
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
  const victims = [...candidates].map(([node, { uids, pdbViolations }]) => [
    node,
    { Pods: uids.map(UID => ({ UID })), NumPDBViolations: pdbViolations }
  ])
  return JSON.stringify({ NodeNameToMetaVictims: Object.fromEntries(victims) })
}
