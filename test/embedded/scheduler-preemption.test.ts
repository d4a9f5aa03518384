import t from 'tap'
import type { Answer, Call } from './fake-extender.ts'
import { type Bench, bench, type BenchPod, entry, fakeExtender } from './scheduler-bench.ts'

const claims = 'no new claims to deallocate, preemption: 0/'
const said = (nodes: number, filters: string, preemption: string) =>
  `Unschedulable: 0/${nodes} nodes are available: ${filters}. ${preemption}`

/** Two full nodes of one cpu: a has two cheap small pods, b one dear large one. */
function full(b: Bench): void {
  b.node('a', { cpu: '1' })
  b.node('b', { cpu: '1' })
  b.bound('a-1', 'a', { cpu: '500m', priority: 1 })
  b.bound('a-2', 'a', { cpu: '500m', priority: 1 })
  b.bound('b-1', 'b', { cpu: '1', priority: 5 })
}

const gone = (b: Bench) =>
  ['a-1', 'a-2', 'b-1'].filter(name => b.get(name)?.metadata.deletionTimestamp !== undefined || !b.get(name))

type Case = {
  pod?: BenchPod
  budgets?: object[]
  /** Answers of the preempt verb, from the uids of pods by name. */
  preempt?: (uid: (name: string) => string, call: Call) => Answer
  config?: object
  want: { node?: string; evicted?: string[]; said?: string; candidates?: string[][] }
}

const budget = (name: string, allowed: number) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace: 'default' },
  spec: { selector: { matchLabels: { name } } },
  status: { disruptionsAllowed: allowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 }
})
const meta = (nodes: Record<string, string[]>, violations = 0) => ({
  NodeNameToMetaVictims: Object.fromEntries(
    Object.entries(nodes).map(([node, uids]) => [
      node,
      { Pods: uids.map(UID => ({ UID })), NumPDBViolations: violations }
    ])
  )
})

