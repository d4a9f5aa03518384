import t from 'tap'
import { boundIn, gangIsBound, nothingIsHeld, openLab, scenario } from './scenario.ts'

const size = 64
const lab = await openLab(t)

if (lab) {
  for (const gated of [true, false]) {
    const kind = gated ? 'a gated gang' : 'an ungated gang'

    scenario(
      t,
      lab,
      [`${kind} of 64 on 64 one-slot nodes, created while muster and kube-scheduler run`],
      async (t, ns) => {
        await lab.createNodes('node', size)
        const begun = performance.now()
        await lab.createGang(ns, { name: 'whole', size, gated })
        await gangIsBound(lab, ns, 'whole', size)
        t.comment(`bound ${Math.round(performance.now() - begun)} ms after the first pod's creation`)
        t.equal(new Set(lab.podsIn(ns).map(pod => pod.spec.nodeName)).size, size, 'every member has a node of its own')
        await nothingIsHeld(lab)
      }
    )

    const before = `${kind} of 64 on 64 one-slot nodes, created before muster and kube-scheduler start`
    scenario(t, lab, [before, { started: false }], async (t, ns) => {
      await lab.createNodes('node', size)
      await lab.createGang(ns, { name: 'whole', size, gated })
      t.equal(boundIn(lab, ns), 0, 'nobody binds yet')
      await lab.start()
      await gangIsBound(lab, ns, 'whole', size)
      t.equal(new Set(lab.podsIn(ns).map(pod => pod.spec.nodeName)).size, size, 'every member has a node of its own')
      await nothingIsHeld(lab)
    })
  }
}
