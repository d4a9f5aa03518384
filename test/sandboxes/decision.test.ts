import { toBinary, toJsonString } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import t from 'tap'
import { SandboxSchema } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { sandboxOf } from '../../extender/sandboxes/scheduler/answer.ts'
import type { Claim, Ended } from '../../extender/sandboxes/scheduler/claim.ts'
import { claimOf, serviceOf } from '../../extender/sandboxes/scheduler/claim.ts'
import { decide, type View } from '../../extender/sandboxes/scheduler/decision.ts'
import { type PodFacts, podFactsOf } from '../../extender/sandboxes/scheduler/pod-facts.ts'

const settings = { startTimeoutMs: 120_000 }
const spec = {
  ...{ ttlMs: 60_000, idleTimeoutMs: 0, maxLifetimeMs: 3_600_000, template: 'default', priority: 0 },
  ...{ env: {}, gang: undefined }
}
const draft = {
  ...{ id: 'sbx-1', tenant: 'default', projectId: 'p1', fingerprint: 'f', keyHash: '', keyUntil: 0 },
  ...{ createdAt: 1_000_000, spec, port: 80, traceparent: '' }
}
const launched = { way: 'COLD', reason: '' } as const
const claim: Claim = {
  ...draft,
  ...{ uid: 'u1', version: '1', expiresAt: 1_060_000, usedAt: 1_000_000, retainCount: 0, leaving: false },
  ...{ pod: { name: 'sbx-1-u1', uid: 'pod1' }, launched, ended: undefined, finalizers: [] }
}
const pod: PodFacts = {
  ...{ name: 'sbx-1-u1', uid: 'pod1', version: '1', id: 'sbx-1', owner: 'u1', node: 'n', ip: '10.0.0.1' },
  ...{ readyAt: 1_005_000, leaving: false, failure: undefined, pastDeadline: false, obstacle: undefined },
  launched
}
const ready: View = { claim, pod, last: pod, strays: [], listed: true, mine: false, now: 1_010_000 }
const starting: View = { ...ready, pod: { ...pod, readyAt: undefined }, last: undefined }
const ended: Ended = { reason: 'RELEASED', at: 1_020_000 }

t.test('what is due, from what is there', async t => {
  const idle = { ...claim, spec: { ...spec, idleTimeoutMs: 10_000 } }
  const young = { ...claim, pod: undefined }
  const table: Record<string, [View, object]> = {
    'ready: its deadline is next': [ready, { what: 'wait', until: 1_060_000 }],
    'a moment before the deadline it lives': [{ ...ready, now: 1_059_999 }, { what: 'wait' }],
    'at the deadline it is over': [
      { ...ready, now: 1_060_000 },
      { what: 'end', ended: { reason: 'EXPIRED' } }
    ],
    'the longest life is a deadline, whatever was retained': [
      { ...ready, claim: { ...claim, expiresAt: 9_999_999_999 }, now: 4_600_000 },
      { what: 'end', ended: { reason: 'EXPIRED' } }
    ],
    'it idles from when it was ready': [
      { ...ready, claim: idle, now: 1_014_999 },
      { what: 'wait', until: 1_015_000 }
    ],
    'it idles from its last use': [
      { ...ready, claim: { ...idle, usedAt: 1_012_000 }, now: 1_015_000 },
      { what: 'wait', until: 1_022_000 }
    ],
    'at the end of its idle time it is over': [
      { ...ready, claim: idle, now: 1_015_000 },
      { what: 'end', ended: { reason: 'EXPIRED' } }
    ],
    'who starts does not idle': [
      { ...starting, claim: idle, now: 1_050_000 },
      { what: 'wait', until: 1_060_000 }
    ],
    'ended for its age by the kubelet: expired': [
      { ...ready, pod: { ...pod, pastDeadline: true } },
      { what: 'end', ended: { reason: 'EXPIRED' } }
    ],
    'who claimed it has a moment to make its pod': [
      { ...ready, claim: young, pod: undefined, now: 1_001_000 },
      { what: 'wait', until: 1_002_000 }
    ],
    'after that anybody makes it': [{ ...ready, claim: young, pod: undefined, now: 1_002_000 }, { what: 'launch' }],
    'unless it is not known yet which pods there are': [
      { ...ready, claim: young, pod: undefined, listed: false, now: 1_002_000 },
      { what: 'wait', until: 1_060_000 }
    ],
    'a pod that was taken back before it was recorded is nobody’s end': [
      { ...ready, claim: young, pod: { ...pod, failure: { code: 'EVICTED', message: 'm' } }, now: 1_001_000 },
      { what: 'wait', until: 1_002_000 }
    ],
    'a second pod': [
      { ...ready, strays: [{ ...pod, uid: 'pod2' }] },
      { what: 'tidy', strays: [{ uid: 'pod2' }] }
    ],
    'late, and nobody could make a pod': [
      { ...ready, claim: { ...young, expiresAt: 9_000_000 }, pod: undefined, now: 1_120_000 },
      { what: 'end', ended: { failure: { code: 'START_TIMEOUT', message: 'no pod was made for it within 120 s' } } }
    ],
    'a recorded pod that is gone': [
      { ...ready, pod: undefined },
      { what: 'end', ended: { reason: 'FAILED', failure: { code: 'DELETED_EXTERNALLY' }, readyAt: 1_005_000 } }
    ],
    'gone is only what was listed': [{ ...ready, pod: undefined, listed: false }, { what: 'wait' }],
    'how it went is remembered from the last that was seen': [
      { ...ready, pod: undefined, last: { ...pod, failure: { code: 'EVICTED', message: 'm' } } },
      { what: 'end', ended: { failure: { code: 'EVICTED', message: 'm' } } }
    ],
    'late, and nobody says why': [
      { ...starting, claim: { ...claim, expiresAt: 9_000_000 }, now: 1_120_000 },
      { what: 'end', ended: { failure: { code: 'START_TIMEOUT', message: 'it was not ready within 120 s' } } }
    ],
    'who was ready once is not late': [
      { ...starting, last: pod, claim: { ...claim, expiresAt: 9_000_000 }, now: 1_130_000 },
      { what: 'wait', until: 4_600_000 }
    ],
    'a claim that somebody deletes': [
      { ...ready, claim: { ...claim, leaving: true } },
      { what: 'end', ended: { reason: 'FAILED', failure: { code: 'DELETED_EXTERNALLY' } } }
    ],
    'ended by us': [{ ...ready, claim: { ...claim, ended }, mine: true, now: 1_020_000 }, { what: 'finish' }],
    'ended by another, who clears up': [
      { ...ready, claim: { ...claim, ended }, now: 1_021_000 },
      { what: 'wait', until: 1_025_000 }
    ],
    'ended by another, who did not': [{ ...ready, claim: { ...claim, ended }, now: 1_025_000 }, { what: 'finish' }]
  }
  for (const [name, [view, want]] of Object.entries(table)) t.match(decide(view, settings), want, name)
})

