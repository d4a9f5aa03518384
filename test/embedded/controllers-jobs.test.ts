import t from 'tap'
import type { Pod } from '../../extender/embedded/kinds.ts'
import { formatIndexes, parseIndexes } from '../../extender/embedded/controllers/job-account.ts'
import { compare, job, plane, type Seen } from './parts.ts'

const takes = (duration: string, exitCode = '0') => ({
  annotations: { 'muster.dev/simulated-duration': duration, 'muster.dev/simulated-exit-code': exitCode }
})
const conditions = (object: Pick<Seen, 'status'>): string[] =>
  (object.status?.conditions ?? []).filter(each => each.status === 'True').map(each => `${each.type} ${each.reason}`)
const running = (pods: readonly Pod[]): number => pods.filter(pod => pod.status?.phase === 'Running').length

t.test('a Job runs its completions, no more at a time than parallelism, and is Complete', async t => {
  const p = plane(t)
  p.apply(job('sum', { completions: 5, parallelism: 2 }, takes('1s')))
  let most = 0
  const stop = p.api.watch('pods', () => (most = Math.max(most, running(p.pods()))))
  await p.run(5000)
  stop()
  t.equal(most, 2)
  const { status } = p.get('jobs.batch', 'sum')
  t.match(status, { succeeded: 5, startTime: String, completionTime: String, ready: 0, terminating: 0 })
  t.equal(status.active, undefined)
  t.strictSame(conditions({ status }), ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached'])
  t.equal(p.pods().length, 5)
  t.ok(
    p.pods().every(pod => !pod.metadata.finalizers?.length),
    'counted pods are let go'
  )
  const settled = p.writes.length
  await p.run(5000)
  t.equal(p.writes.length, settled, 'a second pass writes nothing')
})

t.test('pods that are deleted after they succeeded still count', async t => {
  const p = plane(t)
  p.apply(job('sum', { completions: 3, parallelism: 1 }, takes('1s')))
  const stop = p.api.watch('pods', ({ type, object }) => {
    const done = (object as Pod).status?.phase === 'Succeeded'
    if (done && type !== 'DELETED' && !object.metadata.deletionTimestamp)
      queueMicrotask(() => p.api.delete({ resource: 'pods', namespace: 'default', name: object.metadata.name }))
  })
  await p.run(8000)
  stop()
  t.equal(p.get('jobs.batch', 'sum').status.succeeded, 3)
  t.equal(p.pods().length, 0)
})

t.test('an Indexed Job gives each pod an index by annotation, label, hostname and environment', async t => {
  const p = plane(t)
  p.apply(job('grid', { completions: 3, parallelism: 3, completionMode: 'Indexed' }, takes('2s')))
  await p.run(1000)
  const name = 'batch.kubernetes.io/job-completion-index'
  const pods = p.pods().toSorted((one, other) => (one.spec.hostname! < other.spec.hostname! ? -1 : 1))
  t.strictSame(
    pods.map(pod => pod.metadata.annotations![name]),
    ['0', '1', '2']
  )
  t.strictSame(
    pods.map(pod => pod.metadata.labels![name]),
    ['0', '1', '2']
  )
  t.strictSame(
    pods.map(pod => pod.spec.hostname),
    ['grid-0', 'grid-1', 'grid-2']
  )
  t.match(pods[1]!.metadata.name, /^grid-1-.{5}$/)
  const fieldPath = `metadata.annotations['${name}']`
  t.match(pods[0]!.spec.containers[0]!.env, [{ name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath } } }])
  t.match(pods[0]!.metadata.labels, { 'batch.kubernetes.io/job-name': 'grid', 'job-name': 'grid' })
  await p.run(3000)
  t.match(p.get('jobs.batch', 'grid').status, { succeeded: 3, completedIndexes: '0-2' })
})

