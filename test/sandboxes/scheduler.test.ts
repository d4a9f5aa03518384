import { Code, type ConnectError } from '@connectrpc/connect'
import t from 'tap'
import { labels } from '../../extender/sandboxes/labels.ts'
import { Launch, Reason, RefusalSchema, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { cleared, cluster, rig, service, until } from './rig.ts'

const create = '/sandbox.v1.SchedulerService/CreateSandbox'
const failure = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => {
      throw new Error('it was not refused')
    },
    (error: unknown) => error as ConnectError
  )

t.test(
  'S0.2 S1.1 S1.4 S1.6 S1.23 S1.26 a request makes a pod and a headless Service that routes to it, in three writes',
  async t => {
    const { on, it } = await rig(t)
    const { sandbox, created } = await it.sandboxes.createSandbox({ projectId: 'p1', env: { A: 'b' } })
    t.equal(created, true)
    t.match(sandbox, { projectId: 'p1', tenant: 'default', launch: Launch.COLD, cluster: 'c1', port: 8080 })
    t.match(sandbox?.id, /^sbx-[a-z2-7]{26}$/)
    const ready = await until(it, sandbox!.id, State.READY)
    t.match(ready, {
      hostname: `${ready.id}.sandbox.svc.cluster.local`,
      node: /^node-/,
      podIp: /^\d/,
      uid: sandbox!.uid
    })
    t.strictSame(
      on.writes().filter(write => !write.includes('namespaces')),
      ['create services 201', 'create pods 201', 'patch services 200']
    )
    const [pod] = on.pods()
    const [{ spec }] = on.services()
    t.equal(spec.clusterIP, 'None')
    for (const [label, value] of Object.entries(spec.selector)) t.equal(pod.metadata.labels[label], value, label)
    await untilTrue('the Service has the pod as its endpoint', () =>
      on.client.list('endpointslices.discovery.k8s.io', { namespace: 'sandbox' }).items.some(slice => {
        return JSON.stringify(slice).includes(ready.podIp)
      })
    )
    t.strictSame(
      on.client.list('pods').items.map(({ metadata }) => metadata.namespace),
      ['sandbox']
    )
    t.match(pod.metadata.name, new RegExp(`^${ready.id}-${ready.uid.slice(0, 8)}$`))
  }
)

t.test('S0.3 the same request with the same key is the same sandbox; its header says so', async t => {
  const { on, it } = await rig(t)
  const body = { projectId: 'p1', ttl: '900s' }
  const first = await it.ask('POST', create, body, { 'idempotency-key': 'k1' })
  t.match(first, { status: 200, body: { created: true } })
  t.equal(first.headers['idempotent-replayed'], undefined)
  const second = await it.ask('POST', create, { ...body, idempotencyKey: 'k1' })
  t.equal(second.headers['idempotent-replayed'], 'true')
  t.equal(second.body.created ?? false, false)
  t.equal(second.body.sandbox.uid, first.body.sandbox.uid)
  t.equal(on.pods().length, 1)
  const other = await it.ask('POST', create, { ...body, idempotencyKey: 'k2' })
  t.match(other.body, { created: true })
  t.not(other.body.sandbox.id, first.body.sandbox.id)
})

t.test('S1.2 S1.3 a project without a key has one sandbox, and after its end the next request makes anew', async t => {
  const { on, it } = await rig(t)
  const first = await it.sandboxes.createSandbox({ projectId: 'p1' })
  const second = await it.sandboxes.createSandbox({ projectId: 'p1', ttl: { seconds: 60n } })
  t.match(second, { created: false, sandbox: { id: first.sandbox!.id, uid: first.sandbox!.uid } })
  const other = await it.sandboxes.createSandbox({ projectId: 'p1', tenant: 'b' })
  t.equal(other.created, true, 'of another tenant it is another project')
  const refused = await failure(it.sandboxes.createSandbox({ projectId: 'p1', env: { A: 'b' } }))
  t.match(refused.rawMessage, /^project p1 has a sandbox of another template, env or gang; release it first$/)
  await it.sandboxes.releaseSandbox({ projectId: 'p1' })
  const third = await it.sandboxes.createSandbox({ projectId: 'p1' })
  t.match(third, { created: true, sandbox: { id: first.sandbox!.id } })
  t.not(third.sandbox?.uid, first.sandbox?.uid)
  await until(it, third.sandbox!.id, State.READY)
  await untilTrue('one pod for each', () => on.pods().length === 2)
})

t.test('S0.4 100 at once are one pod', async t => {
  const { on, it } = await rig(t)
  const request = { projectId: 'p1', idempotencyKey: 'k1' }
  const all = await Promise.all(Array.from({ length: 100 }, () => it.sandboxes.createSandbox(request)))
  t.equal(all.filter(({ created }) => created).length, 1)
  t.equal(new Set(all.map(({ sandbox }) => sandbox?.uid)).size, 1)
  t.equal(on.pods().length, 1)
  t.equal(on.writes().filter(write => write === 'create services 409').length, 0, 'they joined one flight')
})

