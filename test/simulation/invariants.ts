import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import type { GangReport } from '../../extender/gangs/telling/report.ts'
import { object, objects, text, texts } from '../../extender/json.ts'
import type { ApiRequest, ApiResponse } from '../../extender/kubernetes/api-server.ts'
import type { State } from '../../extender/state.ts'
import { endingMark } from '../../policies/names.ts'
import type { Pod } from '../../policies/types.ts'
import type { VirtualClock } from '../gangs/virtual-clock.ts'
import { type ApiTruth, targetOf } from './api-truth.ts'
import { type Cluster, coresOf, gangNameOf, isDone, isStanding, nodeOf, priorityOf, sizeOf } from './cluster.ts'
import type { Journal } from './journal.ts'
import type { BindCall, Muster } from './muster.ts'
import type { Pair } from './pair.ts'
import { timing } from './timing.ts'
import { nodeIn } from './wire.ts'

export type InvariantParts = {
  readonly truth: ApiTruth
  readonly cluster: Cluster
  readonly clock: VirtualClock
  readonly journal: Journal
  readonly pairs: () => readonly Pair[]
}

/** What kube-scheduler's patience leaves: no write of muster's starts later. */
const writeMarginMs = 1_000

/** What must hold at every moment, whatever happens: asked of the API's truth, and of each write of muster's as it leaves. */
export class Invariants {
  /** What did not hold, in the order in which it was seen. */
  readonly broken: string[] = []
  /** Nodes where somebody from outside took room, or took it away: there capacity is not muster's to promise. */
  readonly tainted = new Set<string>()
  readonly #parts: InvariantParts
  /** Gangs that have stood with their quorum or more, and those of which some stand and that once did. */
  readonly #partial = new Set<string>()
  readonly #whole = new Set<string>()
  /** Uids of pods whose binding was carried out without an answer, until somebody looks. */
  readonly #unknown = new Set<string>()
  /** Of what one life sees, by path, from where it was watched last. */
  readonly #versions = new WeakMap<State, Map<string, number>>()
  /** By path, how often it was written, and until when that is counted. */
  readonly #writes = new Map<string, { readonly until: number; writes: number }>()
  /** Since when a muster holds more than it tells of. */
  readonly #leaks = new Map<Muster, number>()
  #seen = -1

  constructor(parts: InvariantParts) {
    this.#parts = parts
  }

  fail(what: string): void {
    if (this.broken.length < 20 && !this.broken.includes(what)) this.broken.push(what)
    this.#parts.journal.say(`BROKEN ${what}`)
  }

  /** After every step of the simulation. */
  check(): void {
    const { truth } = this.#parts
    if (truth.version === this.#seen) return
    this.#seen = truth.version
    this.#capacity()
    this.#gangs()
  }

  /** I1: what stands on a node, and what is held there, is not more than there is. */
  #capacity(): void {
    const pods = this.#parts.truth.pods()
    const inOffice = this.#parts.pairs().filter(({ deposedAt }) => deposedAt === undefined)
    const deciding = inOffice.flatMap(({ muster }) => (muster?.ready ? [muster] : []))
    const reports = deciding.length === 1 ? (deciding[0]?.gangs() ?? []) : []
    const leaving = new Set(reports.flatMap(({ plan }) => plan?.leaving ?? []))
    const held = heldBy(reports)
    for (const node of this.#parts.cluster.nodes()) {
      const { name } = node.metadata
      if (this.tainted.has(name)) continue
      const there = pods.filter(pod => nodeOf(pod) === name && !isDone(pod))
      const toCome = pods.filter(pod => nodeOf(pod) === undefined && held.get(keyOf(pod)) === name)
      const goes = (pod: KubeObject): boolean => leaving.has(keyOf(pod)) || pod.metadata.deletionTimestamp !== undefined
      const used = sum(there)
      const isKnown = inOffice.every(pair => there.every(pod => mayKnow(pair, pod)))
      const promised = isKnown ? sum(there.filter(pod => !goes(pod))) + sum(toCome) : 0
      if (used > coresOf(node) || promised > coresOf(node))
        this.fail(
          `I1: ${name} has ${coresOf(node)} cores; on it ${list(there)} (${used}), held ${list(toCome)} (${promised})`
        )
    }
  }

