import t from 'tap'
import { type ApiCall, isBinding, isPodWrite, isUngating, podWritten } from '../control-plane/api-proxy.ts'
import type { Lab } from '../control-plane/lab.ts'
import { gangs, metric } from '../control-plane/muster.ts'
import { gangObjects, isGated, type Pod } from '../control-plane/objects.ts'
import { boundIn, gangIsBound, nothingIsHeld, openLab, scenario } from './scenario.ts'

const size = 8
const asked = { 'muster.dev/pin': 'true', 'muster.dev/binder': 'kube-scheduler' }
const gangOf = (name: string) => gangObjects({ name, size, gated: true, annotations: asked })

// Without kubelets, so that nobody else writes pods.
const lab = await openLab(t, { kwok: false, sharedArgs: ['--scope', 'gangs', '--lease', 'kube-system/muster'] })

if (lab) {
  scenario(t, lab, ['a gang that is handed over costs two writes a pod and no call'], async (t, ns) => {
    await lab.createNodes('node', 10)
    await leads(lab)
    await lab.createPods(ns, gangOf('g'))
    await gangIsBound(lab, ns, 'g', size)
    await nothingIsHeld(lab)
    const writes = lab.api.calls.filter(call => isPodWrite(call, ns) && podWritten(call) !== undefined)
    t.strictSame([writes.length, writes.filter(isUngating).length, writes.filter(isBinding).length], [size, size, 0])
    t.equal(new Set(writes.map(podWritten)).size, size, 'muster has pinned each once, and bound nobody')
    t.strictSame(lab.verbs.calls, [], 'nobody asked muster')
    const seen = [...Map.groupBy(lab.history.entries, ({ pod }) => pod).values()]
    t.strictSame(
      seen.map(entries => entries.map(({ gated, bound }) => (gated ? 'gated' : bound ? 'bound' : 'let go')).join(' ')),
      Array(size).fill('gated let go bound'),
      'two writes a pod, whoever writes'
    )
    for (const pod of lab.podsIn(ns)) t.equal(pinOf(pod), pod.spec.nodeName, 'where it is pinned')
    t.equal(await stateOf(lab, ns), 'running', 'as the watch has shown')
  })

  scenario(
    t,
    lab,
    ['a node that is lost after the pin: the others start, and a new member joins them', { faults: true }],
    async (t, ns) => {
      const lost = await letGoWithoutScheduler(lab, ns)
      await lab.cluster.client.delete(`/api/v1/nodes/${pinOf(lost)}`)
      await lab.scheduler.start()
      await lab.waitFor('all others are bound', () => boundIn(lab, ns) === size - 1, 60_000)
      const gone = `${lost.metadata.name} is pinned to node ${pinOf(lost)}, which is gone`
      await lab.until('muster says what stands in the way', async () => (await reasonOf(lab, ns)).startsWith(gone))
      t.equal(await stateOf(lab, ns), 'degraded')
      await lab.deletePod(ns, lost.metadata.name)
      await lab.createPods(
        ns,
        gangOf('g').filter(pod => pod.metadata.name === lost.metadata.name)
      )
      await gangIsBound(lab, ns, 'g', size)
      await lab.until('it runs', async () => (await stateOf(lab, ns)) === 'running')
      await nothingIsHeld(lab)
    }
  )

  scenario(
    t,
    lab,
    ['muster killed after half of the pins: the next life lets the others go', { faults: true }],
    async (t, ns) => {
      await lab.createNodes('node', 10)
      await leads(lab)
      let pins = 0
      const holds = (call: ApiCall): boolean => isUngating(call) && (pins += 1) > size / 2
      lab.api.intercept({ before: call => (holds(call) ? new Promise(() => {}) : undefined) })
      await lab.createPods(ns, gangOf('g'))
      await lab.waitFor('half is bound', () => boundIn(lab, ns) === size / 2)
      t.equal(await stateOf(lab, ns), 'binding')
      await lab.muster.process.kill()
      lab.api.intercept({})
      await lab.muster.process.start()
      await gangIsBound(lab, ns, 'g', size)
      for (const pod of lab.podsIn(ns)) t.equal(pinOf(pod), pod.spec.nodeName, 'where it is pinned')
      await nothingIsHeld(lab)
    }
  )
}

/** A gang whose members are all pinned while no kube-scheduler runs; answers one of them. */
async function letGoWithoutScheduler(lab: Lab, ns: string): Promise<Pod> {
  await lab.createNodes('node', 10)
  await leads(lab)
  // muster leads on until the lease has run out.
  await lab.scheduler.kill()
  await lab.createPods(ns, gangOf('g'))
  await lab.waitFor('all are let go', () => lab.podsIn(ns).filter(pod => !isGated(pod)).length === size)
  return lab.podsIn(ns)[0]!
}

const leads = (lab: Lab): Promise<void> =>
  lab.until('muster leads', async () => (await metric(lab.muster, 'muster_active')) === 1, 60_000)

/** The node that the pod's affinity names. */
function pinOf(pod: Pod): string {
  return /"metadata.name","operator":"In","values":\["([^"]+)"\]/.exec(JSON.stringify(pod.spec))?.[1] ?? ''
}

const viewOf = async (lab: Lab, ns: string) => (await gangs(lab.muster)).find(each => each.namespace === ns)
const stateOf = async (lab: Lab, ns: string) => (await viewOf(lab, ns))?.state

async function reasonOf(lab: Lab, ns: string): Promise<string> {
  const reason = (await viewOf(lab, ns))?.['reason']
  return typeof reason === 'string' ? reason : ''
}