t.test('what is written of a claim is what is read', async t => {
  const gang = { name: 'g', minMember: 3 }
  const full = { ...draft, traceparent: 'tp', keyHash: 'kh', keyUntil: 5, spec: { ...spec, gang, env: { A: 'b' } } }
  const service = serviceOf(full, true)
  const stored = { ...service, metadata: { ...(service['metadata'] as object), uid: 'u1', resourceVersion: '7' } }
  const { expiresAt, usedAt, retainCount, pod: noPod, ended: alive, ...rest } = claimOf(stored)!
  const added = { uid: 'u1', version: '7', leaving: false, finalizers: ['sandbox.muster.dev/terminated'] }
  t.strictSame(rest, { ...full, ...added, launched })
  t.strictSame([expiresAt, usedAt, retainCount, noPod, alive], [1_060_000, 1_000_000, 0, undefined, undefined])
})

t.test('whatever somebody writes into a Service or a pod, it is told of without a stumble', async () => {
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.integer(),
    fc.double(),
    fc.constantFrom('9999-12-31T23:59:59Z', '-1', { code: 'constructor' }, { code: '1' })
  )
  const note = fc.oneof(
    odd,
    odd.map(value => JSON.stringify(value)),
    fc.constant('2026-01-01T00:00:00Z')
  )
  const json = (...fields: readonly string[]) =>
    fc
      .record(Object.fromEntries(fields.map(field => [field, odd])), { requiredKeys: [] })
      .map(each => JSON.stringify(each))
  const annotations = fc.record(
    {
      'sandbox.muster.dev/fingerprint': fc.constant('f'),
      'sandbox.muster.dev/created-at': fc.constantFrom('2026-01-01T00:00:00Z', '9899-01-01T00:00:00Z'),
      'sandbox.muster.dev/expires-at': note,
      'sandbox.muster.dev/used-at': note,
      'sandbox.muster.dev/retain-count': note,
      'sandbox.muster.dev/pod': json('name', 'uid'),
      'sandbox.muster.dev/request': json(
        'tenant',
        'ttlMs',
        'idleTimeoutMs',
        'maxLifetimeMs',
        'env',
        'priority',
        'gang'
      ),
      'sandbox.muster.dev/terminated-reason': fc.oneof(note, fc.constantFrom('1', 'toString', 'FAILED')),
      'sandbox.muster.dev/terminated': json('at', 'failure', 'readyAt', 'node', 'podIp')
    },
    { requiredKeys: ['sandbox.muster.dev/fingerprint', 'sandbox.muster.dev/created-at'] }
  )
  const place = { cluster: 'c', namespace: 'n' }
  const tells = fc.property(annotations, fc.dictionary(fc.string(), odd), odd, (notes, status, ports) => {
    const read = claimOf({ metadata: { name: 'sbx-1', uid: 'u', annotations: notes }, spec: { ports } })!
    const labels = { 'sandbox.muster.dev/id': 'sbx-1' }
    const facts = podFactsOf({ metadata: { name: 'p', uid: 'u', labels }, status })
    const sandbox = sandboxOf(read, facts, place)
    toBinary(SandboxSchema, sandbox)
    toJsonString(SandboxSchema, sandbox)
    decide({ claim: read, pod: facts, last: facts, strays: [], listed: true, mine: true, now: 1 }, settings)
  })
  fc.assert(tells, { numRuns: 500 })
})