  #gangs(): void {
    const { cluster, journal } = this.#parts
    for (const [key, spec] of cluster.gangs) {
      const standing = cluster.membersOf(spec).filter(isStanding).length
      if (standing >= spec.min) {
        if (!this.#whole.has(key)) journal.sees('gang bound whole')
        if (this.#partial.delete(key)) journal.sees('partial gang repaired')
        this.#whole.add(key)
      } else if (standing > 0 && this.#whole.has(key)) this.#partial.add(key)
      else this.#partial.delete(key)
    }
  }

  /** I4: all that is held is held for somebody who is there. What is seen only once may be about to be looked at. */
  async ledger(): Promise<void> {
    const { clock, pairs } = this.#parts
    for (const { muster } of pairs()) {
      if (!muster?.ready) continue
      const { share } = await muster.held()
      const total = muster.state.snapshot().nodes.reduce((sum, { node }) => sum + (node.allocatable.get('cpu') ?? 0), 0)
      const members = muster.gangs().flatMap(gang => gang.members.map(member => ({ ...member, ...keyed(gang) })))
      const planned = new Set(members.flatMap(({ key, name, planned }) => (planned === null ? [] : [`${key}/${name}`])))
      const pods = [...muster.state.pods()].filter(pod => planned.has(`${pod.namespace}/${pod.name}`))
      const told = pods.reduce((sum, pod) => sum + (pod.shape.requests.get('cpu') ?? 0), 0)
      if (Math.abs(share * total - told) < 1) this.#leaks.delete(muster)
      else if (clock.now() - (this.#leaks.get(muster) ?? clock.now()) > leakMs)
        this.fail(`I4: ${Math.round(share * total)} millicores are held, ${told} of them for members that exist`)
      else if (!this.#leaks.has(muster)) this.#leaks.set(muster, clock.now())
    }
  }

  /** Of a write of muster's that leaves now. */
  sent(pair: Pair, request: ApiRequest): void {
    const { resource, part, namespace, name } = targetOf(request.path)
    if (request.query?.['watch'] === true) this.#watchSent(pair, request)
    if (resource !== 'pods' || name === undefined) return
    const pod = `${namespace}/${name}`
    if (request.method === 'GET') return this.#looked(pod)
    this.#counted(request)
    this.#entitled(pair, request)
    if (request.method === 'DELETE') return this.fail(`I3: ${pod} is deleted and not evicted`)
    if (uidIn(request) === undefined) return this.fail(`I6: ${part ?? 'a patch'} of ${pod} names no uid`)
    if (part === 'binding') this.#bindingSent(pair, pod, request)
    if (request.method === 'PATCH') this.#patchSent(pair, pod, request)
    if (part === 'eviction' && !this.#isEnding(pod)) this.#victim(pair, pod)
    if (endingMarkIn(request)) this.#victim(pair, pod)
  }

  /** I6: whoever writes has the lease, or has not heard yet that another has it. */
  #entitled({ name, deposedAt }: Pair, { path }: ApiRequest): void {
    const late = this.#parts.clock.now() - (deposedAt ?? Number.POSITIVE_INFINITY)
    if (late > lagMs) this.fail(`I6: ${name} writes ${path} ${late} ms after another has got the lease`)
  }

  /** I12: whatever is wrong, nothing is tried again and again without a pause. */
  #counted({ path }: ApiRequest): void {
    const now = this.#parts.clock.now()
    const known = this.#writes.get(path)
    const count = known && now < known.until ? known : { until: now + countedMs, writes: 0 }
    this.#writes.set(path, count)
    count.writes += 1
    if (count.writes > mostWrites) this.fail(`I12: ${path} is written more than ${mostWrites} times in ${countedMs} ms`)
  }

  /** A gang that is ended whole is marked before the first of it goes: whoever comes after finishes that. */
  #isEnding(pod: string): boolean {
    const victim = this.#parts.truth.pods().find(each => keyOf(each) === pod)
    if (!victim || gangNameOf(victim) === '') return false
    const siblings = this.#parts.truth.pods().filter(each => isSibling(each, victim))
    return siblings.some(({ metadata }) => metadata.annotations?.[endingMark] !== undefined)
  }

  /** S3: what was seen is never taken back, whatever an API server that lags behind lists. */
  #watchSent({ muster }: Pair, { path, query = {} }: ApiRequest): void {
    if (!muster) return
    const known = this.#versions.get(muster.state) ?? new Map<string, number>()
    const version = Number(query['resourceVersion'] ?? 0)
    if (version < (known.get(path) ?? 0))
      this.fail(`I9: ${path} is watched from ${version}, and ${known.get(path)} was seen`)
    this.#versions.set(muster.state, known.set(path, version))
  }

  /** C4: its outcome is unknown, and has to be looked at before anybody is told anything. */
  lost(request: ApiRequest): void {
    const uid = uidIn(request)
    if (request.path.endsWith('/binding') && uid !== undefined) this.#unknown.add(uid)
  }

  #looked(pod: string): void {
    const found = this.#parts.truth.pods().find(each => keyOf(each) === pod)
    this.#unknown.delete(found?.metadata.uid ?? '')
  }

  /** What kube-scheduler is told of a binding is true. */
  answered(call: BindCall, text: string): void {
    const pod = this.#parts.truth.pods().find(each => each.metadata.uid === call.uid)
    const isBound = text === '{"Error":""}'
    if (isBound && pod && nodeOf(pod) !== call.node)
      this.fail(`I5: kube-scheduler hears that ${call.pod} is on ${call.node}, and it is on ${nodeOf(pod)}`)
    const left = call.arrivedAt + timing.bindTimeoutMs - writeMarginMs - this.#parts.clock.now()
    // Of a pod that is gone the watch has told already, and there is nothing to look at.
    if (!isBound && pod && !call.gone && left > lookMs && this.#unknown.has(call.uid))
      this.fail(`I6: ${call.pod} is told as not bound without a look, though the answer was lost`)
    this.#unknown.delete(call.uid)
  }

  /** Hold first, room free, then nominate; and let go only who is nominated, or pinned by that write. */
  #patchSent(pair: Pair, name: string, { body }: ApiRequest): void {
    const { muster } = pair
    const pod = muster?.state.pod(text(object(object(body).metadata).uid) ?? '')
    const gang = pod?.annotations.get('muster.dev/gang')
    const report = muster?.gangs().find(each => each.namespace === pod?.namespace && each.name === gang)
    const planned = report?.members.find(member => member.name === pod?.name)?.planned
    const nominated = text(object(object(body).status).nominatedNodeName)
    if (nominated !== undefined && planned !== nominated)
      this.fail(`I4: ${name} is nominated for ${nominated}, and room is held for it on ${planned}`)
    if (nominated !== undefined && (report?.plan?.leaving.length ?? 0) > 0)
      this.fail(`I4: ${name} is nominated for ${nominated}, and ${report?.plan?.leaving.join()} are still to leave`)
    if (pod && object(object(body).spec).schedulingGates !== undefined) this.#letGo(pod, report, pinIn(body))
  }

  #letGo(pod: Pod, report: GangReport | undefined, pin: string | undefined): void {
    const planned = report?.members.find(member => member.name === pod.name)?.planned
    const leaving = report?.plan?.leaving ?? []
    if (pin !== undefined) this.#parts.journal.sees('member pinned')
    if ((pin ?? pod.nominatedNodeName) !== planned)
      this.fail(`I4: ${pod.name} is let go without being nominated for ${planned} or pinned to it`)
    if (leaving.length > 0) this.fail(`I4: ${pod.name} is let go, and ${leaving.join()} are still to leave`)
  }

