import type { Config } from '../../config.ts'
import { reasonOf, UsageError } from '../../errors.ts'
import { object, text } from '../../json.ts'
import type { Operations, Said } from '../../operations.ts'
import { readText } from '../input.ts'
import { Census } from './census.ts'
import { findInstalled, type Installed } from './installed.ts'
import { electionOf, type Lease, readLease } from './lease-holder.ts'
import { type Place, placeIn } from './place.ts'
import { askServer, type Server } from './running.ts'
import { schedulerOf, type SchedulerFile } from './scheduler-file.ts'

/** What the user said, besides the options of `muster serve`. */
export type Wish = {
  /** A file with kube-scheduler's configuration; undefined for the installed one. */
  readonly file: string | undefined
  readonly configMap: Place
  /** The human API of a running muster. */
  readonly server: string | undefined
  readonly lease: Place | undefined
  /** Whose rights are asked for; undefined for those of whoever runs this. */
  readonly account: Place | undefined
}

export type GroundParts = {
  readonly operations: Operations
  /** What `muster serve` is told, so that each of these options counts which was given. */
  readonly configOf: (installed: readonly string[]) => Config
  readonly wish: Wish
  /** Wall-clock time. */
  readonly now: number
}

const largest = { bytes: 1024 * 1024, text: '1 MiB, which no configuration of kube-scheduler is' }

/** What the checks look at; read once, when the first of them asks. */
export class Ground {
  readonly operations: Operations
  readonly wish: Wish
  readonly now: number
  readonly installed: () => Promise<Installed>
  readonly config: () => Promise<Config>
  /** Kube-scheduler's configuration; a text says why there is none. */
  readonly scheduler: () => Promise<SchedulerFile | string>
  /** The lease that decides who is active; undefined where nobody follows one. */
  readonly lease: () => Promise<Lease | undefined>
  /** What the running muster says; undefined where none was named. */
  readonly server: () => Promise<Server | undefined>
  readonly pods: () => Promise<Census>
  readonly get: (path: string) => Promise<Said>

  constructor({ operations, configOf, wish, now }: GroundParts) {
    this.operations = operations
    this.wish = wish
    this.now = now
    this.get = path => operations.get(path)
    this.installed = once(() => findInstalled(operations, wish.configMap.namespace))
    this.config = once(async () => configOf((await this.installed()).flags))
    this.scheduler = once(() => this.#scheduler())
    this.lease = once(() => this.#lease())
    this.server = once(async () => (wish.server === undefined ? undefined : askServer(wish.server)))
    this.pods = once(() => Census.take(operations, now))
  }

  /** The one that `--lease` names, here or where muster is installed, or else that of kube-scheduler's configuration. */
  async #lease(): Promise<Lease | undefined> {
    const { lease: installed } = await this.installed()
    const place = this.wish.lease ?? placeIn(installed) ?? electionOf(await this.scheduler())
    return place && readLease(this.operations, place, this.now)
  }

  async #scheduler(): Promise<SchedulerFile | string> {
    const { file, configMap } = this.wish
    if (file !== undefined) return schedulerOf(file, [await fromFile(file)])
    const first = await this.#configMap(configMap)
    if (typeof first !== 'string') return first
    // Kustomize gives it a name that changes with what it says.
    for (const name of (await this.installed()).configMaps.slice(0, 10)) {
      const found = await this.#configMap({ namespace: configMap.namespace, name })
      if (typeof found !== 'string') return found
    }
    return first
  }

  async #configMap(place: Place): Promise<SchedulerFile | string> {
    const where = `ConfigMap ${place.namespace}/${place.name}`
    const { status, body, problem } = await this.get(configMapPath(place))
    if (status === 404) return `there is no ${where}`
    if (problem !== undefined) return `${where} cannot be read: ${problem}`
    const { data } = body
    return schedulerOf(
      where,
      Object.values(object(data)).flatMap(each => text(each) ?? [])
    )
  }
}

function configMapPath({ namespace, name }: Place): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps/${encodeURIComponent(name)}`
}

async function fromFile(file: string): Promise<string> {
  try {
    return await readText(file, largest)
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${reasonOf(error)}`)
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