t.test('Services that are no claims, or that somebody has spoilt', async t => {
  const annotations = { 'sandbox.muster.dev/fingerprint': 'f', 'sandbox.muster.dev/created-at': '2026-01-01T00:00:00Z' }
  const metadata = { name: 'a', uid: 'u' }
  t.equal(claimOf({}), undefined)
  t.equal(claimOf({ metadata: { ...metadata, annotations: [] } }), undefined)
  const spoilt = {
    'sandbox.muster.dev/request': '{',
    'sandbox.muster.dev/pod': '7',
    'sandbox.muster.dev/retain-count': 'x'
  }
  t.match(claimOf({ metadata: { ...metadata, annotations: { ...annotations, ...spoilt } } }), {
    ...{ tenant: 'default', retainCount: 0, pod: undefined },
    spec: { ttlMs: 0, template: 'default' }
  })
})

/** Statuses of pods. */
const terminated = (state: object) => ({ containerStatuses: [{ state: { terminated: state } }] })
const waiting = (reason: string) => ({ containerStatuses: [{ state: { waiting: { reason, message: reason } } }] })
const disrupted = (reason: string) => ({ conditions: [{ type: 'DisruptionTarget', status: 'True', reason }] })

t.test('S0.18 why a pod has failed, from what Kubernetes writes on it', async t => {
  const table: Record<string, [object, string | undefined]> = {
    'it runs': [{ phase: 'Running' }, undefined],
    'its process ended': [terminated({ exitCode: 1 }), 'CRASHED'],
    'its process ended well, which no sandbox does': [terminated({ exitCode: 0 }), 'CRASHED'],
    'out of memory': [terminated({ exitCode: 137, reason: 'OOMKilled' }), 'OOM_KILLED'],
    'failed, nobody says how': [{ phase: 'Failed' }, 'CRASHED'],
    'for its age': [{ phase: 'Failed', reason: 'DeadlineExceeded' }, undefined],
    'pushed out by the kubelet': [{ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }, 'EVICTED'],
    evicted: [{ ...disrupted('EvictionByEvictionAPI'), ...terminated({ exitCode: 143 }) }, 'EVICTED'],
    preempted: [disrupted('PreemptionByScheduler'), 'PREEMPTED'],
    'its node is gone': [disrupted('DeletionByTaintManager'), 'NODE_LOST'],
    'its node shuts down': [{ phase: 'Failed', reason: 'NodeShutdown' }, 'NODE_LOST'],
    'its image is nowhere': [waiting('ImagePullBackOff'), 'IMAGE_PULL'],
    'its image has no name': [waiting('InvalidImageName'), 'IMAGE_PULL'],
    'a pull that failed once may still come': [waiting('ErrImagePull'), undefined],
    'its container cannot be made': [waiting('CreateContainerConfigError'), 'CRASHED'],
    'the kubelet did not take it': [{ phase: 'Failed', reason: 'OutOfcpu' }, 'UNSCHEDULABLE']
  }
  const metadata = { name: 'p', uid: 'u', labels: { 'sandbox.muster.dev/id': 'sbx-1' } }
  for (const [name, [status, code]] of Object.entries(table))
    t.equal(podFactsOf({ metadata, status })?.failure?.code, code, name)
  const leaving = { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }
  t.equal(podFactsOf({ metadata: leaving, status: {} })?.failure?.code, 'DELETED_EXTERNALLY')
  const unplaced = { conditions: [{ type: 'PodScheduled', status: 'False', message: 'no nodes' }] }
  t.match(podFactsOf({ metadata, status: unplaced }), { failure: undefined, obstacle: { code: 'UNSCHEDULABLE' } })
})