  #bindingSent(pair: Pair, pod: string, request: ApiRequest): void {
    const node = nodeIn(request)
    const uid = uidIn(request)
    const calls = [...(pair.muster?.calls ?? [])]
    const call = calls.findLast(each => each.uid === uid && each.node === node && !each.gone)
    if (!call) return this.fail(`I6: ${pod} is bound to ${node}, and kube-scheduler does not ask for it`)
    const late = this.#parts.clock.now() - (call.arrivedAt + timing.bindTimeoutMs - writeMarginMs)
    if (late > 0) this.fail(`I6: a binding of ${pod} starts ${late} ms after its deadline`)
    call.writes += 1
    if (call.writes === 1) this.#firstWrite(pair, pod, request)
  }

  /** I6 and I2: what is bound is planned there, by that plan, and begins with its whole quorum. */
  #firstWrite(pair: Pair, name: string, request: ApiRequest): void {
    const { muster } = pair
    const pod = muster?.state.pod(uidIn(request) ?? '')
    const gang = pod?.annotations.get('muster.dev/gang')
    if (!muster || !pod || gang === undefined) return
    const report = muster.gangs().find(each => each.namespace === pod.namespace && each.name === gang)
    const annotations = object(object(object(request.body).metadata).annotations)
    this.#planned(report, { pod, node: nodeIn(request), plan: text(annotations['muster.dev/plan']) })
    const members = [...muster.state.pods()].filter(
      each => each.namespace === pod.namespace && each.annotations.get('muster.dev/gang') === gang
    )
    if (members.some(each => muster.state.nodeOf(each) !== undefined && each.phase !== 'Failed')) return
    const min = Number(pod.annotations.get('muster.dev/min-member'))
    const calls = new Set([...muster.calls].filter(({ gone }) => !gone).map(({ uid }) => uid))
    const here = members.filter(({ uid }) => calls.has(uid)).length
    if (here < min) this.fail(`I2: ${name} is bound first, and of its gang ${here} of ${min} have come to the barrier`)
    if (annotations['muster.dev/plan-members'] === undefined)
      this.fail(`I9: the first binding of ${name}'s gang does not carry its plan`)
  }

  #planned(report: GangReport | undefined, bound: { pod: Pod; node: string; plan: string | undefined }): void {
    const { pod, node, plan } = bound
    const planned = report?.members.find(member => member.name === pod.name)?.planned
    if (planned !== node) this.fail(`I6: ${pod.name} is bound to ${node}, and planned on ${planned}`)
    if (report?.plan?.id !== plan)
      this.fail(`I6: ${pod.name} is bound by plan ${plan}, and its gang's is ${report?.plan?.id}`)
  }

  /** I3: whoever goes has less right to its room than somebody who is planned there. */
  #victim(pair: Pair, name: string): void {
    const victim = this.#parts.truth.pods().find(pod => keyOf(pod) === name)
    if (!victim || victim.metadata.deletionTimestamp !== undefined) return
    const priority = priorityOf(victim)
    const preemptors = (pair.muster?.gangs() ?? []).filter(({ plan }) => plan?.leaving.includes(name))
    if (preemptors.length === 0) this.fail(`I3: ${name} is evicted, and no plan needs its room`)
    else if (!preemptors.some(gang => gang.priority > priority))
      this.fail(`I3: ${name} of priority ${priority} is evicted for ${preemptors.map(gang => gang.name).join()}`)
  }

  /** Of a write of muster's that the API server has carried out. */
  carriedOut(request: ApiRequest, response: ApiResponse, hasGivenUp: boolean): void {
    const { journal, truth } = this.#parts
    const { part, namespace = '', name = '' } = targetOf(request.path)
    const isDone = response.status < 300
    if (part === 'binding') {
      if (hasGivenUp) journal.sees('bind carried out after its caller had given up')
      if (response.status === 409) journal.sees('bind answered 409')
      const { metadata } = truth.pod(namespace, name) ?? {}
      if (isDone && metadata?.uid !== uidIn(request)) this.fail(`I5: ${namespace}/${name} is bound for another pod`)
    }
    if (part === 'eviction') {
      if (response.status === 429) journal.sees('PDB refusal')
      if (response.status === 404) journal.sees('eviction of a gone pod')
      if (isDone) this.#evicted(namespace, name)
    }
  }

  #evicted(namespace: string, name: string): void {
    const { journal, truth } = this.#parts
    journal.sees('victim evicted')
    const victim = truth.pod(namespace, name)
    if (!victim || gangNameOf(victim) === '') return
    const siblings = truth.pods().filter(pod => isSibling(pod, victim))
    if (siblings.length > 1 && !siblings.some(isStanding)) journal.sees('gang evicted whole')
  }

  /** I9: a new life holds for gangs that have begun what their record says. */
  tookOver(muster: Muster): void {
    const begun = muster.gangs().filter(({ members }) => members.some(({ node }) => node !== null))
    const wanting = begun.filter(({ members }) => members.some(isOpen))
    for (const report of begun) {
      const record = this.#recordOf(report)
      if (!record) continue
      this.#parts.journal.sees('crash of a begun gang taken over')
      // Others that have begun may have taken the room, or be first to find it again.
      if (wanting.length > 1) continue
      const open = report.members.filter(isOpen)
      const recorded = open.map(({ name }) => text(object(record)[name]))
      for (const [index, { name, planned }] of open.entries()) {
        const node = recorded[index]
        const count = recorded.filter(each => each === node).length
        if (node !== undefined && planned !== node && this.#hasRoom(muster, report, { node, count }))
          this.fail(`I9: ${report.name}/${name} was recorded on ${node} and is held on ${planned}`)
      }
    }
  }

  /** Of the only plan by which the gang began, who was to stand where. */
  #recordOf({ namespace, name }: GangReport): object | undefined {
    const pods = this.#parts.truth
      .pods()
      .filter(pod => pod.metadata.namespace === namespace && gangNameOf(pod) === name)
    const records = pods.flatMap(pod => pod.metadata.annotations?.['muster.dev/plan-members'] ?? [])
    return records.length === 1 && pods.some(isStanding) ? object(JSON.parse(records[0] ?? '{}')) : undefined
  }

  /** For so many members of the gang, as far as that muster has seen, and nobody from outside has changed it. */
  #hasRoom(muster: Muster, { namespace, name }: GangReport, on: { readonly node: string; readonly count: number }) {
    const info = muster.state.node(on.node)
    if (!info || info.node.unschedulable || this.tainted.has(on.node)) return false
    const size = (this.#parts.cluster.gangs.get(`${namespace}/${name}`)?.size ?? 0) * 1_000
    const free = (info.node.allocatable.get('cpu') ?? 0) - (info.used.get('cpu') ?? 0)
    return free >= size * on.count
  }
}