t.test('an index whose pod failed is run again', async t => {
  const p = plane(t, { timing: { jobBackoffMs: 100 } })
  p.apply(job('grid', { completions: 2, parallelism: 2, completionMode: 'Indexed' }))
  await p.run()
  const [first] = p.pods()
  const failing = { 'muster.dev/simulated-duration': '0.1', 'muster.dev/simulated-exit-code': '1' }
  p.api.patch(
    { resource: 'pods', namespace: 'default', name: first!.metadata.name },
    { metadata: { annotations: failing } }
  )
  await p.run(3000)
  const indexes = p
    .pods()
    .filter(pod => pod.status?.phase === 'Running')
    .map(pod => pod.spec.hostname)
  t.strictSame(indexes.toSorted(compare), ['grid-0', 'grid-1'])
  t.match(p.get('jobs.batch', 'grid').status, { failed: 1, active: 2 })
})

t.test('a Job whose pods keep failing is Failed after backoffLimit, with longer and longer pauses', async t => {
  const p = plane(t)
  p.apply(job('bad', { backoffLimit: 2 }, takes('1s', '3')))
  const created: number[] = []
  const stop = p.api.watch('pods', ({ type }) => type === 'ADDED' && created.push(Math.round(p.clock.now() / 1000)))
  await p.run(60_000)
  stop()
  t.strictSame(
    created.map((at, index) => at - (created[index - 1] ?? at)),
    [0, 11, 21],
    '1 s to run, then 10 s and 20 s'
  )
  const { status } = p.get('jobs.batch', 'bad')
  t.equal(status.failed, 3)
  t.strictSame(conditions({ status }), ['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded'])
})

t.test('a Job past activeDeadlineSeconds is Failed and its pods are stopped', async t => {
  const p = plane(t)
  p.apply(job('slow', { activeDeadlineSeconds: 3, parallelism: 2, completions: 2 }))
  await p.run(6000)
  t.ok(conditions(p.get('jobs.batch', 'slow')).includes('Failed DeadlineExceeded'))
  t.equal(p.pods().filter(pod => pod.status?.phase === 'Running').length, 0)
})

t.test('a suspended Job has no pods, and starts when it is resumed', async t => {
  const p = plane(t)
  p.apply(job('later', { suspend: true, completions: 2, parallelism: 2 }, takes('1s')))
  await p.run(2000)
  t.equal(p.pods().length, 0)
  t.strictSame(conditions(p.get('jobs.batch', 'later')), ['Suspended JobSuspended'])
  p.api.patch({ resource: 'jobs.batch', namespace: 'default', name: 'later' }, { spec: { suspend: false } })
  await p.run(4000)
  t.equal(p.get('jobs.batch', 'later').status.succeeded, 2)
})

t.test('a finished Job goes with its pods when its time to live has passed', async t => {
  const p = plane(t)
  p.apply(job('brief', { ttlSecondsAfterFinished: 5 }, takes('1s')))
  await p.run(4000)
  t.ok(p.get('jobs.batch', 'brief'))
  await p.run(6000)
  t.notOk(p.get('jobs.batch', 'brief'))
  t.equal(p.pods().length, 0)
})

t.test('a Job that is deleted lets go of its pods', async t => {
  const p = plane(t)
  p.apply(job('gone', { parallelism: 2, completions: 2 }))
  await p.run()
  p.api.delete({ resource: 'jobs.batch', namespace: 'default', name: 'gone' }, { propagationPolicy: 'Background' })
  await p.run(2000)
  t.equal(p.pods().length, 0)
})

t.test('completed indexes are written in ranges', async t => {
  for (const [text, indexes] of Object.entries({
    '': [],
    '0': [0],
    '0,1': [0, 1],
    '0-2,4': [0, 1, 2, 4],
    '1,3-5': [1, 3, 4, 5]
  })) {
    t.equal(formatIndexes(new Set(indexes)), text)
    t.strictSame(parseIndexes(text), indexes)
  }
})
