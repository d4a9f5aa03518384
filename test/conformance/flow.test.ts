import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { gangObjects, isNominated, podObject } from '../control-plane/objects.ts'
import { boundIn, gangIsBound, gangWaits, nothingIsHeld, openLab, scenario } from './scenario.ts'

const lab = await openLab(t)
const ordinary = (count: number) => Array.from({ length: count }, (_, index) => podObject(`single-${index}`))

if (lab) {
  for (const gated of [true, false]) {
    const kind = gated ? 'gated' : 'ungated'

    scenario(t, lab, [`ordinary pods keep flowing while an infeasible ${kind} gang waits`], async (t, ns) => {
      await lab.createNodes('node', 20, { slots: 5 })
      await lab.createGang(ns, { name: 'too-big', size: 101, gated })
      await gangWaits(lab, ns, 'too-big')
      await lab.createPods(ns, ordinary(60))
      await lab.waitFor('all ordinary pods are bound', () => boundIn(lab, ns) === 60)
      t.strictSame(lab.history.everBound(`${ns}/too-big`), [], 'the gang has no bound pod')
      await nothingIsHeld(lab)
    })

    scenario(t, lab, [`a feasible small ${kind} gang passes an infeasible big one`], async (t, ns) => {
      await lab.createNodes('node', 8)
      await lab.createGang(ns, { name: 'too-big', size: 9, gated })
      await gangWaits(lab, ns, 'too-big')
      await lab.createGang(ns, { name: 'small', size: 6, gated })
      await gangIsBound(lab, ns, 'small', 6)
      t.strictSame(lab.history.everBound(`${ns}/too-big`), [], 'the big gang has no bound pod')
      await nothingIsHeld(lab)
    })

    scenario(t, lab, [`a member of a ${kind} gang that never comes holds no room`], async (t, ns) => {
      await lab.createNodes('node', 6)
      await lab.createPods(ns, gangObjects({ name: 'forming', size: 5, gated }).slice(0, 4))
      await lab.waitFor('four members are there', () => lab.podsIn(ns, 'forming').length === 4)
      await lab.createPods(ns, ordinary(6))
      await lab.waitFor('ordinary pods have all the room', () => boundIn(lab, ns) === 6)
      await sleep(3_000)
      t.equal(lab.podsIn(ns, 'forming').filter(isNominated).length, 0, 'no member is nominated')
      t.strictSame(lab.history.everBound(`${ns}/forming`), [], 'no member is bound')
      t.equal(await lab.holds(), 0, 'no room is held')
    })

    scenario(t, lab, [`a waiting ${kind} gang goes when room appears`], async (_, ns) => {
      await lab.createNodes('node', 4)
      await lab.createGang(ns, { name: 'patient', size: 8, gated })
      await gangWaits(lab, ns, 'patient')
      await lab.createNodes('more', 4)
      await gangIsBound(lab, ns, 'patient', 8)
      await nothingIsHeld(lab)
    })
  }
}
