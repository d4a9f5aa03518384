import { Code, ConnectError } from '@connectrpc/connect'
import t, { type Test } from 'tap'
import { systemClock } from '../../extender/clock.ts'
import { schedulerAt } from '../../extender/sandboxes/client/connect.ts'
import { tour, type TourOptions } from '../../extender/sandboxes/client/tour.ts'
import { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { ManualClock } from '../kubernetes/manual-clock.ts'
import { readyMock } from './activator-stage.ts'
import { FakeScheduler } from './fake-scheduler.ts'

const hostname = 'sbx-shop.sandbox.svc.cluster.local'
const asked: string[] = []
/** Knows every name. */
const lookup: NonNullable<TourOptions['lookup']> = (name, { all }, callback) => {
  asked.push(name)
  if (all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}

/** Knows none. */
const nowhere: typeof lookup = (name, _, callback) =>
  callback(Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' }), '')

/** A tour before a fake scheduler whose sandboxes are ready at once. */
async function stage(t: Test) {
  const scheduler = await FakeScheduler.start(t)
  scheduler.fields = { ...(await readyMock(t, 'shop')).fields, hostname }
  const said: string[] = []
  const details: string[] = []
  const options: TourOptions = {
    ...{ scheduler: schedulerAt(scheduler.url), projectId: 'shop', retain: false, release: false, lookup },
    ...{ clock: systemClock, pause: ms => new Promise(resolve => systemClock.after(ms, () => resolve())) },
    ...{ say: line => said.push(line), detail: line => details.push(line) }
  }
  return { scheduler, options, said, details }
}

t.test('S0.30 S0.31 S1.20 the client asks twice, gets one sandbox, and says its id both times', async t => {
  const { scheduler, options, said } = await stage(t)
  await tour(options)
  t.match(said, [
    'A sandbox for project shop:',
    /^ {2}created sbx-shop {2}project shop, READY/,
    '  the same request again: sbx-shop, nothing was created',
    /^ {2}ready: sbx-shop/,
    `  http://${hostname}:${String(scheduler.fields.port)}/ answers`
  ])
  t.strictSame(scheduler.calls, ['create', 'create', 'get'])
})

t.test('S1.5 the client reaches the sandbox by the name of its Service', async t => {
  const { options, details } = await stage(t)
  asked.length = 0
  await tour(options)
  t.strictSame(asked, [hostname])
  t.match(details.join('\n'), /from 127\.0\.0\.1: \{"sandbox":"","project":"shop"/)
})

t.test('S0.32 S1.21 S1.22 the client retains and releases', async t => {
  const { scheduler, options, said, details } = await stage(t)
  const last = await tour({ ...options, retain: true, release: true })
  t.strictSame(scheduler.calls, ['create', 'create', 'get', 'retain', 'release'])
  t.equal(last.state, State.TERMINATED)
  t.match(said.at(-2), /retained: until never/)
  t.match(said.at(-1), /released: TERMINATED/)
  t.match(details.join('\n'), /RetainSandbox took \d+ ms[^]*ReleaseSandbox took \d+ ms[^]*"retainCount": 1/)
})

t.test('S1.2 a second client of the project finds its sandbox', async t => {
  const { options, said } = await stage(t)
  await tour(options)
  await tour(options)
  t.match(said.join('\n'), /there already: sbx-shop/)
})

t.test('with a key each tour has a sandbox of its own', async t => {
  const { options } = await stage(t)
  const one = await tour({ ...options, idempotencyKey: 'k1' })
  const other = await tour({ ...options, idempotencyKey: 'k2' })
  t.not(one.id, other.id)
})

t.test('what goes wrong is one sentence', async t => {
  const { scheduler, options } = await stage(t)
  scheduler.refusal = new ConnectError('project_id must be a DNS label', Code.InvalidArgument)
  await t.rejects(tour(options), { message: 'project_id must be a DNS label' })
  scheduler.refusal = undefined
  const nowhere = schedulerAt('http://127.0.0.1:1')
  await t.rejects(tour({ ...options, scheduler: nowhere }), {
    message: /^the scheduler cannot be reached: .*ECONNREFUSED/
  })
  scheduler.fields = { state: State.TERMINATED, failure: { message: 'no such image' } }
  await t.rejects(tour({ ...options, projectId: 'a' }), {
    message: 'the sandbox sbx-a has ended (TERMINATED) no such image'
  })
})

t.test('a name that only the cluster knows is not the end: the address does as well', async t => {
  const { scheduler, options, said } = await stage(t)
  scheduler.fields = { ...scheduler.fields, hostname: 'sbx-shop.sandbox.invalid' }
  const clock = new ManualClock()
  const pause = async (ms: number) => clock.advance(ms)
  await tour({ ...options, lookup: nowhere, clock, pause })
  const { port } = scheduler.fields
  t.strictSame(said.slice(-2), [
    `  http://sbx-shop.sandbox.invalid:${port}/ is a name that only its cluster knows`,
    `  http://127.0.0.1:${port}/ answers`
  ])
})

t.test('a sandbox that does not answer is one sentence', async t => {
  const { scheduler, options } = await stage(t)
  scheduler.fields = { ...scheduler.fields, port: 1 }
  await t.rejects(tour(options), { message: /^cannot reach the sandbox at http:.*:1\/: connect ECONNREFUSED/ })
})
