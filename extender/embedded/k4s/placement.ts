import type { Clock, Random } from '../../clock.ts'
import { isActive, isFinished, keyOf, type Node, parseKey, type Pod, referenceTo } from '../kinds.ts'
import { Informer } from '../informer.ts'
import { nodeMatches, tolerates } from '../selectors.ts'
import type { Client } from '../store/client.ts'
import { WorkQueue } from '../work-queue.ts'

interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What finds nodes for pods; the cluster starts one, and knows no more of it. */
export type Placement = (ground: {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where an extender of the scheduler answers. */
  readonly extender?: string
}) => { stop(): void | Promise<void> }

/** The first node with room for one more pod that the pod may go to: enough where nobody asks for resources. */
export const firstFit: Placement = ({ client, clock, random, log }) => {
  const pods = new Informer<Pod>('pods', { node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]) })
  const nodes = new Informer<Node>('nodes')
  const place = (key: string): void => {
    const pod = client.get(parseKey('pods', key)) as Pod | undefined
    if (pod === undefined || !isWaiting(pod)) return
    const node = [...nodes.all()].find(each => fits(pod, each, pods.by('node', each.metadata.name)))
    if (node === undefined) throw new Error(`no node has room for pod ${key}`)
    client.bind(referenceTo('pods', pod), { node: node.metadata.name })
  }
  const queue = new WorkQueue({
    ...{ clock, random, work: place, shortestMs: 20, longestMs: 1000 },
    failed: (key, error) => log.warn({ key, error: String(error) }, 'a pod waits for a node')
  })
  pods.onChange(({ object }) => object && isWaiting(object) && queue.add(keyOf(object)))
  nodes.start(client)
  pods.start(client)
  return {
    stop() {
      queue.stop()
      pods.stop()
      nodes.stop()
    }
  }
}

function isWaiting(pod: Pod): boolean {
  const gates = pod.spec['schedulingGates'] as readonly unknown[] | undefined
  return pod.spec.nodeName === undefined && isActive(pod) && (gates === undefined || gates.length === 0)
}

function fits(pod: Pod, node: Node, there: readonly Pod[]): boolean {
  const room = Number(node.status?.allocatable?.['pods'] ?? 110)
  if (there.filter(other => !isFinished(other)).length >= room || !nodeMatches(pod, node)) return false
  const hard = (node.spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule')
  return hard.every(taint => pod.spec.tolerations?.some(toleration => tolerates(toleration, taint)) === true)
}
