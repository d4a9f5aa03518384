import t from 'tap'
import { History } from './history.ts'
import type { Pod } from './objects.ts'

/** What one watch event shows of member `pod` of a gang of two. */
interface Seen {
  readonly at: number
  readonly pod: string
  readonly node?: string
  readonly nominated?: string
  readonly deleted?: boolean
}

function history(events: readonly Seen[]): History {
  const record = new History()
  for (const { at, pod, node = '', nominated = '', deleted = false } of events) {
    const object: Pod = {
      metadata: {
        name: pod,
        namespace: 'ns',
        uid: pod,
        resourceVersion: String(at),
        creationTimestamp: '',
        annotations: { 'muster.dev/gang': 'g', 'muster.dev/min-member': '2' }
      },
      spec: { nodeName: node },
      status: { phase: 'Pending', nominatedNodeName: nominated }
    }
    record.record({ type: deleted ? 'DELETED' : 'MODIFIED', object, at })
  }
  return record
}

const partial: Record<string, { events: readonly Seen[]; want: number }> = {
  'nobody bound': { events: [{ at: 1, pod: 'a' }], want: 0 },
  'one of two bound, and never the other': { events: [{ at: 10, pod: 'a', node: 'n' }], want: 90 },
  'the second follows': {
    events: [
      { at: 10, pod: 'a', node: 'n' },
      { at: 25, pod: 'b', node: 'm' }
    ],
    want: 15
  },
  'the first is deleted again': {
    events: [
      { at: 10, pod: 'a', node: 'n' },
      { at: 30, pod: 'a', node: 'n', deleted: true }
    ],
    want: 20
  },
  'a whole gang that loses a member is no partial gang': {
    events: [
      { at: 10, pod: 'a', node: 'n' },
      { at: 11, pod: 'b', node: 'm' },
      { at: 12, pod: 'b', node: 'm', deleted: true }
    ],
    want: 1
  }
}
for (const [name, { events, want }] of Object.entries(partial)) {
  t.test(`longest time in part: ${name}`, async t => {
    t.equal(history(events).longestPartial(100).get('ns/g'), want)
  })
}

const erased: Record<string, { events: readonly Seen[]; want: number }> = {
  'kept until bound': {
    events: [
      { at: 1, pod: 'a', nominated: 'n' },
      { at: 2, pod: 'a', node: 'n' }
    ],
    want: 0
  },
  'erased and written again': {
    events: [
      { at: 1, pod: 'a', nominated: 'n' },
      { at: 2, pod: 'a' },
      { at: 3, pod: 'a', nominated: 'n' }
    ],
    want: 1
  },
  'gone with the pod': {
    events: [
      { at: 1, pod: 'a', nominated: 'n' },
      { at: 2, pod: 'a', deleted: true }
    ],
    want: 0
  }
}
for (const [name, { events, want }] of Object.entries(erased)) {
  t.test(`erased nominations: ${name}`, async t => {
    t.equal(history(events).erasedNominations(), want)
  })
}

t.test('a pod that changes its node is bound twice', async t => {
  const events = [
    { at: 1, pod: 'a', node: 'n' },
    { at: 2, pod: 'b', node: 'n' },
    { at: 3, pod: 'a', node: 'm' }
  ]
  t.strictSame(history(events).boundTwice(), ['ns/a'])
})
