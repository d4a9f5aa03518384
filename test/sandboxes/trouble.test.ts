import { Code, type ConnectError } from '@connectrpc/connect'
import t from 'tap'
import {
  FailureCode,
  FailurePhase,
  Reason,
  State
} from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import type { Answer } from '../../extender/sandboxes/scheduler/ports.ts'
import { untilTrue } from '../embedded/until.ts'
import { faulty, type Step } from './dying.ts'
import { change, cleared, cluster, rig, service, until } from './rig.ts'

const status = (code: number, message: string): Answer => ({ status: code, body: { message } })
const refused = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => t.fail('done'),
    error => error
  )

/** An API server that goes wrong at a step for as long as `answer` is set. */
function trouble(step: Step) {
  const state: { answer: Answer | Error | undefined } = { answer: undefined }
  return { state, wrap: faulty(each => (each === step ? state.answer : undefined)) }
}

t.test('an API server that does not answer makes nothing and costs no key', async t => {
  const { state, wrap } = trouble('create services')
  const { on, it } = await rig(t, { wrap })
  const wish = { projectId: 'p1', idempotencyKey: 'k1' }
  const answers: Record<string, Answer | Error> = {
    'no answer': new Error('connect ECONNREFUSED'),
    'a server error': status(500, 'etcd is away'),
    'too many requests': { ...status(429, 'slow down'), retryAfterMs: 3_000 }
  }
  for (const [name, answer] of Object.entries(answers)) {
    state.answer = answer
    const error = await refused(it.sandboxes.createSandbox(wish))
    t.equal(error.code, Code.Unavailable, name)
    t.ok(error.metadata.get('retry-after'), name)
  }
  state.answer = status(403, 'services is forbidden')
  const forbidden = await refused(it.sandboxes.createSandbox(wish))
  t.equal(forbidden.code, Code.FailedPrecondition)
  t.match(forbidden.rawMessage, /^the API server refused the Service of sandbox sbx-\S+: services is forbidden$/)
  t.equal(on.services().length, 0)
  state.answer = undefined
  t.equal((await it.sandboxes.createSandbox(wish)).created, true)
})

t.test('a pod that cannot be made now is made as soon as it can', async t => {
  for (const answer of [status(503, 'later'), new Error('reset')]) {
    const { state, wrap } = trouble('create pods')
    const { it } = await rig(t, { wrap })
    state.answer = answer
    const { sandbox, created } = await it.sandboxes.createSandbox({ projectId: 'p1' })
    t.equal(created, true)
    t.equal(sandbox?.state, State.PENDING)
    state.answer = undefined
    await until(it, sandbox!.id, State.READY)
  }
})

t.test('an API server that is slow is not asked twice for the same pod', async t => {
  const on = await cluster(t)
  const slow = Promise.withResolvers<void>()
  const asked: string[] = []
  const it = await service(t, on, {
    wrap: kubernetes => ({
      create: async (kind, object) => {
        asked.push(kind)
        if (kind === 'pods') await slow.promise
        return kubernetes.create(kind, object)
      },
      get: (...args) => kubernetes.get(...args),
      patch: (...args) => kubernetes.patch(...args),
      remove: (...args) => kubernetes.remove(...args),
      follow: (...args) => kubernetes.follow(...args),
      note: (...args) => kubernetes.note(...args)
    })
  })
  const making = it.sandboxes.createSandbox({ projectId: 'p1' })
  await untilTrue('it is being made', () => asked.includes('pods'))
  it.clock.advance(10_000)
  slow.resolve()
  const { sandbox } = await making
  await until(it, sandbox!.id, State.READY)
  t.strictSame(asked, ['services', 'pods'])
})

t.test('no room for a pod is told at once, and nothing is left of the request', async t => {
  const { state, wrap } = trouble('create pods')
  const { on, it } = await rig(t, { wrap, enableEvents: true, publisher: { publish: async () => {} } })
  state.answer = status(403, 'pods "x" is forbidden: exceeded quota: sandboxes')
  const wish = { projectId: 'p1', idempotencyKey: 'k1' }
  const error = await refused(it.sandboxes.createSandbox(wish))
  t.equal(error.code, Code.ResourceExhausted)
  t.equal(error.metadata.get('retry-after'), '5')
  await cleared(on)
  state.answer = undefined
  t.equal((await it.sandboxes.createSandbox(wish)).created, true)
})

t.test('S0.17 a pod that the API server refuses for good is a sandbox that failed', async t => {
  const { state, wrap } = trouble('create pods')
  const { on, it } = await rig(t, { wrap })
  state.answer = status(422, 'spec.containers[0].image: Required value')
  const { sandbox, created } = await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })
  t.equal(created, true)
  t.match(sandbox, { state: State.TERMINATED, reason: Reason.FAILED })
  t.match(sandbox?.failure, { phase: FailurePhase.CREATE, code: FailureCode.UNSCHEDULABLE, message: /Required value$/ })
  await cleared(on)
  t.equal((await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })).created, false)
})

