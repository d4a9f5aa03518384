/**
 * Kubernetes' own gangs (`spec.schedulingGroup`, behind feature gates) beside muster: what happens
 * is what happens without muster, and the filter calls of cycles that are only simulated leave nothing behind.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isBinding, isPodWrite } from '../control-plane/api-proxy.ts'
import type { Lab } from '../control-plane/lab.ts'
import { gangs, stockConfig } from '../control-plane/muster.ts'
import { type Condition, gangObjects, isGated, isNominated, podObject, type Pod } from '../control-plane/objects.ts'
import { nativeGroupVersion } from '../control-plane/native-gangs.ts'
import type { ManagedProcess } from '../control-plane/process.ts'
import { isSince, release } from '../control-plane/release.ts'
import { boundIn, gangIsBound, openLab, scenario } from './scenario.ts'

if (!isSince(36)) t.plan(0, `native gangs have another API in Kubernetes ${release}`)
const lab = isSince(36) ? await openLab(t, { nativeGangs: true }) : undefined
const api = `/apis/${nativeGroupVersion}`
/** How long nothing may happen to those that wait. */
const window = 10_000

/** What one run has come to: of each group how many are bound, what its pods and its PodGroup say. */
type Outcome = Readonly<Record<string, { readonly bound: number; readonly pods: string[]; readonly group: string[] }>>

async function createGroup(lab: Lab, namespace: string, name: string, minCount: number): Promise<void> {
  await lab.cluster.client.create(`${api}/namespaces/${namespace}/podgroups`, {
    apiVersion: nativeGroupVersion,
    kind: 'PodGroup',
    metadata: { name },
    spec: { schedulingPolicy: { gang: { minCount } } }
  })
}

const members = (name: string, size: number) =>
  Array.from({ length: size }, (_, index) => podObject(`${name}-${index}`, { podGroup: name }))
const membersOf = (lab: Lab, namespace: string, name: string): readonly Pod[] =>
  lab.podsIn(namespace).filter(pod => pod.metadata.name.startsWith(`${name}-`))
const boundOf = (lab: Lab, namespace: string, name: string): number =>
  membersOf(lab, namespace, name).filter(pod => pod.spec.nodeName).length

const conditionOf = (pod: Pod): Condition | undefined =>
  pod.status.conditions?.find(({ type }) => type === 'PodScheduled')
const say = ({ type, status, reason }: Condition): string => `${type}=${status} ${reason ?? ''}`

/** On 12 one-slot nodes: a group of 10 that fits, one of 10 that then does not, one of 3 of which 2 fit and do. */
async function play(lab: Lab, namespace: string): Promise<void> {
  await createGroup(lab, namespace, 'fits', 10)
  await lab.createPods(namespace, members('fits', 10))
  await lab.waitFor('the group of 10 is bound', () => boundOf(lab, namespace, 'fits') === 10)
  await createGroup(lab, namespace, 'waits', 10)
  await lab.createPods(namespace, members('waits', 10))
  await createGroup(lab, namespace, 'partly', 2)
  await lab.createPods(namespace, members('partly', 3))
  await lab.waitFor('two of the group of 3 are bound', () => boundOf(lab, namespace, 'partly') === 2)
  await createGroup(lab, namespace, 'forming', 3)
  await lab.createPods(namespace, members('forming', 2))
  await lab.waitFor('the waiting group is told that it does not fit', () =>
    membersOf(lab, namespace, 'waits').every(pod => conditionOf(pod)?.status === 'False')
  )
}

