import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { nodeInfo } from '../../../policies/snapshot.ts'
import type { Clock } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import type { KubeObject } from '../store/objects.ts'
import type { ExtenderConfig } from './config.ts'
import { type Json, object, objects, text } from './json.ts'
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

/** Go's transport keeps idle connections so long. */
const idleMs = 90_000

/** Victims on one node, most important first. */
export type Victims = { readonly pods: readonly PodView[]; readonly violations: number }

export type ExtenderParts = { readonly config: ExtenderConfig; readonly clock: Clock; readonly project: Projection }

/** One HTTP extender, as upstream's HTTPExtender talks to it. What fails throws ExtenderError. */
export class Extender {
  readonly config: ExtenderConfig
  readonly #clock: Clock
  readonly #project: Projection
  readonly #agent: Agent

  constructor({ config, clock, project }: ExtenderParts) {
    this.config = config
    this.#clock = clock
    this.#project = project
    this.#agent = new Agent({ keepAliveTimeout: idleMs, headersTimeout: 0, bodyTimeout: 0, connect: tlsOf(config.tls) })
  }

  /** Cuts off what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy()
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
    const headers = { 'content-type': 'application/json' }
    const options = { method: 'POST', headers, body: JSON.stringify(args), dispatcher: this.#agent, signal } as const
    const { statusCode, body } = await request(url, options)
    const answer = await body.text()
    if (statusCode === 200) return JSON.parse(answer) as unknown
    const verb = url.slice(url.lastIndexOf('/') + 1)
    throw new ExtenderError(`failed ${verb} with extender at URL ${url}, code ${statusCode}`)
  }
}

/** Without a CA every certificate is taken: the scheme alone turns TLS on. */
function tlsOf(tls: Json): object {
  const part = (name: string): Buffer | undefined => {
    if (text(tls[`${name}Data`]) !== '') return Buffer.from(text(tls[`${name}Data`]), 'base64')
    return text(tls[`${name}File`]) === '' ? undefined : readFileSync(text(tls[`${name}File`]))
  }
  const [ca, cert, key] = [part('ca'), part('cert'), part('key')]
  return {
    rejectUnauthorized: ca !== undefined && tls.insecure !== true,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(text(tls.serverName) !== '' && { servername: text(tls.serverName) })
  }
}
