/** The proxies count exactly and break as told; tried with an extender that binds whatever it is asked to. */
import t from 'tap'
import { isBinding } from '../control-plane/api-proxy.ts'
import { bindingFuse } from '../control-plane/binding-fuse.ts'
import { ApiClient } from '../control-plane/client.ts'
import { NaiveExtender } from '../control-plane/naive-extender.ts'
import { podObject } from '../control-plane/objects.ts'
import { boundIn, openLab } from './scenario.ts'

const lab = await openLab(t)
const pods = (count: number) => Array.from({ length: count }, (_, index) => podObject(`pod-${index}`))

if (lab) {
  const client = new ApiClient(lab.cluster.access('muster', lab.api.url))
  const extender = await new NaiveExtender(client).start(Number(new URL(lab.muster.url).port))
  t.teardown(async () => {
    await client.close()
    await extender.stop()
  })
  await lab.scheduler.start()

  t.test('one filter and one bind call a pod, with all nodes and with one', async t => {
    const namespace = await lab.createNamespace('counted')
    await lab.createNodes('node', 8)
    await lab.createPods(namespace, pods(4))
    await lab.waitFor('all are bound', () => boundIn(lab, namespace) === 4)
    await lab.until('all calls are answered', async () => lab.verbs.calls.every(call => call.status === 200))
    t.equal(lab.verbs.of('filter').length, 4)
    t.ok(lab.verbs.of('filter').every(call => call.nodes.length > 1 && call.nodes.length <= 8))
    t.equal(lab.verbs.of('bind').length, 4)
    t.ok(lab.verbs.of('bind').every(call => call.nodes.length === 1 && call.uid !== ''))
    t.equal(lab.api.calls.filter(isBinding).length, 4)
    await lab.clear()
  })

  for (const loseLast of [false, true]) {
    t.test(`exactly 3 Bindings are done${loseLast ? ', the last reply is lost' : ''}`, async t => {
      const namespace = await lab.createNamespace(`fuse-${loseLast}`)
      await lab.createNodes('node', 8)
      let boundAtCut = -1
      const fuse = bindingFuse(
        3,
        () => {
          boundAtCut = lab.api.calls.filter(call => isBinding(call) && call.status === 201).length
        },
        loseLast
      )
      lab.api.intercept(fuse)
      extender.errors.length = 0
      await lab.createPods(namespace, pods(8))
      await fuse.blown
      await lab.waitFor('three are bound', () => boundIn(lab, namespace) >= 3)
      await lab.until('five more have come', async () => lab.api.calls.filter(isBinding).length >= 8)
      t.equal(boundIn(lab, namespace), 3)
      t.equal(boundAtCut, 3)
      t.equal(extender.errors.length, loseLast ? 1 : 0, 'the extender heard of all but the lost one')
      fuse.release()
      lab.api.intercept({})
      await lab.waitFor('all are bound', () => boundIn(lab, namespace) === 8)
      await lab.clear()
    })
  }

  t.test('a frozen proxy answers nothing until it thaws', async t => {
    const namespace = await lab.createNamespace('frozen')
    await lab.createNodes('node', 2)
    lab.api.freeze()
    await lab.createPods(namespace, pods(2))
    await lab.until('both wait to be bound', async () => lab.api.calls.filter(isBinding).length === 2)
    t.equal(boundIn(lab, namespace), 0)
    lab.api.thaw()
    await lab.waitFor('both are bound', () => boundIn(lab, namespace) === 2)
    await lab.clear()
  })
}
