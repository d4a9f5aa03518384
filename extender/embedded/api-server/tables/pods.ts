import type { KubeObject } from '../../store/objects.ts'
import { at, count, list, record, text } from '../fields.ts'
import { ageColumn, type Column, column, nameColumn, textColumn, wide } from './column.ts'
import { since } from './duration.ts'

/** What the Ready, Status and Restarts cells of a pod are made of. */
type Summary = {
  readonly ready: number
  readonly total: number
  readonly status: string
  readonly restarts: number
  readonly lastRestart: string
}

type Tally = { ready: number; restarts: number; lastRestart: string }

const terminal = new Set(['Succeeded', 'Failed'])

/** How kubectl sums up a pod (upstream: printPod). */
export function podSummary(pod: KubeObject): Summary {
  const init = initSummary(pod)
  const isInitialized = conditionIs(pod, 'Initialized', 'True')
  const main = init.status === undefined || isInitialized ? mainSummary(pod, init) : undefined
  const { ready, restarts, lastRestart } = main?.tally ?? init.tally
  const status = leaving(pod) ?? main?.status ?? init.status ?? baseReason(pod)
  const total = list(at(pod, 'spec.containers')).length + sidecars(pod).size
  return { ready, total, status, restarts, lastRestart }
}

function baseReason(pod: KubeObject): string {
  const gated = list(at(pod, 'status.conditions')).some(
    each => text(each, 'type') === 'PodScheduled' && text(each, 'reason') === 'SchedulingGated'
  )
  return gated ? 'SchedulingGated' : text(pod, 'status.reason', text(pod, 'status.phase'))
}

function leaving(pod: KubeObject): string | undefined {
  if (pod.metadata.deletionTimestamp === undefined) return undefined
  if (text(pod, 'status.reason') === 'NodeLost') return 'Unknown'
  return terminal.has(text(pod, 'status.phase')) ? undefined : 'Terminating'
}

/** Names of the init containers that run for ever. */
function sidecars(pod: KubeObject): ReadonlySet<string> {
  const always = list(at(pod, 'spec.initContainers')).filter(each => text(each, 'restartPolicy') === 'Always')
  return new Set(always.map(each => text(each, 'name')))
}

function addRestarts(tally: Tally, status: unknown): void {
  tally.restarts += count(status, 'restartCount')
  const finished = text(status, 'lastState.terminated.finishedAt')
  if (finished > tally.lastRestart) tally.lastRestart = finished
}

/** The first init container that has not done its part says what the pod waits for. */
function initSummary(pod: KubeObject): { readonly status: string | undefined; readonly tally: Tally } {
  const tally: Tally = { ready: 0, restarts: 0, lastRestart: '' }
  const total = list(at(pod, 'spec.initContainers')).length
  const always = sidecars(pod)
  for (const [index, status] of list(at(pod, 'status.initContainerStatuses')).entries()) {
    addRestarts(tally, status)
    const isUp = always.has(text(status, 'name')) && at(status, 'started') === true
    if (isUp && at(status, 'ready') === true) tally.ready += 1
    if (!isUp && at(status, 'state.terminated.exitCode') !== 0)
      return { status: `Init:${initReason(status, index, total)}`, tally }
  }
  return { status: undefined, tally }
}

function initReason(status: unknown, index: number, total: number): string {
  if (at(status, 'state.terminated')) return terminatedReason(status)
  const waiting = text(status, 'state.waiting.reason')
  return waiting === '' || waiting === 'PodInitializing' ? `${index}/${total}` : waiting
}

function terminatedReason(status: unknown): string {
  const { reason, signal, exitCode } = record(at(status, 'state.terminated'))
  if (typeof reason === 'string' && reason !== '') return reason
  return typeof signal === 'number' && signal !== 0 ? `Signal:${signal}` : `ExitCode:${Number(exitCode ?? 0)}`
}

/** The last container that has a reason gives the pod its own. */
function mainSummary(pod: KubeObject, init: { readonly tally: Tally }): { status: string; tally: Tally } {
  const tally = { ...init.tally, ...sidecarRestarts(pod) }
  const statuses = list(at(pod, 'status.containerStatuses'))
  let status = baseReason(pod)
  let failure = ''
  let running = false
  for (const each of statuses.toReversed()) {
    addRestarts(tally, each)
    const reason = containerReason(each)
    if (reason !== undefined) status = reason
    else if (at(each, 'ready') === true && at(each, 'state.running')) {
      running = true
      tally.ready += 1
    }
    if (count(each, 'state.terminated.exitCode') !== 0) failure = status
  }
  return { status: status === 'Completed' ? completed(pod, running, failure) : status, tally }
}

function completed(pod: KubeObject, running: boolean, failure: string): string {
  if (running && conditionIs(pod, 'Ready', 'True')) return 'Running'
  return failure || (running ? 'NotReady' : 'Completed')
}

function containerReason(status: unknown): string | undefined {
  const waiting = text(status, 'state.waiting.reason')
  if (waiting !== '') return waiting
  return at(status, 'state.terminated') ? terminatedReason(status) : undefined
}

/** Once a pod is initialized, only the restarts of what still runs count. */
function sidecarRestarts(pod: KubeObject): { restarts: number; lastRestart: string } {
  const tally: Tally = { ready: 0, restarts: 0, lastRestart: '' }
  const always = sidecars(pod)
  for (const status of list(at(pod, 'status.initContainerStatuses')))
    if (always.has(text(status, 'name'))) addRestarts(tally, status)
  return { restarts: tally.restarts, lastRestart: tally.lastRestart }
}

function conditionIs(object: KubeObject, type: string, status: string): boolean {
  return list(at(object, 'status.conditions')).some(
    each => text(each, 'type') === type && text(each, 'status') === status
  )
}

function restartsText(pod: KubeObject, now: number): string {
  const { restarts, lastRestart } = podSummary(pod)
  return restarts === 0 || lastRestart === '' ? String(restarts) : `${restarts} (${since(lastRestart, now)} ago)`
}

function readinessGates(pod: KubeObject): string {
  const gates = list(at(pod, 'spec.readinessGates'))
  const open = gates.filter(gate => conditionIs(pod, text(gate, 'conditionType'), 'True'))
  return gates.length === 0 ? '<none>' : `${open.length}/${gates.length}`
}

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', pod => {
    const { ready, total } = podSummary(pod)
    return `${ready}/${total}`
  }),
  column('Status', pod => podSummary(pod).status),
  column('Restarts', restartsText),
  ageColumn,
  ...wide(
    column('IP', pod => text(list(at(pod, 'status.podIPs'))[0], 'ip', text(pod, 'status.podIP', '<none>'))),
    textColumn('Node', 'spec.nodeName', '<none>'),
    textColumn('Nominated Node', 'status.nominatedNodeName', '<none>'),
    column('Readiness Gates', readinessGates)
  )
]
