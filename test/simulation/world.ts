import { History } from '../control-plane/history.ts'
import type { Pod } from '../control-plane/objects.ts'
import { VirtualClock } from '../gangs/virtual-clock.ts'
import { ApiTruth } from './api-truth.ts'
import { Chance } from './chance.ts'
import { Cluster, isStanding, nodeOf } from './cluster.ts'
import { Elector, lease } from './elector.ts'
import { Faults } from './faults.ts'
import { heldBy, Invariants, keyOf } from './invariants.ts'
import { Journal } from './journal.ts'
import { type BindCall, Muster } from './muster.ts'
import type { Pair } from './pair.ts'
import { Process } from './process.ts'
import { KubeScheduler } from './scheduler.ts'
import { Traps } from './traps.ts'

const leaseMs = lease.durationMs
/** Without a real lease: how often it would be tried for. */
const retryMs = 2_000

/** A cluster with two pairs of kube-scheduler and muster, of which one leads, and everything that may happen to them. */
export class World {
  readonly clock = new VirtualClock()
  readonly chance: Chance
  readonly journal: Journal
  readonly truth: ApiTruth
  readonly cluster: Cluster
  readonly faults: Faults
  readonly invariants: Invariants
  readonly traps = new Traps()
  /** What a watch without faults would have shown: read by the checker of the conformance tests. */
  readonly history = new History()
  readonly pairs: readonly Pair[] = ['muster-0', 'muster-1'].map(name => ({
    ...{
      name,
      scheduler: undefined,
      muster: undefined,
      leads: false,
      life: 0,
      elector: undefined,
      deposedAt: undefined,
      skew: 0
    }
  }))
  /** In some worlds users have half of their gangs pinned; nothing is drawn for it, so that all others stay as they were. */
  readonly pins: boolean
  /** In every other world processes stop for a while, and accidents wait for the moment in which they hurt most. */
  readonly hard: boolean
  /** In some worlds a real lease says who leads, and the other muster stands by. */
  readonly hasLease: boolean
  /** Lives of muster that have begun, in this world. */
  #lives = 0
  /** Until then two may have decided at once, or what one of them sent may still arrive. */
  #murkyUntil = 0
  #steps = 0