t.test('S0.4 S0.48 300 at once before two replicas that share nothing but the cluster are one pod', async t => {
  const on = await cluster(t)
  const [a, b] = [await service(t, on), await service(t, on)]
  const request = { projectId: 'p1', idempotencyKey: 'k1' }
  const all = await Promise.all(
    Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? a : b).sandboxes.createSandbox(request))
  )
  t.equal(all.filter(({ created }) => created).length, 1)
  t.equal(new Set(all.map(({ sandbox }) => sandbox?.uid)).size, 1)
  await until(b, all[0]!.sandbox!.id, State.READY)
  t.equal(on.services().length, 1)
  t.equal(on.pods().length, 1)
  t.equal(on.writes().filter(write => write === 'create pods 201').length, 1)
})

t.test('a key that was used for another request is refused: 422 plainly, failed_precondition over Connect', async t => {
  const { on, it } = await rig(t)
  await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })
  const others = { 'another project': { projectId: 'p2' }, 'another ttl': { projectId: 'p1', ttl: { seconds: 77n } } }
  for (const [name, other] of Object.entries(others)) {
    const error = await failure(it.sandboxes.createSandbox({ ...other, idempotencyKey: 'k1' }))
    t.equal(error.code, Code.FailedPrecondition, name)
    t.equal(error.findDetails(RefusalSchema)[0]?.reason, 'idempotency_key_reused')
  }
  const plain = await it.ask('POST', '/v1/sandboxes', { projectId: 'p2' }, { 'idempotency-key': 'k1' })
  t.match(plain, { status: 422, body: { message: /^the idempotency key was used for another request; / } })
  t.equal(on.pods().length, 1)
  // The API server alone says the same, after the store has forgotten.
  const fresh = await service(t, on)
  const error = await failure(fresh.sandboxes.createSandbox({ projectId: 'p2', idempotencyKey: 'k1' }))
  t.equal(error.findDetails(RefusalSchema)[0]?.reason, 'idempotency_key_reused')
})

t.test('what is wrong with a request is said in one sentence, and nothing is made', async t => {
  const bad = { metadata: { labels: { [labels.id]: 'sbx-stolen' } }, spec: { containers: [{ name: 'a', image: 'b' }] } }
  const closed = { spec: { containers: [{ name: 'a', image: 'b' }] } }
  const { on, it } = await rig(t, { templates: { bad, closed } })
  const table: Record<string, [object, RegExp]> = {
    'no project': [{}, /^project_id "" must be a DNS label/],
    'a project that is no label': [{ projectId: 'Ä_b' }, /^project_id "Ä_b" must be a DNS label/],
    'a long project': [{ projectId: 'a'.repeat(64) }, /must be a DNS label/],
    'a tenant that is no label': [{ projectId: 'p', tenant: 'a}b' }, /^tenant "a}b" must be a DNS label/],
    'a key with a line break': [{ projectId: 'p', idempotencyKey: 'a\nb' }, /^the idempotency key must be 1 to 255 /],
    'a long key': [{ projectId: 'p', idempotencyKey: 'k'.repeat(256) }, /^the idempotency key must be 1 to 255 /],
    'a ttl of nothing': [{ projectId: 'p', ttl: '0s' }, /^ttl of 0 s must be between 1 s and 86400 s$/],
    'a negative ttl': [{ projectId: 'p', ttl: '-5s' }, /^ttl of -5 s must be/],
    'a ttl of a year': [{ projectId: 'p', ttl: '31536000s' }, /^ttl of 31536000 s must be between 1 s and 86400 s$/],
    'a ttl beyond the longest life': [{ projectId: 'p', ttl: '61s', maxLifetime: '60s' }, /between 1 s and 60 s$/],
    'a life that is too long': [{ projectId: 'p', maxLifetime: '90000s' }, /^max_lifetime of 90000 s must be/],
    'no such template': [
      { projectId: 'p', template: 'x' },
      /^there is no template "x"; known are default, bad, closed$/
    ],
    'a template that steals traffic': [
      { projectId: 'p', template: 'bad' },
      /^template bad sets sandbox\.muster\.dev\/id, /
    ],
    'a template without a port': [{ projectId: 'p', template: 'closed' }, /^template closed has no containerPort/],
    'env that is no name': [{ projectId: 'p', env: { 'A-B': '' } }, /^env: "A-B" must be letters/],
    'env of ours': [{ projectId: 'p', env: { SANDBOX_ID: '' } }, /^env: "SANDBOX_ID" is set by muster/],
    'too much env': [{ projectId: 'p', env: { A: 'x'.repeat(40_000) } }, /^env must be at most 100 variables/],
    'a gang without a name': [{ projectId: 'p', gang: { minMember: 2 } }, /^gang\.name "" must be a DNS label$/],
    'a gang of none': [{ projectId: 'p', gang: { name: 'g' } }, /^gang\.min_member 0 must be between 1 and 1000$/],
    'an unknown field': [{ projectId: 'p', tll: '5s' }, /"tll" is unknown/]
  }
  for (const [name, [body, message]] of Object.entries(table)) {
    const answer = await it.ask('POST', create, body)
    t.match(answer, { status: 400, body: { code: 'invalid_argument', message } }, name)
    t.match(await it.ask('POST', '/v1/sandboxes', body), { status: 400, body: { message } }, `${name}, plainly`)
  }
  const two = { projectId: 'p', idempotencyKey: 'a' }
  const differing = await it.ask('POST', create, two, { 'idempotency-key': 'b' })
  t.match(differing, {
    status: 400,
    body: { message: /^the header Idempotency-Key and the field idempotency_key differ/ }
  })
  t.match(await it.ask('POST', create, { projectId: 'p' }, { 'idempotency-key': '' }), { status: 400 })
  const which: Record<string, RegExp> = {
    '{}': /^the request names no sandbox/,
    '{"id":"../pods/x"}': /^id "\.\.\/pods\/x" is no id of a sandbox$/
  }
  for (const [body, message] of Object.entries(which))
    for (const call of ['Get', 'Retain', 'Release'])
      t.match(await it.ask('POST', `/sandbox.v1.SchedulerService/${call}Sandbox`, body), {
        status: 400,
        body: { message }
      })
  t.equal(on.services().length + on.pods().length, 0)
})

