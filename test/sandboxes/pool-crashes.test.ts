import t from 'tap'
import { annotations } from '../../extender/sandboxes/labels.ts'
import { Launch, Reason, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { around, type Death, dying } from './dying.ts'
import { full, idle, only, pooled } from './pool-rig.ts'
import { cluster, service, until, type Wrap } from './rig.ts'

const wish = { projectId: 'p1', template: 'plain', idempotencyKey: 'k1' }
const pools = { warmPool: { plain: 2 } }

t.test(
  'whenever the service dies on the warm way, the same request ends with one sandbox and no pod leaks',
  async t => {
    const deaths: Record<string, { death: Death; launch: Launch }> = {
      'before the pod is patched': { death: { when: 'before', step: 'patch pods' }, launch: Launch.COLD },
      'after the pod is patched, before the answer': {
        death: { when: 'after', step: 'patch pods' },
        launch: Launch.WARM
      },
      'before it is recorded': { death: { when: 'before', step: 'patch services' }, launch: Launch.WARM },
      'after it is recorded': { death: { when: 'after', step: 'patch services' }, launch: Launch.WARM }
    }
    for (const [name, { death, launch }] of Object.entries(deaths))
      await t.test(name, async t => {
        const on = await cluster(t)
        const { wrap, died } = dying(death)
        const first = await pooled(t, on, { ...pools, wrap })
        await full(first, pools)
        void first.sandboxes.createSandbox(wish).catch(() => {})
        await died
        await first.close()
        const { clock } = first
        const fresh = await pooled(t, on, { ...pools, clock })
        clock.advance(3_000)
        const { sandbox, created } = await fresh.sandboxes.createSandbox(wish)
        t.equal(created, false)
        const ready = await until(fresh, sandbox!.id, State.READY)
        t.equal(ready.launch, launch)
        await full(fresh, pools)
        t.equal(on.pods().length, 3, 'the sandbox’s, and a full pool')
        await fresh.sandboxes.releaseSandbox({ id: ready.id })
        await only(on, 2)
      })
  }
)

/** Holds a call back until it is let go. */
function holding(step: string) {
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const wrap: Wrap = kubernetes => ({
    ...around(kubernetes, async (each, call) => {
      if (each === step) {
        reached.resolve()
        await go.promise
      }
      return call()
    }),
    follow: (...args) => kubernetes.follow(...args),
    note: note => kubernetes.note(note)
  })
  return { wrap, reached: reached.promise, go: go.resolve }
}

t.test('a pod that was adopted for a sandbox that was released meanwhile goes with it', async t => {
  for (const step of ['patch pods', 'patch services'])
    await t.test(`released before ${step}`, async t => {
      const on = await cluster(t)
      const { wrap, reached, go } = holding(step)
      const slow = await pooled(t, on, { ...pools, wrap })
      await full(slow, pools)
      const made = slow.sandboxes.createSandbox(wish)
      await reached
      const other = await service(t, on, { clock: slow.clock })
      const { sandbox } = await other.sandboxes.releaseSandbox({ id: on.services()[0].metadata.name })
      t.match(sandbox, { state: State.TERMINATED, reason: Reason.RELEASED })
      go()
      await made
      await full(slow, pools)
      await only(on, 2)
    })
})

t.test('two that give one sandbox a pod each leave it one: the other goes', async t => {
  const on = await cluster(t)
  const { wrap, reached, go } = holding('patch services')
  const slow = await pooled(t, on, { ...pools, wrap })
  await full(slow, pools)
  const made = slow.sandboxes.createSandbox(wish)
  await reached
  // Another replica takes the claim for forgotten, and cannot see that a pod was adopted for it.
  const [adopted] = on.pods().filter(({ metadata }) => metadata.ownerReferences)
  const { metadata } = adopted
  const late = { ...adopted, metadata: { ...metadata, name: `${metadata.name}-late`, uid: undefined } }
  const { metadata: second } = on.client.create('pods', {
    ...late,
    metadata: { ...late.metadata, resourceVersion: undefined },
    spec: { ...adopted.spec, nodeName: undefined }
  })
  const [claim] = on.services()
  const note = JSON.stringify({ name: second.name, uid: second.uid })
  on.client.patch(
    { resource: 'services', namespace: 'sandbox', name: claim.metadata.name },
    { metadata: { annotations: { [annotations.pod]: note } } },
    { type: 'merge' }
  )
  go()
  const { sandbox } = await made
  t.equal(sandbox?.pod, second.name, 'the first record counts')
  await untilTrue('the other one goes', () => on.pods().every(({ metadata: { uid } }) => uid !== metadata.uid))
  await full(slow, pools)
  t.equal(idle(on).length, 2)
  t.equal(on.pods().length, 3)
})