  constructor(seed: number, whole = false) {
    this.chance = new Chance(seed)
    this.pins = seed % 5 === 2
    this.hasLease = [3, 5].includes(seed % 8)
    this.hard = seed % 2 === 0 || this.hasLease
    this.journal = new Journal(() => this.clock.now(), whole)
    this.faults = new Faults(this.chance)
    this.truth = new ApiTruth(this.clock, this.chance)
    const { truth, clock, chance, journal } = this
    this.cluster = new Cluster({ truth, clock, chance, journal })
    this.invariants = new Invariants({ truth, cluster: this.cluster, clock, journal, pairs: () => this.pairs })
    truth.api.watch('pods', ({ type, object }) => {
      this.history.record({ type, object: object as unknown as Pod, at: clock.now() })
      const node = nodeOf(object)
      journal.say(`${type} ${keyOf(object)} ${object.metadata.resourceVersion} on ${node ?? '-'}`)
      if (node !== undefined && clock.now() < this.#murkyUntil) this.invariants.tainted.add(node)
    })
    clock.onStep = () => {
      this.#steps += 1
      this.invariants.check()
    }
  }

  get steps(): number {
    return this.#steps
  }

  run(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  get leader(): Pair | undefined {
    return this.pairs.find(({ leads }) => leads)
  }

  /** Both pairs come up, and one of them leads. */
  begin(): void {
    if (this.hasLease) for (const pair of this.pairs) this.#startPair(pair)
    else this.lead(this.pairs[0]!)
  }

  #startPair(pair: Pair): void {
    this.startMuster(pair)
    this.startScheduler(pair)
  }

  lead(pair: Pair): void {
    pair.leads = true
    this.startMuster(pair)
    this.startScheduler(pair)
  }

  startMuster(pair: Pair): void {
    if (pair.muster || !(pair.leads || this.hasLease)) return
    const epoch = ++this.#lives
    pair.life = epoch
    const { truth, clock, chance, faults, journal, invariants } = this
    journal.say(`${pair.name}: muster starts, life ${epoch}`)
    pair.muster = new Muster({
      ...{ who: pair.name, truth, clock, chance, faults, journal },
      ...{ epoch: () => epoch, hasLease: this.hasLease, skew: () => pair.skew },
      tookOver: muster => invariants.tookOver(muster),
      broken: what => invariants.fail(what),
      surprised: error => invariants.fail(`muster was surprised: ${String(error)}`),
      crashes: write => this.traps.meets(write),
      crash: () => this.#crashAtWrite(pair, epoch),
      witness: {
        sent: request => invariants.sent(pair, request),
        lost: request => invariants.lost(request),
        carriedOut: (request, response, { hasGivenUp }) => invariants.carriedOut(request, response, hasGivenUp)
      }
    })
  }

  startScheduler(pair: Pair): void {
    const process = new Process(this.clock, () => pair.skew)
    if (this.hasLease) this.#stand(pair, process)
    else if (!pair.scheduler && pair.leads) this.#schedule(pair, process)
  }

  /** It does nothing but try to get the lease, until it has it; who loses it ends and is started again. */
  #stand(pair: Pair, process: Process): void {
    if (pair.elector) return
    const { truth, clock, chance, faults, journal } = this
    const identity = `${pair.name}_${this.cluster.next()}`
    pair.elector = new Elector({
      ...{ truth, clock, chance, faults, process, identity },
      renewed: () => this.#renewed(pair),
      changed: leads => {
        journal.say(`${identity} ${leads ? 'has the lease' : 'has lost the lease'}`)
        this.#murkyUntil = Math.max(this.#murkyUntil, clock.now() + leaseMs)
        if (leads) {
          pair.leads = true
          return this.#schedule(pair, process)
        }
        this.killScheduler(pair)
        clock.after(1_000, () => this.startScheduler(pair))
      }
    })
  }

