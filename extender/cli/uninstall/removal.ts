import { compare, nameOf } from '../../../policies/text.ts'
import { type Clock, pause } from '../../clock.ts'
import { UsageError } from '../../errors.ts'
import type { Operations, WaitingPod } from '../../operations.ts'

/** A pod that bears something of muster's. */
export type Leftover = Pick<WaitingPod, 'namespace' | 'name' | 'uid' | 'schedulerName' | 'gated' | 'nominated'>

export type Leftovers = {
  /** By name. */
  readonly pods: readonly Leftover[]
  /** How many pods wait, by scheduler name, of those that muster planned. */
  readonly waiting: ReadonlyMap<string, number>
  /** The resources of muster's that pods which wait ask for. */
  readonly asks: ReadonlySet<string>
}

type Cluster = Pick<Operations, 'waitingPods' | 'clear' | 'ungate'>

const concurrency = 16
/** What fails for a moment is had in the next pass; what is put back again and again is somebody's work. */
const passes = 5
const pauseMs = 1_000
const mostProblems = 5

/** What muster has left in the cluster; throws UsageError where that cannot be learnt. */
export async function leftovers(cluster: Cluster): Promise<Leftovers> {
  const pods: Leftover[] = []
  const waiting = new Map<string, number>()
  const asks = new Set<string>()
  const problem = await cluster.waitingPods(pod => {
    const { namespace, name, uid, schedulerName, gated, nominated } = pod
    if (gated || nominated !== undefined) pods.push({ namespace, name, uid, schedulerName, gated, nominated })
    if (pod.ours) waiting.set(schedulerName, (waiting.get(schedulerName) ?? 0) + 1)
    for (const resource of pod.asks) asks.add(resource)
  })
  if (problem !== undefined) throw new UsageError(`cannot read the pods: ${problem}`)
  return { pods: pods.toSorted((a, b) => compare(nameOf(a), nameOf(b))), waiting, asks }
}

/**
 * Takes it all away and looks again, until nothing is left or it does not get less: what it finds counts, not what it
 * did before, so that it may be cut off and begun anew at any point.
 */
export async function remove(
  cluster: Cluster,
  clock: Clock
): Promise<{ readonly left: readonly Leftover[]; readonly problems: readonly string[] }> {
  let problems: readonly string[] = []
  for (let pass = 0; pass < passes; pass += 1) {
    if (pass > 1) await pause(clock, pauseMs)
    const { pods } = await leftovers(cluster)
    if (pods.length === 0) return { left: [], problems: [] }
    problems = await sweep(cluster, pods)
  }
  const { pods: left } = await leftovers(cluster)
  return { left, problems: left.length === 0 ? [] : problems }
}

/** Some at a time; answers what went wrong, in a few lines. */
async function sweep(cluster: Cluster, pods: readonly Leftover[]): Promise<readonly string[]> {
  const queue = pods.values()
  const problems = new Set<string>()
  const work = async (): Promise<void> => {
    for (const pod of queue) {
      const problem = await free(cluster, pod)
      if (problem !== undefined && problems.size < mostProblems) problems.add(`${nameOf(pod)}: ${problem}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return [...problems]
}

/** The nomination first: without the gate, kube-scheduler would look at that node before all others. */
async function free(cluster: Cluster, pod: Leftover): Promise<string | undefined> {
  const cleared = pod.nominated === undefined ? undefined : await cluster.clear(pod)
  const ungated = pod.gated ? await cluster.ungate(pod) : undefined
  const failed = [cleared, ungated].find(result => result?.outcome === 'failed' || result?.outcome === 'conflict')
  return failed && 'message' in failed ? failed.message : undefined
}
