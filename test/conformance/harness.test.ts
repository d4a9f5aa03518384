/** What the other scenarios rest on: the stock scheduler alone leaves gangs in part, and the record shows it. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { gangObjects, isBound } from '../control-plane/objects.ts'
import { Dice } from '../control-plane/random.ts'
import { boundIn, openLab, tally } from './scenario.ts'

const lab = await openLab(t, { muster: false })

if (lab) {
  await lab.start()

  t.test('without muster two gangs that do not fit together are both bound in part, and the record tells', async t => {
    const namespace = await lab.createNamespace('stock')
    await lab.createNodes('node', 16)
    const names = ['left', 'right']
    // Turn by turn, so that neither can be whole before the other has begun.
    const [left, right] = names.map(name => gangObjects({ name, size: 10, gated: false }))
    await lab.createPods(
      namespace,
      left!.flatMap((pod, index) => [pod, right![index]!]),
      1
    )
    await lab.waitFor('all slots are taken', () => boundIn(lab, namespace) === 16)
    await sleep(1_000)
    t.equal(tally(lab, namespace, names, 10).partial.length, 2)
    const partial = lab.history.longestPartial()
    for (const name of names) t.ok((partial.get(`${namespace}/${name}`) ?? 0) > 1_000, `${name} was seen in part`)
    t.strictSame(lab.history.boundTwice(), [])
    await lab.clear()
  })

  t.test('the watch survives an API server that is killed, and shows what came afterwards', async t => {
    const namespace = await lab.createNamespace('outage')
    await lab.createNodes('other', 4)
    await lab.cluster.apiServer.kill()
    await sleep(500)
    await lab.cluster.apiServer.start()
    await lab.createPods(namespace, new Dice(1).shuffle(gangObjects({ name: 'after', size: 4, gated: false })))
    await lab.waitFor('all are bound', () => lab.podsIn(namespace).filter(isBound).length === 4)
    t.equal(new Set(lab.podsIn(namespace).map(pod => pod.spec.nodeName)).size, 4)
    await lab.clear()
  })
}
