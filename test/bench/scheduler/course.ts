import { setTimeout as sleep } from 'node:timers/promises'
import type { Tools } from '../../control-plane/build.ts'
import { forEach } from '../../control-plane/client.ts'
import { Cluster } from '../../control-plane/cluster.ts'
import { nativeGroupVersion } from '../../control-plane/native-gangs.ts'
import { type NamedPod, nodeObject } from '../../control-plane/objects.ts'
import { fetchText } from '../../control-plane/probe.ts'
import type { ManagedProcess } from '../../control-plane/process.ts'
import { usageOf } from '../processes.ts'
import type { Contestant, Team } from './contestants.ts'
import { Exposition } from './exposition.ts'
import { type Figures, figuresOf } from './figures.ts'
import { FinishLine } from './finish-line.ts'
import { type Load, loadOf, nodeShape, objectsOf, type Way, waitingOf } from './loads.ts'

/** A run that takes longer has failed. */
const patienceMs = 300_000
/** Pods that a fresh extender sees before it is measured: it runs for months, and a program's first seconds are no measure. */
const warmUpPods = 100
/** Whom kube-scheduler has not counted by then, it did not bind: others may have. */
const countMs = 5_000

/** What is the same for all contestants. */
export type CourseOptions = {
  readonly nodes: number
  /** Gated members that wait where the way says so. */
  readonly waiting: number
  /** Further arguments of `muster serve` and `muster scheduler-config`. */
  readonly musterArgs: readonly string[]
}

/** One cluster of so many ready nodes without kubelets, on which contestants run one after the other. */
export class Course {
  readonly #cluster: Cluster
  readonly #options: CourseOptions
  /** Contestants that differ only in their pods are one team. */
  readonly #teams = new Map<Contestant['team'], Promise<Team>>()
  #runs = 0

  private constructor(cluster: Cluster, options: CourseOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  static async open(tools: Tools, options: CourseOptions): Promise<Course> {
    // One API server for all: with native gangs on, which costs those nothing who do not use them.
    const cluster = await Cluster.start(tools, { kwok: false, nativeGangs: true })
    const names = Array.from({ length: options.nodes }, (_, index) => `node-${index}`)
    await forEach(names, 16, name => cluster.client.create('/api/v1/nodes', nodeObject(name, nodeShape)))
    return new Course(cluster, options)
  }

  async close(): Promise<void> {
    await this.#cluster.stop()
  }

  /** Creates the pods, lets the contestant's kube-scheduler begin, and measures until the last pod has its node. */
  async run(contestant: Contestant, load: Load): Promise<Figures> {
    const team = await this.#team(contestant)
    try {
      await team.extender?.start()
      if (team.extender) await this.#race(warmUpWay(contestant.way), team, loadOf(Math.min(10, load.size), warmUpPods))
      return await this.#race(contestant.way, team, load)
    } catch (error) {
      throw new Error(`${contestant.title}: ${(error as Error).message}\n${this.#cluster.logs()}`, { cause: error })
    } finally {
      await Promise.all([team.scheduler.kill(), team.extender?.kill()])
    }
  }

  #team({ team }: Contestant): Promise<Team> {
    const known = this.#teams.get(team)
    const made = known ?? team(this.#cluster, this.#options.musterArgs)
    this.#teams.set(team, made)
    return made
  }

  async #race(way: Way, { scheduler, extender }: Team, load: Load): Promise<Figures> {
    const namespace = await this.#namespace()
    const waiting = await this.#namespace()
    if (way === 'beside') await this.#create(waiting, waitingOf(this.#options.waiting))
    const { groups, pods } = objectsOf(load, way)
    const groupsPath = `/apis/${nativeGroupVersion}/namespaces/${namespace}/podgroups`
    await forEach(groups, 16, group => this.#cluster.client.create(groupsPath, group))
    // It hears of the pods when kube-scheduler begins, so that what it does for them counts.
    extender?.pause()
    await this.#create(namespace, pods)
    const line = new FinishLine(this.#cluster.client, namespace, load.pods)
    const processes = [this.#cluster.etcd, this.#cluster.apiServer, scheduler, ...(extender ? [extender] : [])]
    const before = await this.#apiMetrics()
    await scheduler.start()
    extender?.resume()
    const [startedAt, first] = [performance.now(), usagesOf(processes)]
    await line.reached(patienceMs)
    const last = usagesOf(processes)
    const usage = Object.fromEntries(
      processes.map(({ spec: { name } }, at) => [name, { before: first[at]!, after: last[at]! }])
    )
    const figures = figuresOf({
      ...{ load, startedAt, arrivals: line.arrivals, usage },
      scheduler: await counted(scheduler, load.pods),
      extender: extender?.spec.url === undefined ? undefined : await metricsOf(extender),
      api: { before, after: await this.#settledApiMetrics() }
    })
    await scheduler.kill()
    for (const each of [namespace, waiting]) await this.#cluster.client.delete(`/api/v1/namespaces/${each}/pods`)
    return figures
  }

  async #namespace(): Promise<string> {
    const name = `run-${this.#runs++}`
    await this.#cluster.client.create('/api/v1/namespaces', { metadata: { name } })
    return name
  }

  async #create(namespace: string, pods: readonly NamedPod[]): Promise<void> {
    await forEach(pods, 16, pod => this.#cluster.client.create(`/api/v1/namespaces/${namespace}/pods`, pod))
  }

  async #apiMetrics(): Promise<Exposition> {
    return new Exposition(await this.#cluster.client.text('/metrics'))
  }

  /** Events are written after the bindings that they tell of: waits until no more come. */
  async #settledApiMetrics(): Promise<Exposition> {
    let now = await this.#apiMetrics()
    for (let before = -1; before !== eventsIn(now); now = await this.#apiMetrics()) {
      before = eventsIn(now)
      await sleep(300)
    }
    return now
  }
}

/** Whoever waits need not wait twice. */
function warmUpWay(way: Way): Way {
  return way === 'beside' ? 'loose' : way
}

/** kube-scheduler counts a pod a moment after others can see its node. */
async function counted(scheduler: ManagedProcess, pods: number): Promise<Exposition> {
  const labels = { result: 'scheduled' }
  const deadline = performance.now() + countMs
  let now = await metricsOf(scheduler)
  while (now.sum('scheduler_schedule_attempts_total', labels) < pods && performance.now() < deadline) {
    await sleep(50)
    now = await metricsOf(scheduler)
  }
  return now
}

function eventsIn(of: Exposition): number {
  return of.sum('apiserver_request_total', { verb: 'POST', resource: 'events' })
}

function usagesOf(processes: readonly ManagedProcess[]) {
  return processes.map(({ pid }) => usageOf(pid))
}

async function metricsOf({ spec: { name, url } }: ManagedProcess): Promise<Exposition> {
  const { status, text } = await fetchText(`${url}/metrics`)
  if (status !== 200) throw new Error(`${name} answers ${status} at /metrics`)
  return new Exposition(text)
}
