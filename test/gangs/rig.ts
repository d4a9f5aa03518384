import { Registry } from 'prom-client'
import { Gangs } from '../../extender/gangs/gangs.ts'
import type { Life, Logic } from '../../extender/gangs/lives/life.ts'
import type { WorldPorts } from '../../extender/gangs/ports.ts'
import { Lives } from '../../extender/gangs/lives/lives.ts'
import { gangMetrics } from '../../extender/gangs/metrics.ts'
import { Quarantine } from '../../extender/gangs/planning/quarantine.ts'
import { alone, type Tenure } from '../../extender/gangs/lives/tenure.ts'
import { State } from '../../extender/state.ts'
import type { Profile } from '../../policies/framework.ts'
import { muster } from '../../policies/index.ts'
import { nodes, type PodBuilder, pods } from '../builders.ts'
import { ModelApi } from './model-api.ts'
import { ModelScheduler } from './model-scheduler.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Planning stumbles over who asks for this much. */
export const cursed = 777
const profile: Profile = {
  ...muster,
  filters: [
    {
      name: 'Curse',
      filter({ requests }) {
        if (requests.get('cpu') === cursed) throw new TypeError('the planner has stumbled over a curse')
        return { code: 'Success' }
      }
    },
    ...muster.filters
  ]
}

/** What a test makes of the ports. */
export type Wrap = (ports: WorldPorts) => WorldPorts
export type Line = { readonly level: string; readonly message: string }

/** The real gangs, life after life, over a model of the cluster; `ports` are what a test makes of the model's. */
export class Rig {
  readonly clock = new VirtualClock()
  readonly api = new ModelApi(this.clock)
  readonly lines: Line[] = []
  /** When everything was read, in milliseconds. */
  readonly reads: number[] = []
  readonly states: State[] = []
  readonly violations: unknown[] = []
  readonly lives: Lives
  readonly scheduler: ModelScheduler
  readonly #registry = new Registry()
  readonly #quarantine = new Quarantine(this.clock)
  readonly #wrap: Wrap
  /** What the gangs log passes here. */
  onLog: (message: string) => void = () => {}

  constructor(all: readonly PodBuilder[], wrap: Wrap = ports => ports, tenure: Tenure = alone) {
    this.#wrap = wrap
    for (const node of nodes(4, 'n', each => each.cpu(1))) this.api.setNode(node.obj())
    for (const one of all) this.api.setPod(one.obj())
    const log = (level: string) => (_: object, message: string) => void this.lines.push({ level, message })
    const metrics = gangMetrics(this.#registry)
    this.lives = new Lives({
      ...{ clock: this.clock, metrics, tenure, wasRead: () => {} },
      log: { info: log('info'), warn: log('warn'), error: log('error') },
      build: life => this.#build(life, metrics),
      onViolation: error => this.violations.push(error)
    })
    this.lives.start()
    this.scheduler = new ModelScheduler({
      ...{ clock: this.clock, api: this.api, bindTimeoutMs: 30_000, watchDelay: () => 3 },
      gangs: () => (this.lives.refusal === undefined ? this.lives : undefined),
      asks: () => true,
      ...{ objects: () => false, losesReply: () => false, onLost: () => {} }
    })
  }

  #build(life: Life, metrics: ReturnType<typeof gangMetrics>): Logic {
    const state = new State()
    this.states.push(state)
    const world = this.#wrap({ ...this.api.ports(() => true), recorder: { record: () => {} } })
    const tell = (_: object, message: string): void => this.onLog(message)
    const gangs = new Gangs({
      ...{
        state,
        clock: life.clock,
        random: () => 1,
        metrics,
        quarantine: this.#quarantine,
        log: { info: tell, warn: tell, error: tell },
        ...life.ports(world)
      },
      profiles: new Map([['muster', profile]]),
      priorityCap: () => 0,
      scope: 'all',
      epoch: () => life.epoch,
      ...{ settleMs: 1_000, resyncMs: 30_000, repairMs: 60_000, holdTtlMs: 60_000, bindTimeoutMs: 30_000 },
      // Whatever is not under way waits for its turn.
      concurrency: 1,
      onViolation: error => life.surprised(error)
    })
    let unwatch: (() => void) | undefined
    const read = async (): Promise<void> => {
      this.reads.push(this.clock.now())
      unwatch = this.api.watch(state, () => 3)
    }
    return { gangs, checks: [], read, stop: async () => unwatch?.() }
  }

  get bound(): string[] {
    const all = [...this.api.pods.values()]
    return all.flatMap(({ name, nodeName }) => (nodeName === undefined ? [] : [`${name}@${nodeName}`])).toSorted()
  }

  get errors(): string[] {
    return this.lines.filter(({ level }) => level === 'error').map(({ message }) => message)
  }

  count(): Promise<number> {
    return this.metric('muster_reinitializations_total')
  }

  async metric(name: string): Promise<number> {
    const found = await this.#registry.getSingleMetric(name)?.get()
    return found?.values[0]?.value ?? Number.NaN
  }
}

/** A gated gang of that size, whose members want a node each. */
export const gang = (name: string, size: number): PodBuilder[] =>
  pods(size, name, each => each.gang(name, size).cpu(1000).gated())
