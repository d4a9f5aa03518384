import t from 'tap'
import { forEach } from '../control-plane/client.ts'
import type { Lab } from '../control-plane/lab.ts'
import { gangs, metric } from '../control-plane/muster.ts'
import { gangObjects, gangOf, isBound, type Pod, podObject } from '../control-plane/objects.ts'
import { boundIn, gangIsBound, gangWaits, nothingIsHeld, openLab, scenario } from './scenario.ts'

const lab = await openLab(t, { controllerManager: true })
const slow = 'muster.test/slow'

if (lab) {
  for (const gated of [true, false]) {
    const kind = gated ? 'a gated gang' : 'an ungated gang'
    const gang = () => gangObjects({ name: 'g', size: 2, gated, cpu: '2' })

    scenario(t, lab, [`${kind} finds room in pieces: pods marked movable make way, and all run`], async (t, ns) => {
      await pieces(lab, ns, true)
      const moved = (): Promise<number> => metric(lab.muster, 'muster_victims_total', 'outcome="done"')
      const before = await moved()
      await lab.createPods(ns, gang())
      await lab.waitFor('two leave', () => leaving(lab, ns).length === 2)
      // They want the room that is kept for those who are moved.
      await lab.createPods(
        ns,
        [0, 1].map(index => podObject(`late-${index}`, { cpu: '1' }))
      )
      await release(lab, leaving(lab, ns))
      await gangIsBound(lab, ns, 'g', 2)
      await lab.waitFor('the four run again', () => sets(lab, ns).filter(isBound).length === 4)
      await nothingIsHeld(lab)
      t.equal((await moved()) - before, 2, 'as few as possible')
      t.strictSame(lab.history.everBound(`${ns}/late`), [], 'nobody else got their room')
      t.equal(boundIn(lab, ns), 6)
      await remove(lab, ns)
    })

    scenario(t, lab, [`${kind} moves nobody who is not marked, and says who would have to move`], async (t, ns) => {
      await pieces(lab, ns, false)
      await lab.createPods(ns, gang())
      await gangWaits(lab, ns, 'g')
      await lab.until('it says so', async () => {
        const views = await gangs(lab.muster)
        const view = views.find(each => each.namespace === ns && each.name === 'g')
        return /it would fit if \S+, \S+ moved to other nodes/.test(String(view?.['reason']))
      })
      t.strictSame(leaving(lab, ns), [])
      t.equal(boundIn(lab, ns), 4)
      await remove(lab, ns)
    })
  }
}

/** Four nodes of two cores, and on each a pod of one core that a controller gives back. */
async function pieces(lab: Lab, ns: string, movable: boolean): Promise<void> {
  await lab.createNodes('node', 4, { cpu: '2', slots: 10 })
  for (const index of [0, 1, 2, 3]) {
    const name = `set-${index}`
    const pod = podObject(name, { cpu: '1', labels: { app: name } })
    const annotations = { 'muster.dev/movable': String(movable) }
    await lab.cluster.client.create(`/apis/apps/v1/namespaces/${ns}/replicasets`, {
      metadata: { name },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name }, annotations, finalizers: [slow] },
          spec: { ...(pod['spec'] as object), schedulerName: 'muster' }
        }
      }
    })
  }
  await lab.waitFor('four run', () => sets(lab, ns).filter(isBound).length === 4)
  // kube-scheduler puts each on the emptiest node.
  const nodes = new Set(sets(lab, ns).map(pod => pod.spec.nodeName))
  if (nodes.size !== 4) throw new Error(`they stand on ${[...nodes].join(', ')}`)
}

/** Their controllers would bring them back. */
async function remove(lab: Lab, ns: string): Promise<void> {
  await lab.cluster.client.delete(`/apis/apps/v1/namespaces/${ns}/replicasets`)
  await release(lab, lab.podsIn(ns))
}

const sets = (lab: Lab, ns: string): readonly Pod[] =>
  lab.podsIn(ns).filter(pod => gangOf(pod) === undefined && pod.metadata.name.startsWith('set-') && !isLeaving(pod))

const isLeaving = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined
const leaving = (lab: Lab, ns: string): readonly Pod[] => lab.podsIn(ns).filter(isLeaving)

/** Lets pods go that a finalizer keeps. */
async function release(lab: Lab, pods: readonly Pod[]): Promise<void> {
  await forEach(pods, 4, ({ metadata: { namespace, name } }) =>
    lab.cluster.client.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, { metadata: { finalizers: null } })
  )
}
