import t from 'tap'
import { Launch, Reason, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { cleared, rig, until } from './rig.ts'

t.test('S0.2 S1.1 S1.4 S1.6 a request makes a pod and a headless Service that routes to it', async t => {
  const { on, it } = await rig(t)
  const { sandbox, created } = await it.sandboxes.createSandbox({ projectId: 'p1', priority: 3, env: { A: 'b' } })
  t.equal(created, true)
  t.match(sandbox, { projectId: 'p1', tenant: 'default', launch: Launch.COLD, cluster: 'c1', port: 8080 })
  t.match(sandbox?.id, /^sbx-[a-z2-7]{26}$/)
  const ready = await until(it, sandbox!.id, State.READY)
  t.match(ready, { hostname: `${ready.id}.sandbox.svc.cluster.local`, node: /^node-/, podIp: /^\d/, uid: sandbox!.uid })
  t.strictSame(on.writes(), ['create namespaces 201', 'create services 201', 'create pods 201', 'patch services 200'])
})

t.test('S0.12 S1.3 release ends it at once, again is the same, and the next request makes a new one', async t => {
  const { on, it } = await rig(t)
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
  const { id } = sandbox!
  const first = await it.sandboxes.releaseSandbox({ id })
  t.match(first.sandbox, { state: State.TERMINATED, reason: Reason.RELEASED })
  await cleared(on)
  const second = await it.sandboxes.releaseSandbox({ projectId: 'p1' })
  t.strictSame(second.sandbox?.terminatedAt, first.sandbox?.terminatedAt)
  const next = await it.sandboxes.createSandbox({ projectId: 'p1' })
  t.equal(next.created, true)
  t.equal(next.sandbox?.id, id)
  t.not(next.sandbox?.uid, sandbox?.uid)
})
