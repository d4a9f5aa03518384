import t from 'tap'
import { type Claim, claimOf, serviceOf } from '../../extender/sandboxes/scheduler/claim.ts'
import { Claims } from '../../extender/sandboxes/scheduler/claims.ts'
import { podFactsOf } from '../../extender/sandboxes/scheduler/pod-facts.ts'
import type { Follower, Json, Kind, Kubernetes } from '../../extender/sandboxes/scheduler/ports.ts'
import { recordingLog } from './serve.ts'

const spec = { ttlMs: 60_000, idleTimeoutMs: 0, maxLifetimeMs: 60_000, template: 'default', env: {}, priority: 0 }
const draft = {
  ...{ id: 'sbx-1', tenant: 'default', projectId: 'p1', fingerprint: 'f', keyHash: '', keyUntil: 0, createdAt: 1_000 },
  ...{ spec: { ...spec, gang: undefined }, port: 80, traceparent: '' }
}

/** A Service of a sandbox, of that generation and version. */
function serviceAt(uid: string, resourceVersion: string): Json {
  const service = serviceOf(draft, false)
  return { ...service, metadata: { ...(service['metadata'] as object), uid, resourceVersion } }
}

const claimAt = (uid: string, version: string): Claim => claimOf(serviceAt(uid, version))!

function podAt(version: string, status: object = {}): Json {
  const ownerReferences = [{ kind: 'Service', uid: 'u1' }]
  const labels = { 'sandbox.muster.dev/id': 'sbx-1' }
  return { metadata: { name: 'pod', uid: 'pod1', resourceVersion: version, labels, ownerReferences }, status }
}

/** Claims that follow what the test says, and what they told. */
function followed() {
  const told: string[] = []
  const followers = new Map<Kind, Follower>()
  const follow = (kind: Kind, follower: Follower) => {
    followers.set(kind, follower)
    return { synced: true, stop: async () => {} }
  }
  const claims = new Claims(recordingLog().log)
  const nobody = { replace() {}, apply() {} }
  claims.follow({ follow } as Kubernetes, (id, gone) => told.push(gone ? `${id} ${gone.uid} gone` : id), nobody)
  return { claims, told, services: followers.get('services')!, pods: followers.get('pods')! }
}

t.test('what comes late changes nothing', async t => {
  await t.test('the answer to a write, after what happened next', async t => {
    const { claims, services } = followed()
    services.apply('ADDED', serviceAt('u1', '9'))
    claims.put(claimAt('u1', '7'))
    t.equal(claims.get('sbx-1')?.version, '9')
  })
  await t.test('the answer to a write, after the end', async t => {
    const { claims, services } = followed()
    services.apply('ADDED', serviceAt('u1', '7'))
    services.apply('DELETED', serviceAt('u1', '9'))
    claims.put(claimAt('u1', '8'))
    t.equal(claims.get('sbx-1'), undefined)
  })
  await t.test('a word about a predecessor', async t => {
    const { claims, services, told } = followed()
    claims.put(claimAt('u2', '20'))
    services.apply('MODIFIED', serviceAt('u1', '15'))
    services.apply('DELETED', serviceAt('u1', '19'))
    services.apply('ADDED', serviceAt('u2', '20'))
    t.equal(claims.get('sbx-1')?.uid, 'u2')
    t.notOk(told.some(each => each.endsWith('gone')))
  })
  await t.test('the answer to the making of a pod, after it runs, and after it is gone', async t => {
    const { claims, pods } = followed()
    claims.put(claimAt('u1', '1'))
    const ready = { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] }
    pods.apply('ADDED', podAt('5', ready))
    claims.putPod(podFactsOf(podAt('3'))!)
    t.ok(claims.podOf(claims.get('sbx-1')!)?.readyAt)
    pods.apply('DELETED', podAt('6'))
    claims.putPod(podFactsOf(podAt('3'))!)
    t.equal(claims.podOf(claims.get('sbx-1')!), undefined)
    t.ok(claims.lastOf(claims.get('sbx-1')!)?.readyAt, 'that it was ready is remembered')
  })
})

t.test('a successor tells that its predecessor is gone', async t => {
  const { claims, told, services } = followed()
  services.apply('ADDED', serviceAt('u1', '1'))
  services.apply('ADDED', serviceAt('u2', '5'))
  t.strictSame(told, ['sbx-1', 'sbx-1 u1 gone', 'sbx-1'])
  t.equal(claims.get('sbx-1')?.uid, 'u2')
})

t.test('a list takes away what it tells of no more, and not what was made meanwhile', async t => {
  const { claims, services } = followed()
  services.replace([serviceAt('u1', '1')])
  services.replace([])
  t.equal(claims.get('sbx-1'), undefined)
  claims.put(claimAt('u2', '7'))
  services.replace([])
  t.equal(claims.get('sbx-1')?.uid, 'u2', 'the list began before it was made')
})

t.test('once pods are listed, all are looked at: one whose pod is gone has no other sign', async t => {
  const { claims, told, services, pods } = followed()
  services.replace([serviceAt('u1', '1')])
  t.equal(claims.listed.pods, false)
  told.length = 0
  pods.replace([])
  t.equal(claims.listed.pods, true)
  t.strictSame(told, ['sbx-1'])
})