const keyed = ({ namespace }: GangReport): { readonly key: string } => ({ key: namespace })
/** What muster sees of the lease is as old as that. */
const lagMs = 2_500
/** A write to one object is tried no more often in such a time, by all lives of both musters together. */
const [countedMs, mostWrites] = [10_000, 60]
/** A round of planning is over long before. */
const leakMs = 2_000
/** A look takes no longer, once it is answered. */
const lookMs = 5_000
const openStates: ReadonlySet<string> = new Set(['gated', 'pending', 'nominated'])

const isOpen = ({ node, state }: GangReport['members'][number]): boolean => node === null && openStates.has(state)

export function heldBy(reports: readonly GangReport[]): ReadonlyMap<string, string> {
  const held = new Map<string, string>()
  for (const { namespace, members } of reports)
    for (const { name, planned, node } of members)
      if (planned !== null && node === null) held.set(`${namespace}/${name}`, planned)
  return held
}

/** False where another led when the pod was bound, and the watch of who has taken over has not told yet. */
function mayKnow({ elector, muster }: Pair, { metadata: { uid = '' } }: KubeObject): boolean {
  const pod = muster?.state.pod(uid)
  return !elector || !muster?.ready || (pod !== undefined && muster.state.nodeOf(pod) !== undefined)
}

