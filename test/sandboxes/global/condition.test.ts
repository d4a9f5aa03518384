import t from 'tap'
import { ClusterCondition } from '../../../extender/sandboxes/global/condition.ts'

/** A cluster that was probed well once, at 0. */
function known() {
  const condition = new ClusterCondition()
  condition.probed(undefined, 0)
  return condition
}

t.test('three probes in a row bring it down, two up again, and a minute later it is trusted', async t => {
  const condition = known()
  condition.probed('down', 10_000)
  condition.probed('down', 20_000)
  t.equal(condition.at(20_000).lostMs, 0)
  condition.probed(undefined, 30_000)
  condition.probed('down', 40_000)
  condition.probed('down', 50_000)
  t.equal(condition.at(50_000).lostMs, 0, 'in a row')
  condition.probed('down', 60_000)
  t.equal(condition.at(60_000).lostMs, 20_000, 'since the first of them')
  t.equal(condition.reason, 'down')
  condition.probed(undefined, 70_000)
  t.ok(condition.at(70_000).lostMs > 0)
  condition.probed(undefined, 80_000)
  t.match(condition.at(80_000), { lostMs: 0, returning: true })
  t.equal(condition.reason, '')
  t.equal(condition.at(139_999).returning, true)
  t.equal(condition.at(140_000).returning, false)
})

t.test('before it was ever seen, each probe counts, and who is new is no returner', async t => {
  const condition = new ClusterCondition()
  t.match(condition.at(0), { lostMs: 0, returning: false }, 'it gets the benefit of the doubt')
  condition.probed('down', 1_000)
  t.ok(condition.at(1_000).lostMs > 0)
  condition.probed(undefined, 2_000)
  t.match(condition.at(2_000), { lostMs: 0, returning: false })
})

t.test('five calls in a row are too many, and each ejection is longer than the last', async t => {
  const condition = known()
  const fails = () => [1, 2, 3, 4, 5].map(() => condition.failed())
  t.strictSame(fails(), [false, false, false, false, true])
  condition.eject(0)
  t.strictSame([condition.at(29_999).ejected, condition.at(30_000).ejected], [true, false])
  t.equal(condition.endsAt(0), 30_000)
  condition.failed()
  condition.succeeded()
  t.strictSame(fails(), [false, false, false, false, true], 'a success begins anew')
  condition.eject(30_000)
  t.strictSame([condition.at(89_999).ejected, condition.at(90_000).ejected], [true, false])
  condition.probed(undefined, 91_000)
  condition.probed(undefined, 92_000)
  condition.eject(100_000)
  t.equal(condition.at(130_000).ejected, false, 'good probes forgive')
})

t.test('saturation lasts for as long as the cluster said, or five seconds', async t => {
  const condition = known()
  condition.saturate(0)
  t.strictSame([condition.at(4_999).saturated, condition.at(5_000).saturated], [true, false])
  condition.saturate(10_000, 60_000)
  condition.saturate(11_000)
  t.strictSame([condition.at(69_999).saturated, condition.at(70_000).saturated], [true, false])
  t.equal(condition.endsAt(80_000), undefined)
})