t.test('a Service of that name that is no sandbox is left alone', async t => {
  const { on, it } = await rig(t)
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1' })
  await it.sandboxes.releaseSandbox({ projectId: 'p1' })
  await cleared(on)
  const spec = { ports: [{ port: 80 }] }
  on.client.create('services', {
    ...{ apiVersion: 'v1', kind: 'Service', spec },
    metadata: { name: sandbox!.id, namespace: 'sandbox' }
  })
  const error = await failure(it.sandboxes.createSandbox({ projectId: 'p1' }))
  t.match(error.rawMessage, /^there is a Service sbx-\S+ that is no sandbox; delete it or take another key$/)
})

t.test('S0.12 release ends it at once, and again is the same', async t => {
  const { on, it } = await rig(t)
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })
  const { id } = sandbox!
  await until(it, id, State.READY)
  const first = await it.sandboxes.releaseSandbox({ id })
  t.match(first.sandbox, { state: State.TERMINATED, reason: Reason.RELEASED })
  await cleared(on)
  const second = await it.sandboxes.releaseSandbox({ id })
  t.strictSame(second.sandbox, first.sandbox)
  t.strictSame((await it.sandboxes.getSandbox({ id })).sandbox, first.sandbox)
  const again = await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })
  t.equal(again.created, false, 'its key never makes a second one')
  t.strictSame(again.sandbox, first.sandbox)
  t.equal(on.pods().length, 0)
  const unknown = `sbx-${'a'.repeat(26)}`
  t.equal((await failure(it.sandboxes.releaseSandbox({ id: unknown }))).code, Code.NotFound)
  t.equal((await failure(it.sandboxes.getSandbox({ id, tenant: 'other' }))).code, Code.NotFound, 'not of that tenant')
})

t.test('a pod of a sandbox may do nothing special, and its order and gang are muster’s', async t => {
  const template = {
    metadata: { labels: { team: 'a' }, annotations: { note: 'b' } },
    spec: {
      runtimeClassName: 'gvisor',
      securityContext: { runAsUser: 1000 },
      containers: [
        { name: 'main', image: 'x', env: [{ name: 'A', value: 'old' }], ports: [{ containerPort: 9000 }] },
        { name: 'side', image: 'y' }
      ]
    }
  }
  const { on, it } = await rig(t, { templates: { mine: template } })
  const gang = { name: 'rollout', minMember: 1 }
  const wish = {
    projectId: 'p1',
    template: 'mine',
    env: { A: 'new' },
    priority: 7,
    gang,
    maxLifetime: { seconds: 600n }
  }
  const { sandbox } = await it.sandboxes.createSandbox(wish)
  t.match(sandbox, { port: 9000, priority: 7, gang })
  const [pod] = on.pods()
  t.match(pod.metadata, {
    labels: { team: 'a', [labels.id]: sandbox!.id, [labels.project]: 'p1' },
    annotations: { note: 'b', 'muster.dev/priority': '7', 'muster.dev/gang': 'rollout', 'muster.dev/min-member': '1' },
    ownerReferences: [{ kind: 'Service', uid: sandbox!.uid }]
  })
  t.match(pod.spec, {
    ...{ schedulerName: 'muster', runtimeClassName: 'gvisor', restartPolicy: 'Never', activeDeadlineSeconds: 600 },
    ...{ automountServiceAccountToken: false, enableServiceLinks: false },
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
  })
  for (const { env, securityContext } of pod.spec.containers) {
    t.match(securityContext, { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } })
    t.strictSame(
      env.filter(({ name }: { name: string }) => name !== 'SANDBOX_PROJECT'),
      [
        { name: 'A', value: 'new' },
        { name: 'SANDBOX_ID', value: sandbox!.id }
      ]
    )
  }
})