export const keyOf = ({ metadata: { namespace, name } }: KubeObject): string => `${namespace}/${name}`

function isSibling(pod: KubeObject, other: KubeObject): boolean {
  return pod.metadata.namespace === other.metadata.namespace && gangNameOf(pod) === gangNameOf(other)
}

const endingMarkIn = ({ body }: ApiRequest): boolean =>
  object(object(object(body).metadata).annotations)[endingMark] !== undefined

/** The node to which a patch of a pod without terms pins it. */
function pinIn(body: unknown): string | undefined {
  const { nodeAffinity } = object(object(object(body).spec).affinity)
  const required = object(object(nodeAffinity).requiredDuringSchedulingIgnoredDuringExecution)
  const [pin] = objects(required.nodeSelectorTerms).flatMap(({ matchFields }) => objects(matchFields))
  return texts(pin?.values)[0]
}

/** Of a binding or patch in its metadata, of an eviction in its preconditions. */
function uidIn({ body }: ApiRequest): string | undefined {
  const { metadata, deleteOptions } = object(body)
  return text(object(metadata).uid) ?? text(object(object(deleteOptions).preconditions).uid)
}

const sum = (pods: readonly KubeObject[]): number => pods.reduce((all, pod) => all + sizeOf(pod), 0)
const list = (pods: readonly KubeObject[]): string => pods.map(keyOf).join(' ') || 'nothing'