async function outcome(lab: Lab, namespace: string): Promise<Outcome> {
  const names = ['fits', 'waits', 'partly', 'forming']
  const entries = names.map(async name => {
    const { status } = await lab.cluster.client.get<{ status?: { conditions?: readonly Condition[] } }>(
      `${api}/namespaces/${namespace}/podgroups/${name}`
    )
    const pods = membersOf(lab, namespace, name).flatMap(pod => pod.status.conditions ?? [])
    const scheduled = pods.filter(({ type }) => type === 'PodScheduled')
    const value = {
      bound: boundOf(lab, namespace, name),
      pods: scheduled.map(say).toSorted(),
      group: (status?.conditions ?? []).map(say).toSorted()
    }
    return [name, value] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/** Looks again and again that muster knows of no gang and holds nothing; answers what to call at the end. */
function watchMuster(lab: Lab): () => Promise<{ readonly looks: number; readonly seen: readonly string[] }> {
  const seen = new Set<string>()
  let looks = 0
  const end = new AbortController()
  const loop = async () => {
    while (!end.signal.aborted) {
      const [held, known] = [await lab.holds(), await gangs(lab.muster)]
      if (held > 0) seen.add(`${held} holds`)
      for (const { namespace, name } of known) seen.add(`gang ${namespace}/${name}`)
      looks++
      await sleep(50)
    }
  }
  const running = loop()
  return async () => {
    end.abort()
    await running
    return { looks, seen: [...seen] }
  }
}

/**
 * Plays in the case's namespace; if that comes to nothing while muster holds nothing, once more beside a fresh
 * kube-scheduler. The alpha's group cycle now and then leaves a pod assumed on a node for as long as the process lives
 * (seen: "Too many pods" of two empty nodes, and of one again after the nodes had been created anew). Answers the
 * namespace that was played in.
 */
async function playOn(
  t: Test,
  lab: Lab,
  namespace: string,
  attempt: (namespace: string) => Promise<void>
): Promise<string> {
  try {
    await attempt(namespace)
    return namespace
  } catch (error) {
    if ((await lab.holds()) > 0) throw error
    t.comment(`once more beside a fresh kube-scheduler: ${String(error).split('\n')[0]}`)
  }
  await lab.scheduler.kill()
  await lab.clear()
  await lab.start()
  const again = await lab.createNamespace(`${namespace}-again`)
  await attempt(again)
  return again
}

if (lab) {
  let stock: Outcome | undefined

  scenario(t, lab, ['native groups without muster', { started: false }], async (t, ns) => {
    const scheduler: ManagedProcess = await lab.cluster.scheduler(await stockConfig(lab.cluster))
    await scheduler.start()
    await lab.muster.process.start()
    try {
      await lab.createNodes('node', 12)
      await play(lab, ns)
      await sleep(window)
      stock = await outcome(lab, ns)
    } finally {
      await scheduler.kill()
    }
    t.match(stock, { fits: { bound: 10 }, waits: { bound: 0 }, partly: { bound: 2 }, forming: { bound: 0 } })
  })

  scenario(t, lab, ['native groups beside muster: the same'], async (t, first) => {
    const end = watchMuster(lab)
    const ns = await playOn(t, lab, first, async namespace => {
      await lab.createNodes('node', 12)
      await play(lab, namespace)
    })
    const calls = lab.verbs.of('filter').length
    t.ok(calls > 0, `${calls} filter calls`)
    await sleep(window)
    t.strictSame(await outcome(lab, ns), stock, 'bound, conditions of pods and of groups')
    const waited = lab.verbs.of('filter', call => call.pod.startsWith(`${ns}/waits-`))
    t.comment(`${waited.length} filter calls for members of the group that waits`)
    t.ok(waited.length > 0, 'a cycle that was given up had asked muster')
    const { looks, seen } = await end()
    t.ok(looks > 10, `${looks} looks`)
    t.strictSame(seen, [], 'muster never held room, nor knew a gang')
    const writes = lab.api.calls.filter(call => isPodWrite(call, ns))
    t.strictSame(
      writes.filter(call => !isBinding(call)).map(call => `${call.method} ${call.path}`),
      [],
      'muster wrote nothing but Bindings'
    )
    t.equal(writes.length, 12, 'one for each pod that was bound')
    t.strictSame(
      lab.pods.values().filter(pod => isGated(pod) || isNominated(pod)),
      [],
      'no gate, no nomination'
    )
    t.ok(
      lab.verbs.calls.every(call => call.status === 200),
      'every call was answered'
    )
    const answers = new Set(waited.filter(call => call.nodes.length > 0).map(refusals))
    t.strictSame([...answers], [''], 'muster refused no node')
  })

  scenario(t, lab, ['a native group that waits goes when room appears, beside a gang of muster'], async (t, first) => {
    const ns = await playOn(t, lab, first, async namespace => {
      await lab.createNodes('node', 4)
      await createGroup(lab, namespace, 'waits', 6)
      await lab.createPods(namespace, members('waits', 6))
      await lab.waitFor('it was asked for', () => lab.verbs.of('filter').length > 0)
      await lab.createPods(namespace, gangObjects({ name: 'ours', size: 4, gated: true }))
      await gangIsBound(lab, namespace, 'ours', 4)
    })
    t.equal(boundOf(lab, ns, 'waits'), 0, 'the native group waits')
    await lab.createNodes('more', 6)
    await lab.waitFor('all are bound', () => boundIn(lab, ns) === 10)
    await lab.until('no hold is left', async () => (await lab.holds()) === 0)
  })
}

function refusals(call: { readonly answer: string }): string {
  const {
    FailedNodes,
    FailedAndUnresolvableNodes,
    Error: error
  } = JSON.parse(call.answer) as Readonly<
    Record<'FailedNodes' | 'FailedAndUnresolvableNodes', Readonly<Record<string, string>> | null> & { Error: string }
  >
  return [...Object.values(FailedNodes ?? {}), ...Object.values(FailedAndUnresolvableNodes ?? {}), error].join()
}
