import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { isUngating } from '../control-plane/api-proxy.ts'
import { type BindingFuse, bindingFuse } from '../control-plane/binding-fuse.ts'
import { isGated, isNominated, podObject } from '../control-plane/objects.ts'
import { boundIn, gangIsBound, nothingIsHeld, openLab, scenario } from './scenario.ts'

const size = 32
/** kube-scheduler retries a failed bind after up to 10 s, and a lost reply may cost a whole bind timeout. */
const recovery = 90_000
const outage = 5_000
const lab = await openLab(t)

if (lab) {
  const { scheduler, cluster } = lab
  const { process: muster } = lab.muster

  /** Creates a gang on nodes that only it fits, and waits until `fuse` has cut it. */
  const tear = async (ns: string, fuse: BindingFuse, gated = true) => {
    await lab.createNodes('node', size)
    lab.api.intercept(fuse)
    await lab.createGang(ns, { name: 'torn', size, gated })
    const late = sleep(30_000, 'late', { ref: false })
    if ((await Promise.race([fuse.blown, late])) === 'late') throw new Error(`too few Bindings came\n${lab.describe()}`)
  }

  /** The torn gang completes, and nothing is left of the trouble. */
  const recovers = async (ns: string) => {
    await gangIsBound(lab, ns, 'torn', size, recovery)
    await nothingIsHeld(lab)
  }

  const kills = [
    { count: 1, loseLast: false },
    { count: 16, loseLast: false },
    { count: 31, loseLast: false },
    { count: 16, loseLast: true },
    { count: size, loseLast: true }
  ]
  for (const { count, loseLast, gated } of kills.flatMap(kill => [
    { ...kill, gated: true },
    { ...kill, gated: false }
  ])) {
    const kind = gated ? 'a gated gang' : 'an ungated gang'
    const name = `muster killed after exactly ${count} of ${size} Bindings of ${kind}${loseLast ? ', the last reply lost' : ''}`
    scenario(t, lab, [name, { faults: true }], async (t, ns) => {
      const fuse = bindingFuse(count, () => muster.killNow(), loseLast)
      await tear(ns, fuse, gated)
      await muster.kill()
      await lab.waitFor(`${count} pods are bound`, () => boundIn(lab, ns, 'torn') >= count)
      t.equal(boundIn(lab, ns, 'torn'), count, 'no further pod is bound')
      // It wants the same nodes and comes while nobody defends them: it must get none.
      await lab.createGang(ns, { name: 'rival', size, gated })
      lab.api.intercept({})
      await muster.start()
      await recovers(ns)
      t.strictSame(lab.history.everBound(`${ns}/rival`), [], 'the rival got nothing')
    })
  }

  scenario(t, lab, ['the last reply lost, muster not killed', { faults: true }], async (_, ns) => {
    await tear(
      ns,
      bindingFuse(size, () => {}, true)
    )
    await recovers(ns)
  })

  for (const gated of [true, false]) {
    const name = `kube-scheduler killed when 16 of ${size} ${gated ? 'gated' : 'ungated'} members are bound, and restarted`
    scenario(t, lab, [name, { faults: true }], async (_, ns) => {
      const fuse = bindingFuse(16, () => scheduler.killNow())
      await tear(ns, fuse, gated)
      await scheduler.kill()
      fuse.release()
      await scheduler.start()
      await recovers(ns)
    })
  }

  const nominated = 'kube-scheduler killed while gated members hold nominations, and restarted'
  scenario(t, lab, [nominated, { faults: true }], async (t, ns) => {
    const gate = Promise.withResolvers<void>()
    await lab.createNodes('node', size)
    lab.api.intercept({ before: call => (isUngating(call) ? gate.promise : undefined) })
    await lab.createGang(ns, { name: 'torn', size, gated: true })
    const waiting = () => lab.podsIn(ns, 'torn').filter(pod => isGated(pod) && isNominated(pod)).length
    await lab.waitFor('all members are nominated behind their gate', () => waiting() === size)
    await scheduler.kill()
    await scheduler.start()
    await lab.createPods(
      ns,
      Array.from({ length: 8 }, (_, index) => podObject(`single-${index}`))
    )
    await lab.waitFor('the new scheduler has asked for an ordinary pod', () => lab.verbs.of('filter').length > 0)
    gate.resolve()
    await recovers(ns)
    t.equal(boundIn(lab, ns), size, 'ordinary pods of the same rank got none of the held room')
  })

  const outages = {
    killed: { begin: () => cluster.apiServer.killNow(), end: () => cluster.apiServer.start() },
    frozen: { begin: () => cluster.apiServer.pause(), end: async () => cluster.apiServer.resume() }
  }
  for (const [how, { begin, end }] of Object.entries(outages)) {
    scenario(t, lab, [`API server ${how} for 5 s when 16 of ${size} are bound`, { faults: true }], async (_, ns) => {
      const fuse = bindingFuse(16, begin)
      await tear(ns, fuse)
      await sleep(outage)
      fuse.release()
      await end()
      await recovers(ns)
    })

    scenario(t, lab, [`API server ${how} for 5 s when a gang has just come`, { faults: true }], async (_, ns) => {
      await lab.createNodes('node', size)
      await lab.createGang(ns, { name: 'torn', size, gated: true })
      begin()
      await sleep(outage)
      await end()
      await recovers(ns)
    })
  }
}
