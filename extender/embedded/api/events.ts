import type { KubeObject } from '../store/objects.ts'
import { without } from './fields.ts'
import type { Resource } from './resource.ts'

/** Fields of `events.k8s.io/v1` that the core group, which is what is stored, names otherwise. */
const names: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count'
}

/** An `events.k8s.io/v1` Event as the core Event that is stored. */
function eventIn(event: KubeObject): KubeObject {
  return renamed(event, Object.entries(names), 'v1')
}

/** A stored Event as one of `events.k8s.io/v1`, which leaves out a reporter that is none. */
function eventOut(event: KubeObject): KubeObject {
  const back = Object.entries(names).map(([name, stored]): [string, string] => [stored, name])
  const none = ['reportingComponent', 'reportingInstance'].filter(name => event[name] === '')
  return renamed(without(event, ...none) as KubeObject, back, 'events.k8s.io/v1')
}

function renamed(event: KubeObject, pairs: readonly [string, string][], apiVersion: string): KubeObject {
  const from = pairs.map(([name]) => name)
  const moved = pairs.flatMap(([name, other]) => (event[name] === undefined ? [] : [[other, event[name]] as const]))
  return Object.freeze({ ...without(event, ...from), ...Object.fromEntries(moved), apiVersion }) as KubeObject
}

export const same = (object: KubeObject): KubeObject => object

const newEvents = 'events.events.k8s.io'

/** How a stored object is handed out under a resource. */
export const outOf = (resource: Resource): ((object: KubeObject) => KubeObject) =>
  resource.id === newEvents ? eventOut : same

/** How an object of a resource is stored. */
export const intoOf = (resource: Resource): ((object: KubeObject) => KubeObject) =>
  resource.id === newEvents ? eventIn : same
