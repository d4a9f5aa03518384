import { parseDuration } from '../../../policies/parse.ts'
import type { Field, Value } from './document.ts'
import { type Found, quote, type Rule } from './rule.ts'

type Leaf = 'text' | 'flag' | 'number' | 'duration' | 'any'
type Fields = { readonly [name: string]: Shape }
type Shape = Leaf | Fields | readonly [Shape]

const plugin = { name: 'text', weight: 'number' } as const
const pluginSet = { enabled: [plugin], disabled: [plugin] } as const
const points = [
  ...['preEnqueue', 'queueSort', 'preFilter', 'filter', 'postFilter', 'preScore', 'score', 'reserve', 'permit'],
  ...['preBind', 'bind', 'postBind', 'multiPoint', 'placementGenerate', 'placementScore']
]

const profile = {
  schedulerName: 'text',
  percentageOfNodesToScore: 'number',
  plugins: Object.fromEntries(points.map(point => [point, pluginSet])),
  pluginConfig: [{ name: 'text', args: 'any' }]
} as const

const extender = {
  urlPrefix: 'text',
  filterVerb: 'text',
  preemptVerb: 'text',
  prioritizeVerb: 'text',
  weight: 'number',
  bindVerb: 'text',
  enableHTTPS: 'flag',
  tlsConfig: {
    insecure: 'flag',
    serverName: 'text',
    certFile: 'text',
    keyFile: 'text',
    caFile: 'text',
    certData: 'text',
    keyData: 'text',
    caData: 'text'
  },
  httpTimeout: 'duration',
  nodeCacheCapable: 'flag',
  managedResources: [{ name: 'text', ignoredByScheduler: 'flag' }],
  ignorable: 'flag'
} as const

/** Every field of kubescheduler.config.k8s.io/v1 as of Kubernetes 1.36. */
const configuration: Fields = {
  apiVersion: 'text',
  kind: 'text',
  parallelism: 'number',
  leaderElection: {
    leaderElect: 'flag',
    leaseDuration: 'duration',
    renewDeadline: 'duration',
    retryPeriod: 'duration',
    resourceLock: 'text',
    resourceName: 'text',
    resourceNamespace: 'text'
  },
  clientConnection: {
    kubeconfig: 'text',
    acceptContentTypes: 'text',
    contentType: 'text',
    qps: 'number',
    burst: 'number'
  },
  enableProfiling: 'flag',
  enableContentionProfiling: 'flag',
  percentageOfNodesToScore: 'number',
  podInitialBackoffSeconds: 'number',
  podMaxBackoffSeconds: 'number',
  profiles: [profile],
  extenders: [extender],
  delayCacheUntilActive: 'flag'
}

/** What a value may be, and how to say so. */
const leaves: Record<Leaf, { readonly is: (scalar: unknown) => boolean; readonly name: string }> = {
  text: { is: scalar => typeof scalar === 'string', name: 'text; put it in quotes' },
  flag: { is: scalar => typeof scalar === 'boolean', name: 'true or false, without quotes' },
  number: { is: scalar => typeof scalar === 'number', name: 'a number, without quotes' },
  duration: {
    is: scalar => typeof scalar === 'string' && parseDuration(scalar) !== undefined,
    name: 'a duration with its unit, such as 2s'
  },
  any: { is: () => true, name: 'anything' }
}

/** A value where its shape is known. */
type Seen = { readonly value: Value; readonly shape: Shape }

/** Every value that has a shape, outermost first. */
function* walk({ value, shape }: Seen): Generator<Seen> {
  yield { value, shape }
  if (isList(shape)) for (const item of value.items) yield* walk({ value: item, shape: shape[0] })
  else if (typeof shape === 'object')
    for (const { name, value: held } of value.fields) {
      const inner = known(shape, name)
      if (inner !== undefined) yield* walk({ value: held, shape: inner })
    }
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape)
}

function known(shape: Fields, name: string): Shape | undefined {
  return Object.hasOwn(shape, name) ? shape[name] : undefined
}

/** Every field with the names that may stand in its place. */
function* fieldsOf(root: Value): Generator<{ readonly field: Field; readonly names: readonly string[] }> {
  for (const { value, shape } of walk({ value: root, shape: configuration })) {
    if (typeof shape !== 'object' || isList(shape)) continue
    const names = Object.keys(shape)
    for (const field of value.fields) yield { field, names }
  }
}

function* unknownFields(root: Value): Generator<Found> {
  for (const { field, names } of fieldsOf(root)) {
    if (names.includes(field.name)) continue
    const near = nearest(field.name, names)
    const fix = near === undefined ? 'remove it' : `${near}:`
    yield { at: field.place, problem: `unknown field ${quote(field.name)}`, fix }
  }
}

function* wrongTypes(root: Value): Generator<Found> {
  for (const { value, shape } of walk({ value: root, shape: configuration })) {
    const wanted = wantedInstead(value, shape)
    if (wanted === undefined) continue
    const problem =
      value.kind === 'scalar' ? `${quote(value.scalar)} is the wrong type` : `a ${value.kind} is the wrong type`
    yield { at: value.place, problem, fix: `make it ${wanted}` }
  }
}

/** What should stand there; undefined where it does, or null does. */
function wantedInstead(value: Value, shape: Shape): string | undefined {
  if (value.scalar === null) return undefined
  if (typeof shape === 'string')
    return shape === 'any' || leaves[shape].is(value.scalar) ? undefined : leaves[shape].name
  const kind = isList(shape) ? 'list' : 'map'
  return value.kind === kind ? undefined : `a ${kind}`
}

/** The known name that a misspelt one most likely means: the same but for two letters or capitals. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const alike = names.filter(each => Math.abs(each.length - name.length) <= 2)
  const ranked = alike.map(each => ({ each, distance: distance(name.toLowerCase(), each.toLowerCase()) }))
  const best = ranked.toSorted((a, b) => a.distance - b.distance || (a.each < b.each ? -1 : 1))[0]
  return best && best.distance <= 2 ? best.each : undefined
}

/** Levenshtein's: letters to add, remove or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [line, letter] of a.split('').entries()) {
    const next = [line + 1]
    for (const [column, other] of b.split('').entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** What kube-scheduler's strict decoder refuses. */
export const fieldRules: readonly Rule[] = [
  {
    name: 'unknown-field',
    severity: 'warning',
    why: 'kube-scheduler refuses to start with a field that its version does not know',
    check: ({ root }) => unknownFields(root)
  },
  {
    name: 'wrong-type',
    severity: 'error',
    why: 'kube-scheduler refuses to start with it',
    check: ({ root }) => wrongTypes(root)
  },
  {
    name: 'duplicate-key',
    severity: 'error',
    why: 'kube-scheduler refuses to start with a key given twice',
    *check({ root }) {
      for (const { field } of fieldsOf(root)) {
        if (field.isAgain)
          yield { at: field.place, problem: `${quote(field.name)} is given again`, fix: 'remove one of them' }
      }
    }
  }
]