const simulated = (annotations: object) => ({
  metadata: { annotations },
  spec: { containers: [{ name: 'main', image: 'x', ports: [{ containerPort: 80 }] }] }
})

t.test('S0.17 S0.18 ways to fail, each by its name', async t => {
  const templates = {
    crashing: simulated({ 'muster.dev/simulated-duration': '50ms', 'muster.dev/simulated-exit-code': '3' }),
    leaving: simulated({ 'muster.dev/simulated-duration': '50ms' }),
    slow: simulated({ 'muster.dev/simulated-ready': 'false' }),
    stuck: simulated({ 'muster.dev/simulated-start-delay': '10m' }),
    large: {
      spec: {
        containers: [{ name: 'a', image: 'x', ports: [{ containerPort: 80 }], resources: { requests: { cpu: '999' } } }]
      }
    }
  }
  const { on, it } = await rig(t, { templates })
  const make = async (template: string) => {
    const { sandbox } = await it.sandboxes.createSandbox({ projectId: template, template })
    return sandbox!.id
  }
  const fails = async (id: string, want: object) => {
    const { reason, failure } = await until(it, id, State.TERMINATED)
    t.equal(reason, Reason.FAILED)
    t.match(failure, want)
  }
  const { CREATE, RUNTIME } = FailurePhase
  await fails(await make('crashing'), { phase: RUNTIME, code: FailureCode.CRASHED, exitCode: 3, message: /code 3/ })
  await fails(await make('leaving'), { code: FailureCode.CRASHED, exitCode: 0 })

  const [slow, large] = [await make('slow'), await make('large')]
  await untilTrue('the one has a node, the other gets none', () =>
    on.pods().every(({ status: { conditions = [] } }) => {
      return conditions.some(({ type }: { type: string }) => type === 'PodScheduled')
    })
  )
  it.clock.advance(120_000)
  await fails(slow, { phase: CREATE, code: FailureCode.START_TIMEOUT, message: 'it was not ready within 120 s' })
  await fails(large, { phase: CREATE, code: FailureCode.UNSCHEDULABLE, message: /nodes/ })

  const stuck = await make('stuck')
  const waiting = { waiting: { reason: 'ImagePullBackOff', message: 'no such image x' } }
  const [{ metadata }] = on.pods()
  change(on, 'pods', metadata.name, { status: { containerStatuses: [containerStatus(waiting)] } }, 'status')
  await fails(stuck, { phase: CREATE, code: FailureCode.IMAGE_PULL, message: 'no such image x' })

  const deleted = await make('default')
  await until(it, deleted, State.READY)
  const [pod] = on.pods()
  on.client.delete({ resource: 'pods', namespace: 'sandbox', name: pod.metadata.name })
  await fails(deleted, { phase: RUNTIME, code: FailureCode.DELETED_EXTERNALLY })
  await cleared(on)
  t.equal(await it.metric('muster_sandbox_terminated_total{reason="FAILED",code="CRASHED"}'), 2)
})

const containerStatus = (state: object) => ({
  ...{ name: 'main', image: 'x', imageID: '', ready: false, restartCount: 0, state }
})

t.test('S0.18 what happened while the service was down is seen by the next one', async t => {
  const on = await cluster(t)
  const before = await service(t, on)
  const { sandbox } = await before.sandboxes.createSandbox({ projectId: 'p1' })
  await until(before, sandbox!.id, State.READY)
  await before.close()
  const [{ metadata }] = on.pods()
  on.client.delete({ resource: 'pods', namespace: 'sandbox', name: metadata.name })
  await untilTrue('the pod is gone', () => on.client.list('pods', { namespace: 'sandbox' }).items.length === 0)
  const after = await service(t, on)
  const { failure } = await until(after, sandbox!.id, State.TERMINATED)
  t.match(failure, { code: FailureCode.DELETED_EXTERNALLY, message: `pod ${metadata.name} is gone, and not by us` })
  await cleared(on)
})

t.test('a Service that somebody deletes takes its sandbox with it', async t => {
  const { on, it } = await rig(t)
  const { sandbox } = await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })
  const { id } = sandbox!
  await until(it, id, State.READY)
  on.client.delete({ resource: 'services', namespace: 'sandbox', name: id })
  const { reason, failure } = await until(it, id, State.TERMINATED)
  t.equal(reason, Reason.FAILED)
  t.match(failure, { code: FailureCode.DELETED_EXTERNALLY, message: 'its Service was deleted, and not by us' })
  await cleared(on)
  t.equal((await it.sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' })).sandbox?.uid, sandbox?.uid)
})