  #renewed(holder: Pair): void {
    for (const pair of this.pairs) {
      if (pair === holder || pair.deposedAt !== undefined) continue
      if (pair.leads) this.journal.sees('lease taken from one that had it')
      pair.deposedAt = this.clock.now()
    }
    holder.deposedAt = undefined
  }

  #schedule(pair: Pair, process: Process): void {
    const { truth, clock, chance, faults, journal, invariants } = this
    journal.say(`${pair.name}: kube-scheduler starts`)
    pair.scheduler = new KubeScheduler({
      ...{ who: `${pair.name}/scheduler`, process, truth, clock, chance, faults, journal },
      muster: () => pair.muster,
      answered: (call, text) => this.#answered(call, text),
      // It gives the room away once more before its watch shows that it is taken.
      lost: ({ node }) => invariants.tainted.add(node)
    })
  }

  #answered(call: BindCall, text: string): void {
    this.invariants.answered(call, text)
    if (text.includes('plan was withdrawn')) this.journal.sees('plan withdrawn at the barrier')
    if (text.includes('did not arrive in time')) this.journal.sees('barrier timed out')
  }

  /** kill -9 of muster alone. What it has sent may still arrive, and the next life cannot know. */
  killMuster(pair: Pair): void {
    const { muster } = pair
    if (!muster) return
    this.journal.say(`${pair.name}: muster ends`)
    if (muster.calls.size > 1) this.journal.sees('crash with members at the barrier')
    if (this.#isBetweenWrites()) this.journal.sees('crash between two writes')
    for (const node of muster.wire.bindings.values()) this.invariants.tainted.add(node)
    muster.kill()
    pair.muster = undefined
  }

  /** In the middle of what it does, and it is started again as a kubelet would. */
  #crashAtWrite(pair: Pair, life: number): void {
    if (life !== pair.life) return
    this.journal.sees('crash at a write')
    this.killMuster(pair)
    this.clock.after(this.chance.one([0, 100, 3_000]) ?? 0, () => this.startMuster(pair))
  }

  killScheduler(pair: Pair): void {
    pair.elector?.process.end()
    pair.elector = undefined
    if (this.hasLease) pair.leads = false
    if (!pair.scheduler) return
    const isGatedNominee = this.truth.pods().some(pod => {
      const { spec, status } = pod as unknown as Pod
      return (spec.schedulingGates?.length ?? 0) > 0 && status.nominatedNodeName !== undefined
    })
    if (isGatedNominee) this.journal.sees('scheduler restarted with gated nominees')
    this.journal.say(`${pair.name}: kube-scheduler ends`)
    pair.scheduler.kill()
    pair.scheduler = undefined
  }

  #isBetweenWrites(): boolean {
    return [...this.cluster.gangs.values()].some(spec => {
      const standing = this.cluster.membersOf(spec).filter(isStanding).length
      return standing > 0 && standing < spec.min
    })
  }

  /** Both processes of the leading pair end; the other one gets the lease when it has run out. */
  failOver(pair: Pair, afterMs: number): void {
    this.killMuster(pair)
    this.killScheduler(pair)
    pair.leads = false
    if (this.hasLease) {
      this.clock.after(this.chance.between(500, leaseMs), () => this.#startPair(pair))
      return
    }
    const next = this.pairs.find(other => other !== pair)
    this.clock.after(afterMs, () => {
      if (next && !this.leader) this.lead(next)
    })
  }

  crashPair(): void {
    const { leader } = this
    if (leader) this.failOver(leader, this.chance.between(leaseMs - retryMs, leaseMs + retryMs))
  }

  /** A rolling restart: the lease is given back. */
  handOver(): void {
    const { leader } = this
    if (!leader) return
    this.journal.sees('graceful handover')
    leader.elector?.release()
    this.failOver(leader, this.chance.between(0, retryMs))
  }

  /** The leader stalls longer than its lease and goes on for a while before it notices: two decide at once. */
  overlap(): void {
    const { leader } = this
    const next = this.pairs.find(pair => pair !== leader && !pair.leads)
    if (!leader || !next) return
    this.journal.sees('leader overlap')
    if (this.hasLease) return this.#sleep(leader)
    this.journal.say(`${next.name} leads beside ${leader.name}`)
    const ms = this.chance.between(100, leaseMs)
    this.#murkyUntil = this.clock.now() + ms + leaseMs
    this.lead(next)
    this.clock.after(ms, () => {
      if (!next.leads) return
      this.killMuster(leader)
      this.killScheduler(leader)
      leader.leads = false
    })
  }

  /** Both processes stop for longer than the lease lasts, or kube-scheduler alone. */
  #sleep(pair: Pair): void {
    const ms = this.chance.between(leaseMs, leaseMs * 2)
    this.#murkyUntil = this.clock.now() + ms + leaseMs
    pair.scheduler?.process.stop(ms, this.chance.is(0.5))
    if (this.chance.is(0.7)) pair.muster?.process.stop(ms, this.chance.is(0.5))
  }

  /** Every version before now is forgotten, and whoever watches hears so. */
  expire(): void {
    this.truth.compact()
    for (const { muster } of this.pairs) {
      if (!muster?.wire.expire()) continue
      this.journal.sees('410 on a watch')
      if (muster.calls.size > 0) this.journal.sees('410 during a barrier')
    }
  }

  /** Nothing goes wrong any more, and what went wrong outside is mended. */
  heal(cores: number): void {
    this.journal.say('the world heals')
    this.faults.calm()
    this.traps.clear()
    for (const { metadata } of this.cluster.nodes()) this.cluster.setNode(metadata.name, { cores, cordoned: false })
    for (const budget of this.cluster.api.list('poddisruptionbudgets.policy').items)
      this.cluster.setBudget(budget.metadata.namespace ?? '', budget.metadata.name, undefined)
    if (!this.leader) this.begin()
    for (const pair of this.pairs) this.#startPair(pair)
  }

  /** Where room is held, as `pod@node`. */
  held(): readonly string[] {
    const reports = this.leader?.muster?.gangs() ?? []
    return [...heldBy(reports)].map(([pod, node]) => `${pod}@${node}`)
  }
}