const cases: Record<string, Case> = {
  'the node with the least important victims': {
    pod: { priority: 9, cpu: '1' },
    want: { node: 'a', evicted: ['a-1', 'a-2'], said: said(2, '2 Insufficient cpu', '').trimEnd() }
  },
  'no more victims than needed': {
    pod: { priority: 9, cpu: '500m' },
    want: { node: 'a', evicted: ['a-2'] }
  },
  'never an equal': {
    pod: { priority: 1, cpu: '1' },
    want: {
      evicted: [],
      said: said(
        2,
        '2 Insufficient cpu',
        `${claims}2 nodes are available: 2 No preemption victims found for incoming pod.`
      )
    }
  },
  'never for a pod that may not': {
    pod: { priority: 9, cpu: '1', never: true },
    want: {
      evicted: [],
      said: said(
        2,
        '2 Insufficient cpu',
        'no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.'
      )
    }
  },
  'not where the pod would not fit even then': {
    pod: { priority: 9, cpu: '2' },
    want: {
      evicted: [],
      said: said(2, '2 Insufficient cpu', `${claims}2 nodes are available: 2 Preemption is not helpful for scheduling.`)
    }
  },
  'the extender hears of every candidate and its victims': {
    pod: { priority: 9, cpu: '1' },
    preempt: (_, { body }) => ({ NodeNameToMetaVictims: body.NodeNameToMetaVictims }),
    want: {
      candidates: [
        ['a', 'a-1', 'a-2'],
        ['b', 'b-1']
      ],
      node: 'a',
      evicted: ['a-1', 'a-2']
    }
  },
  'the extender narrows': {
    pod: { priority: 9, cpu: '1' },
    preempt: uid => meta({ b: [uid('b-1')] }),
    want: { node: 'b', evicted: ['b-1'] }
  },
  'the extender chooses other victims': {
    pod: { priority: 9, cpu: '500m' },
    preempt: uid => meta({ a: [uid('a-1')] }),
    want: { node: 'a', evicted: ['a-1'] }
  },
  'violations as the extender counts them come first': {
    pod: { priority: 9, cpu: '1' },
    preempt: uid => ({
      NodeNameToMetaVictims: {
        ...meta({ a: [uid('a-1')] }, 1).NodeNameToMetaVictims,
        ...meta({ b: [uid('b-1')] }).NodeNameToMetaVictims
      }
    }),
    want: { node: 'b', evicted: ['b-1'] }
  },
  'an empty answer is a veto': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => meta({}),
    want: {
      evicted: [],
      said: said(2, '2 Insufficient cpu', 'no new claims to deallocate, preemption: no candidate node for preemption')
    }
  },
  'null is a veto as well': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => ({ NodeNameToMetaVictims: null }),
    want: {
      evicted: [],
      said: said(2, '2 Insufficient cpu', 'no new claims to deallocate, preemption: no candidate node for preemption')
    }
  },
  'null victims, which kube-scheduler would not survive': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => ({ NodeNameToMetaVictims: { a: null } }),
    want: {
      evicted: [],
      said: said(2, '2 Insufficient cpu', 'preemption: null victims for node a: kube-scheduler would panic')
    }
  },
  'a node without victims fails the call': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => meta({ a: [] }),
    want: {
      evicted: [],
      said: said(2, '2 Insufficient cpu', 'preemption: expected at least one victim pod on node "a"')
    }
  },
  'a victim that is not there fails the call': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => meta({ a: ['who'] }),
    want: {
      evicted: [],
      said: said(
        2,
        '2 Insufficient cpu',
        'preemption: extender: URL claims to preempt pod (UID: who) on node: a, but the pod is not found on that node'
      )
    }
  },
  'an unknown node fails the call': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => meta({ c: ['who'] }),
    want: { evicted: [], said: said(2, '2 Insufficient cpu', 'preemption: nodeinfo not found for node name "c"') }
  },
  'a broken extender stops it': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => 500,
    want: {
      evicted: [],
      said: said(2, '2 Insufficient cpu', 'preemption: failed preempt with extender at URL URL/preempt, code 500')
    }
  },
  'an ignorable one does not': {
    pod: { priority: 9, cpu: '1' },
    preempt: () => 500,
    config: { ignorable: true },
    want: { node: 'a', evicted: ['a-1', 'a-2'] }
  },
  'an ignorable one loses the nodes where it names nobody': {
    pod: { priority: 9, cpu: '1' },
    preempt: uid => meta({ a: [], b: [uid('b-1')] }),
    config: { ignorable: true },
    want: { node: 'b', evicted: ['b-1'] }
  }
}

t.test('preemption:', async t => {
  for (const [name, { pod = {}, preempt, config = {}, want }] of Object.entries(cases)) {
    t.test(name, async t => {
      const x = await fakeExtender(t, preempt ? { preempt: call => preempt(name => b.uid(name), call) } : {})
      const b = bench(t, {
        extenders: preempt ? [entry(x, { filterVerb: '', preemptVerb: 'preempt', ...config })] : []
      })
      full(b)
      for (const name of ['a-1', 'a-2', 'b-1']) b.patch(name, { metadata: { finalizers: ['test/slow'] } })
      const names = new Map(['a-1', 'a-2', 'b-1'].map(name => [b.uid(name), name]))
      const uidOfP = b.pod('p', pod).metadata.uid
      await b.until('decided', () => b.said('p') !== '')
      t.strictSame(gone(b), want.evicted ?? [])
      if (want.said) t.equal(b.said('p').replaceAll(x.url, 'URL'), want.said)
      t.equal(b.nominated('p'), want.node)
      if (want.candidates) {
        const { NodeNameToMetaVictims: asked, NodeNameToVictims: whole } = x.calls[0]?.body ?? {}
        const lines = Object.entries(asked ?? {}).map(([node, { Pods }]) => [
          node,
          ...Pods.map(({ UID }) => names.get(UID))
        ])
        t.strictSame([lines.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)), whole], [want.candidates, null])
      }
      if (!want.node) return
      const preempted = b.events().filter(([, reason]) => reason === 'Preempted')
      const message = `Preempted by pod ${uidOfP} on node ${want.node}`
      t.strictSame(
        preempted,
        want.evicted?.map(() => ['Normal', 'Preempted', message])
      )
    })
  }
})

