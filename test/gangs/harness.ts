import { Registry } from 'prom-client'
import type { Clock } from '../../extender/clock.ts'
import type { GangsParts } from '../../extender/gangs/assembly.ts'
import type { Caps } from '../../extender/gangs/planning/crowd.ts'
import { Gangs } from '../../extender/gangs/gangs.ts'
import { gangMetrics } from '../../extender/gangs/metrics.ts'
import { Quarantine } from '../../extender/gangs/planning/quarantine.ts'
import type { Log, Notice } from '../../extender/gangs/ports.ts'
import type { GangReport } from '../../extender/gangs/telling/report.ts'
import { State } from '../../extender/state.ts'
import type { Profile } from '../../policies/framework.ts'
import { muster } from '../../policies/index.ts'
import type { Node, Pod } from '../../policies/types.ts'
import type { NodeBuilder, PodBuilder } from '../builders.ts'
import { ModelApi } from './model-api.ts'
import { ModelScheduler } from './model-scheduler.ts'
import { VirtualClock } from './virtual-clock.ts'

export type Options = {
  readonly nodes?: readonly NodeBuilder[]
  readonly pods?: readonly PodBuilder[]
  /** Without it, the test plays kube-scheduler itself. */
  readonly scheduler?: boolean
  readonly watchDelay?: () => number
  readonly profiles?: ReadonlyMap<string, Profile>
  readonly priorityCap?: (namespace: string) => number
  readonly log?: Log
  readonly scope?: GangsParts['scope']
  readonly holdTtlMs?: number
  readonly bindTimeoutMs?: number
  readonly concurrency?: number
  readonly objects?: (pod: Pod, node: string) => boolean
  readonly losesReply?: () => boolean
  readonly onLost?: (node: string) => void
  readonly outdated?: () => string | undefined
  readonly caps?: Caps
}

type Life = { readonly gangs: Gangs; readonly state: State; readonly registry: Registry; end(): void }

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

/** The real gangs over a model of the cluster, in virtual time. */
export class Harness {
  readonly clock = new VirtualClock()
  readonly api = new ModelApi(this.clock)
  readonly notices: Notice[] = []
  readonly violations: unknown[] = []
  readonly scheduler: ModelScheduler | undefined
  readonly #options: Options
  #epoch = 0
  #life: Life | undefined

  constructor(options: Options) {
    this.#options = options
    for (const node of options.nodes ?? []) this.api.setNode(node.obj())
    for (const pod of options.pods ?? []) this.api.setPod(pod.obj())
    this.start()
    if (options.scheduler === false) return
    this.scheduler = new ModelScheduler({
      ...{ clock: this.clock, api: this.api, bindTimeoutMs: options.bindTimeoutMs ?? 20_000 },
      watchDelay: options.watchDelay ?? (() => 3),
      gangs: () => this.#life?.gangs,
      asks: pod => (options.scope ?? 'all') === 'all' || pod.managed,
      objects: options.objects ?? (() => false),
      losesReply: options.losesReply ?? (() => false),
      onLost: options.onLost ?? (() => {})
    })
  }

  get gangs(): Gangs {
    return this.#alive().gangs
  }

  get state(): State {
    return this.#alive().state
  }

  #alive(): Life {
    if (!this.#life) throw new Error('muster is down')
    return this.#life
  }

  /** A new life: whatever the last one had in memory is gone. */
  start(): void {
    const life = this.clock.life()
    const state = new State()
    const registry = new Registry()
    const alive = { is: true }
    const gangs = this.#build({ clock: life.clock, state, registry, isAlive: () => alive.is })
    const unwatch = this.api.watch(state, this.#options.watchDelay ?? (() => 3))
    gangs.start()
    const end = (): void => {
      alive.is = false
      life.stop()
      unwatch()
    }
    this.#life = { gangs, state, registry, end }
  }

  kill(): void {
    this.#life?.end()
    this.#life = undefined
  }

  restart(): void {
    this.kill()
    this.start()
  }

  #build({
    clock,
    state,
    registry,
    isAlive
  }: {
    clock: Clock
    state: State
    registry: Registry
    isAlive: () => boolean
  }): Gangs {
    const { holdTtlMs = 60_000, bindTimeoutMs = 20_000, concurrency = 8 } = this.#options
    const epoch = ++this.#epoch
    return new Gangs({
      ...{
        state,
        clock,
        quarantine: new Quarantine(clock),
        random: () => 1,
        metrics: gangMetrics(registry),
        log: this.#options.log ?? quiet,
        ...this.api.ports(isAlive)
      },
      recorder: { record: notice => this.notices.push(notice) },
      profiles: this.#options.profiles ?? new Map([['muster', muster]]),
      priorityCap: this.#options.priorityCap ?? (() => 0),
      outdated: () => this.#options.outdated?.(),
      ...(this.#options.caps && { caps: this.#options.caps }),
      epoch: () => epoch,
      scope: this.#options.scope ?? 'all',
      settleMs: 1_000,
      resyncMs: 30_000,
      repairMs: 60_000,
      ...{ holdTtlMs, bindTimeoutMs, concurrency },
      onViolation: error => this.violations.push(error)
    })
  }

  /** Lets so much time pass. */
  run(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  add(...pods: (PodBuilder | PodBuilder[])[]): void {
    for (const pod of pods.flat()) this.api.setPod(pod.obj())
  }

  node(node: NodeBuilder | Node): void {
    this.api.setNode('obj' in node ? node.obj() : node)
  }

  delete(...names: readonly string[]): void {
    for (const name of names) this.api.deletePod(`ns/${name}`)
  }

  pod(name: string): Pod {
    const pod = this.api.pods.get(`ns/${name}`)
    if (!pod) throw new Error(`no pod ${name}`)
    return pod
  }

  /** What kube-scheduler asks at bind; the answer is its error text. */
  bind(name: string, node: string, signal: AbortSignal = new AbortController().signal): Promise<string> {
    return this.gangs.bind({ uid: `ns/${name}`, node, signal })
  }

  gang(name: string, namespace = 'ns'): GangReport {
    const report = this.gangs.reports.gang(namespace, name)
    if (!report) throw new Error(`no gang ${name}`)
    return report
  }

  /** Where room is held, as `pod@node`, sorted. */
  get held(): string[] {
    const members = this.gangs.reports.gangs().flatMap(gang => gang.members)
    return members.flatMap(({ name, planned }) => (planned === null ? [] : `${name}@${planned}`)).toSorted()
  }

  /** What the API shows, as `pod@node`, sorted. */
  get bound(): string[] {
    return this.#where(pod => pod.nodeName)
  }

  get nominated(): string[] {
    return this.#where(pod => (pod.nodeName === undefined ? pod.nominatedNodeName : undefined))
  }

  #where(nodeOf: (pod: Pod) => string | undefined): string[] {
    const all = [...this.api.pods.values()].map(pod => ({ name: pod.name, node: nodeOf(pod) }))
    return all.flatMap(({ name, node }) => (node === undefined ? [] : `${name}@${node}`)).toSorted()
  }

  /** What a scrape would get. */
  metrics(): Promise<string> {
    return this.#alive().registry.metrics()
  }

  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const metric = await this.#alive().registry.getSingleMetric(name)?.get()
    const found = metric?.values.find(value =>
      Object.entries(labels).every(([key, want]) => value.labels[key] === want)
    )
    return found?.value ?? 0
  }
}

export const harness = (options: Options = {}): Harness => new Harness(options)
