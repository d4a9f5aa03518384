import t from 'tap'
import type { ApiCall } from './api-proxy.ts'
import type { VerbCall } from './extender-proxy.ts'
import { History, unaskedBindings } from './history.ts'
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

t.test('a node that held more pods at a time than it takes is found', async t => {
  const events = [
    { at: 1, pod: 'a', node: 'n' },
    { at: 2, pod: 'b', node: 'm' },
    { at: 3, pod: 'a', node: 'n', deleted: true },
    { at: 4, pod: 'c', node: 'n' }
  ]
  t.strictSame(history(events).crowded(1), [])
  t.strictSame(history([...events, { at: 5, pod: 'd', node: 'n' }]).crowded(1), ['n'])
})

t.test('gangs that are in part, that were whole, that lost a member', async t => {
  const begun = [
    { at: 1, pod: 'a' },
    { at: 2, pod: 'a', node: 'n' }
  ]
  const whole = [...begun, { at: 3, pod: 'b', node: 'm' }]
  t.strictSame([history(begun).inPart(), history(begun).tally()], [['ns/g'], { seen: 1, whole: 0 }])
  t.strictSame([history(whole).inPart(), history(whole).tally()], [[], { seen: 1, whole: 1 }])
  t.strictSame([...history(whole).disturbed()], [])
  t.strictSame([...history([...begun, { at: 3, pod: 'b', deleted: true }]).disturbed()], ['ns/g'])
})

const binding = (at: number, pod: string): ApiCall => {
  const path = `/api/v1/namespaces/ns/pods/${pod}/binding`
  return { at, method: 'POST', path, body: '{}', status: 201 }
}

t.test('a Binding that nobody asked for, or no more, is found', async t => {
  const asked = [{ at: 1_000, verb: 'bind', pod: 'ns/a' }] as unknown as readonly VerbCall[]
  const patch = { ...binding(1, 'b'), method: 'PATCH' }
  t.strictSame(unaskedBindings(asked, [binding(1_500, 'a'), patch], 1_000), [])
  t.strictSame(unaskedBindings(asked, [binding(2_500, 'a'), binding(500, 'a'), binding(1_500, 'b')], 1_000), [
    'ns/a',
    'ns/a',
    'ns/b'
  ])
})