t.test('the preemptor waits for its victims, keeps its room from lesser pods, and then goes', async t => {
  const b = bench(t)
  full(b)
  for (const name of ['a-1', 'a-2']) b.patch(name, { metadata: { finalizers: ['test/slow'] } })
  b.pod('p', { priority: 9, cpu: '1' })
  await b.until('nominated', () => b.nominated('p') === 'a')
  t.strictSame(gone(b), ['a-1', 'a-2'])
  const conditions = b.get('a-1')?.status.conditions?.filter(each => each.type === 'DisruptionTarget')
  t.match(conditions, [
    {
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'muster: preempting to accommodate a higher priority pod'
    }
  ])
  b.pod('lesser', { priority: 0, cpu: '1' })
  b.patch('a-1', { metadata: { finalizers: null } })
  await b.quiet()
  t.strictSame([b.nodeOf('p'), b.nodeOf('lesser')], [undefined, undefined], 'one victim is still there')
  t.strictSame(gone(b), ['a-1', 'a-2'], 'and nobody else was evicted')
  b.patch('a-2', { metadata: { finalizers: null } })
  await b.until('p has its room', () => b.nodeOf('p') === 'a')
  t.equal(b.nodeOf('lesser'), undefined)
})

t.test('a budget is broken only where nothing else helps', async t => {
  const table = {
    'the node whose victims are free': { budgets: ['a'], want: 'b' },
    'all are protected: the least important': { budgets: ['a', 'b'], want: 'a' }
  }
  for (const [name, { budgets, want }] of Object.entries(table)) {
    t.test(name, async t => {
      const b = bench(t)
      for (const node of ['a', 'b']) {
        b.node(node, { cpu: '1' })
        b.bound(`${node}-1`, node, { cpu: '1', priority: node === 'a' ? 1 : 5, labels: { name: node } })
        b.patch(`${node}-1`, { metadata: { finalizers: ['test/slow'] } })
      }
      for (const each of budgets) {
        b.api.create('poddisruptionbudgets.policy', budget(each, 0))
        const reference = { resource: 'poddisruptionbudgets.policy', namespace: 'default', name: each }
        b.api.patch(reference, { status: budget(each, 0).status }, { type: 'merge', subresource: 'status' })
      }
      b.pod('p', { priority: 9, cpu: '1' })
      await b.until('nominated', () => b.nominated('p') !== undefined)
      t.equal(b.nominated('p'), want)
    })
  }
})

t.test('what only an extender refuses cannot be preempted: an error that names the node', async t => {
  const x = await fakeExtender(t, { filter: () => ({ NodeNames: [], FailedNodes: { a: 'no' } }) })
  const b = bench(t, { extenders: [entry(x)] })
  b.node('a')
  b.bound('low', 'a', { priority: 1 })
  b.pod('p', { priority: 9 })
  await b.until('decided', () => b.said('p') !== '')
  t.equal(
    b.said('p'),
    'Unschedulable: 0/1 nodes are available: 1 no. preemption: expected at least one victim pod on node "a"'
  )
})

t.test('the dry run counts who is nominated there', async t => {
  const b = bench(t)
  b.node('a', { cpu: '1' })
  b.bound('low', 'a', { cpu: '1', priority: 1 })
  b.pod('nominee', { priority: 9, cpu: '1', gates: ['wait'] })
  b.patch('nominee', { status: { nominatedNodeName: 'a' } }, 'status')
  b.pod('p', { priority: 9, cpu: '1' })
  await b.until('decided', () => b.said('p') !== '')
  t.strictSame([gone(b).includes('low'), b.nominated('p')], [false, undefined])
})
