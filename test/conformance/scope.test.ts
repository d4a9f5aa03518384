import t from 'tap'
import { managed } from '../../policies/names.ts'
import { gangs } from '../control-plane/muster.ts'
import { isBound, isGated, podObject } from '../control-plane/objects.ts'
import { pairOf, whyNoHosts } from '../control-plane/pairs.ts'
import { openLab } from './scenario.ts'

const timing = { leaseDuration: '15s', renewDeadline: '10s', retryPeriod: '2s' }
const size = 8
/** What the component scope-gangs adds to gang pods. */
const marks = { [managed.filter]: '1', [managed.bind]: '1' }
const patience = 90_000

const noHosts = await whyNoHosts()
if (noHosts !== undefined) t.plan(0, noHosts)
const lab = noHosts === undefined ? await openLab(t, { muster: false }) : undefined

if (lab) {
  const pair = await pairOf(lab.cluster, 'pair-a', timing, ['--scope', 'gangs'])
  t.teardown(async () => {
    await pair.kill()
    await pair.verbs.stop()
  })

  t.test(
    'with --scope gangs ordinary pods cost muster no call, and a marked gang is planned and bound whole',
    async t => {
      t.setTimeout(600_000)
      const ns = await lab.createNamespace('scope')
      await lab.createNodes('node', 2, { slots: 32, cpu: '32' })
      await pair.start()
      await lab.until('it leads', () => pair.leads(), patience)
      const ordinary = Array.from({ length: 6 }, (_, index) => podObject(`ordinary-${index}`))
      await lab.createPods(ns, ordinary)
      await lab.waitFor('they are bound', () => lab.podsIn(ns).filter(isBound).length === ordinary.length, patience)
      t.strictSame(pair.verbs.calls, [], 'nobody asked muster about them')

      for (const gated of [true, false]) {
        const name = gated ? 'gated' : 'ungated'
        await lab.createGang(ns, { name, size, gated, extended: marks })
        await lab.waitFor(`the ${name} gang`, () => lab.podsIn(ns, name).filter(isBound).length === size, patience)
        const ofGang = pair.verbs.of('bind', call => call.pod.startsWith(`${ns}/${name}-`))
        t.equal(new Set(ofGang.map(call => call.pod)).size, size, 'every member came to the barrier')
        for (const pod of lab.podsIn(ns, name)) t.match(pod.metadata.annotations, { 'muster.dev/plan': /^\d+-\d+$/ })
      }
      const filtered = pair.verbs.of('filter', call => call.pod.startsWith(`${ns}/gated-`))
      t.strictSame(
        filtered.map(call => call.nodes.length),
        Array(size).fill(1),
        'one call with one node each'
      )
      const partial = [...lab.history.longestPartial()].filter(([, ms]) => ms > 5_000)
      t.strictSame([partial, lab.history.boundTwice()], [[], []])

      await lab.createGang(ns, { name: 'unmarked', size: 2, gated: true })
      const told = async () => (await gangs(pair.muster)).find(each => each.name === 'unmarked')
      await lab.until('it is refused', async () => (await told())?.state === 'refused', patience)
      t.match(await told(), {
        reason: /^with --scope gangs every member must want muster.dev\/filter and muster.dev\/bind/
      })
      t.ok(lab.podsIn(ns, 'unmarked').every(isGated))
      await lab.clear()
    }
  )
}
