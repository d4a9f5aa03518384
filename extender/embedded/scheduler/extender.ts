import { nodeInfo } from '../../../policies/snapshot.ts'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { KubeObject } from '../store/objects.ts'
import type { Channel, OpenChannel } from './channel.ts'
import type { ExtenderConfig } from './config.ts'
import { type Json, object, objects } from './json.ts'
import type { NodeEntry, PodView, Projection } from './views.ts'
import {
  ExtenderError,
  extenderArgs,
  type FilterAnswer,
  type MetaVictims,
  readBinding,
  readFilter,
  readPriorities,
  readVictims,
  wirePod
} from './wire.ts'

/** Victims on one node, most important first. */
export type Victims = { readonly pods: readonly PodView[]; readonly violations: number }

export type ExtenderParts = {
  readonly config: ExtenderConfig
  readonly clock: Clock
  readonly project: Projection
  readonly open: OpenChannel
}

/** One HTTP extender, as upstream's HTTPExtender talks to it. What fails throws ExtenderError. */
export class Extender {
  readonly config: ExtenderConfig
  readonly #clock: Clock
  readonly #project: Projection
  readonly #channel: Channel

  constructor({ config, clock, project, open }: ExtenderParts) {
    this.config = config
    this.#clock = clock
    this.#project = project
    this.#channel = open(config.tls)
  }

  /** Cuts off what is under way. */
  close(): Promise<void> {
    return this.#channel.close()
  }

  /** Whether a container asks for a resource that this extender manages; all pods where it manages none. */
  isInterestedIn({ object: pod }: PodView): boolean {
    const { managedResources } = this.config
    if (managedResources.size === 0) return true
    const spec = object(pod.spec)
    return [...objects(spec.containers), ...objects(spec.initContainers)].some(({ resources }) => {
      const { requests, limits } = object(resources)
      return Object.keys({ ...object(requests), ...object(limits) }).some(name => managedResources.has(name))
    })
  }

  /** The nodes that pass, with what it says about the others. */
  async filter(
    view: PodView,
    nodes: readonly NodeEntry[]
  ): Promise<FilterAnswer & { readonly passed: readonly NodeEntry[] }> {
    const { filterVerb, nodeCacheCapable } = this.config
    if (filterVerb === '') return { passed: nodes, names: [], nodes: [], failed: new Map(), unresolvable: new Map() }
    const answer = readFilter(await this.#send(filterVerb, extenderArgs(view.object, nodes, nodeCacheCapable)))
    return { ...answer, passed: this.#passed(answer, nodes) }
  }

  /** Scores from 0 to 10 by node, or as the extender means them; none where it has no such verb. */
  async prioritize(view: PodView, nodes: readonly NodeEntry[]): Promise<ReadonlyMap<string, number>> {
    const { prioritizeVerb, nodeCacheCapable } = this.config
    if (prioritizeVerb === '') return new Map()
    return readPriorities(await this.#send(prioritizeVerb, extenderArgs(view.object, nodes, nodeCacheCapable)))
  }

  /** Which candidates remain, with which victims. */
  async preempt(view: PodView, candidates: ReadonlyMap<string, Victims>): Promise<MetaVictims> {
    return readVictims(await this.#send(this.config.preemptVerb, this.#preemptArgs(view, candidates)))
  }

  async bind({ pod }: PodView, node: string): Promise<void> {
    const { name, namespace, uid } = pod
    readBinding(
      await this.#send(this.config.bindVerb, { PodName: name, PodNamespace: namespace, PodUID: uid, Node: node })
    )
  }

  #passed({ names, nodes }: FilterAnswer, offered: readonly NodeEntry[]): readonly NodeEntry[] {
    const { nodeCacheCapable, urlPrefix } = this.config
    if (!nodeCacheCapable || names === undefined) return nodes.map(node => this.#bare(node))
    const byName = new Map(offered.map(entry => [entry.node.name, entry]))
    return names.map(name => {
      const entry = byName.get(name)
      if (entry) return entry
      throw new ExtenderError(
        `extender ${JSON.stringify(urlPrefix)} claims a filtered node ${JSON.stringify(name)} which is not found in the input node list`
      )
    })
  }

  /** As upstream: a node that came back whole stands there without its pods. */
  #bare(object: KubeObject): NodeEntry {
    const node = this.#project.node(object)
    return { object, node, info: nodeInfo(node, []), pods: [] }
  }

  #preemptArgs(view: PodView, candidates: ReadonlyMap<string, Victims>): Json {
    const { nodeCacheCapable } = this.config
    const victims = [...candidates].map(([node, { pods, violations }]) => {
      const Pods = pods.map(({ object, pod }) => (nodeCacheCapable ? { UID: pod.uid } : wirePod(object)))
      return [node, { Pods, NumPDBViolations: violations }] as const
    })
    const byNode = Object.fromEntries(victims)
    return {
      Pod: wirePod(view.object),
      NodeNameToVictims: nodeCacheCapable ? null : byNode,
      NodeNameToMetaVictims: nodeCacheCapable ? byNode : null
    }
  }

  async #send(verb: string, args: Json): Promise<unknown> {
    const url = `${this.config.urlPrefix}/${verb}`
    const timeout = new AbortController()
    const stop = this.#clock.after(this.config.timeoutMs, () => timeout.abort())
    try {
      return await this.#post(url, args, timeout.signal)
    } catch (error) {
      if (error instanceof ExtenderError) throw error
      const why = timeout.signal.aborted
        ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        : reasonOf(error)
      throw new ExtenderError(`Post ${JSON.stringify(url)}: ${why}`)
    } finally {
      stop()
    }
  }

  async #post(url: string, args: Json, signal: AbortSignal): Promise<unknown> {
    const { status, text: answer } = await this.#channel.post(url, JSON.stringify(args), signal)
    if (status === 200) return JSON.parse(answer) as unknown
    const verb = url.slice(url.lastIndexOf('/') + 1)
    throw new ExtenderError(`failed ${verb} with extender at URL ${url}, code ${status}`)
  }
}
