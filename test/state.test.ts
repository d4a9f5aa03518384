import * as fc from 'fast-check'
import t from 'tap'
import { nodeInfo, type Snapshot } from '../policies/snapshot.ts'
import type { Node, Pod } from '../policies/types.ts'
import { State } from '../extender/state.ts'
import { node, pod } from './builders.ts'

/** What the API and our own writes say, in the plainest form. */
class Model {
  readonly pods = new Map<string, Pod>()
  readonly nodes = new Map<string, Node>()
  readonly assumed = new Map<string, string>()

  /** Each node's allocatable, pods and use, made from scratch. */
  picture(): unknown {
    return [...this.nodes.values()].map(each => {
      const there = [...this.pods.values()].filter(
        one => this.nodeOf(one) === each.name && one.phase !== 'Succeeded' && one.phase !== 'Failed'
      )
      return pictureOf(nodeInfo(each, there))
    })
  }

  nodeOf(one: Pod): string | undefined {
    return one.nodeName ?? this.assumed.get(one.uid)
  }
}

const byKey = ([a]: readonly [string, number], [b]: readonly [string, number]): number => (a < b ? -1 : 1)
const pictureOf = ({ node, pods, used }: Snapshot['nodes'][number]): unknown => ({
  name: node.name,
  allocatable: [...node.allocatable].toSorted(byKey),
  unschedulable: node.unschedulable,
  pods: pods.map(one => one.uid).toSorted(),
  used: [...used].filter(([, amount]) => amount > 0).toSorted(byKey)
})
const byName = (picture: unknown): unknown[] =>
  (picture as { name: string }[]).toSorted((a, b) => (a.name < b.name ? -1 : 1))

const uids = ['a', 'b', 'c', 'd']
const names = ['m', 'n', 'o']
const phases = ['Pending', 'Running', 'Succeeded', 'Failed'] as const
const anyUid = fc.constantFrom(...uids)
const anyName = fc.constantFrom(...names)
const maybeName = fc.option(anyName, { nil: undefined })
const anyPod = fc
  .tuple(anyUid, fc.integer({ min: 0, max: 3 }), maybeName, maybeName, fc.constantFrom(...phases))
  .map(([uid, cpu, nodeName, nominatedNodeName, phase]) =>
    pod(uid)
      .cpu(cpu * 1000)
      .with({ nodeName, nominatedNodeName, phase })
      .obj()
  )
const anyNode = fc
  .tuple(anyName, fc.integer({ min: 1, max: 3 }), fc.boolean())
  .map(([name, cores, unschedulable]) => node(name).cpu(cores).with({ unschedulable }).obj())

type Step = (state: State, model: Model) => void
const unique = <T>(items: readonly T[], keyOf: (item: T) => string): T[] => [
  ...new Map(items.map(item => [keyOf(item), item])).values()
]

function setPod(model: Model, one: Pod): void {
  model.pods.set(one.uid, one)
  if (one.nodeName !== undefined || one.phase === 'Succeeded' || one.phase === 'Failed') model.assumed.delete(one.uid)
}
function removePod(model: Model, uid: string): void {
  model.pods.delete(uid)
  model.assumed.delete(uid)
}

const steps: fc.Arbitrary<Step>[] = [
  anyPod.map(one => (state, model) => {
    state.setPod(one)
    setPod(model, one)
  }),
  anyUid.map(name => (state, model) => {
    state.removePod(`ns/${name}`)
    removePod(model, `ns/${name}`)
  }),
  fc.array(anyPod, { maxLength: 4 }).map(list => (state, model) => {
    const pods = unique(list, one => one.uid)
    state.replacePods(pods)
    for (const uid of [...model.pods.keys()]) if (!pods.some(one => one.uid === uid)) removePod(model, uid)
    for (const one of pods) setPod(model, one)
  }),
  anyNode.map(one => (state, model) => {
    state.setNode(one)
    model.nodes.set(one.name, one)
  }),
  anyName.map(name => (state, model) => {
    state.removeNode(name)
    model.nodes.delete(name)
  }),
  fc.array(anyNode, { maxLength: 3 }).map(list => (state, model) => {
    const nodes = unique(list, one => one.name)
    state.replaceNodes(nodes)
    model.nodes.clear()
    for (const one of nodes) model.nodes.set(one.name, one)
  }),
  fc.tuple(anyUid, anyName).map(([name, on]) => (state, model) => {
    const known = model.pods.get(`ns/${name}`)
    state.assume(known ?? pod(name).obj(), on)
    if (known && known.nodeName === undefined) model.assumed.set(known.uid, on)
  }),
  anyUid.map(name => (state, model) => {
    state.forget(`ns/${name}`)
    model.assumed.delete(`ns/${name}`)
  })
]

t.test('S2.6 S3.52 however it came about, the snapshot is the one that would be made from scratch', async t => {
  fc.assert(
    fc.property(fc.array(fc.oneof(...steps), { maxLength: 40 }), list => {
      const state = new State()
      const model = new Model()
      for (const step of list) {
        step(state, model)
        const want = byName(model.picture())
        const got = byName(state.snapshot().nodes.map(pictureOf))
        if (JSON.stringify(got) !== JSON.stringify(want))
          throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(want)}`)
        for (const { node: on } of state.snapshot().nodes)
          if (state.node(on.name) !== state.snapshot().node(on.name)) throw new Error(`two infos of ${on.name}`)
      }
    }),
    { numRuns: 300, seed: 20_260_102 }
  )
  t.pass()
})

t.test('nominated are exactly the living pods without a node that are nominated for one', async t => {
  fc.assert(
    fc.property(fc.array(fc.oneof(...steps), { maxLength: 40 }), list => {
      const state = new State()
      const model = new Model()
      for (const step of list) step(state, model)
      const want = [...model.pods.values()].filter(
        one =>
          one.nominatedNodeName !== undefined &&
          model.nodeOf(one) === undefined &&
          one.phase !== 'Succeeded' &&
          one.phase !== 'Failed'
      )
      const got = [...state.nominated()].map(one => one.uid).toSorted()
      if (
        got.join() !==
        want
          .map(one => one.uid)
          .toSorted()
          .join()
      )
        throw new Error(`${got.join()} instead of ${want.map(one => one.uid).join()}`)
    }),
    { numRuns: 300, seed: 20_260_102 }
  )
  t.pass()
})

t.test('who listens hears each change once', async t => {
  const state = new State()
  const heard: string[] = []
  state.subscribe({
    podChanged: ({ before, after }) => heard.push(`pod ${before ? 'from' : ''}${after ? 'to' : ''}`),
    nodeChanged: name => heard.push(`node ${name}`),
    controllerChanged: uid => heard.push(`controller ${uid}`)
  })
  const said = (what: () => void): string[] => {
    heard.length = 0
    what()
    return [...heard]
  }
  const first = pod('a').obj()
  const cases: Record<string, [() => void, string[]]> = {
    'a new pod': [() => state.setPod(first), ['pod to']],
    'the same object again': [() => state.setPod(first), []],
    'a changed pod': [() => state.setPod(pod('a').nominated('n').obj()), ['pod fromto']],
    'an unknown pod goes': [() => state.removePod('ns/b'), []],
    'the pod goes': [() => state.removePod('ns/a'), ['pod from']],
    'a new node': [() => state.setNode(node('n').obj()), ['node n']],
    'a heartbeat': [() => state.setNode(node('n').obj()), []],
    'a cordon': [() => state.setNode(node('n').cordoned().obj()), ['node n']],
    'a taint': [() => state.setNode(node('n').cordoned().taint('x').obj()), ['node n']],
    'not ready': [() => state.setNode(node('n').cordoned().taint('x').notReady().obj()), ['node n']],
    'a smaller node': [() => state.setNode(node('n').cordoned().taint('x').notReady().cpu(1).obj()), ['node n']],
    'the node goes': [() => state.removeNode('n'), ['node n']],
    'an unknown node goes': [() => state.removeNode('n'), []],
    'a controller': [() => state.facts.setController({ uid: 'c', size: 3 }), ['controller c']],
    'the same size': [() => state.facts.setController({ uid: 'c', size: 3 }), []],
    'another size': [() => state.facts.setController({ uid: 'c', size: 4 }), ['controller c']],
    'an unknown pod is assumed': [() => state.assume(first, 'n'), []]
  }
  for (const [name, [what, want]] of Object.entries(cases)) t.strictSame(said(what), want, name)
})

t.test('the snapshot stays the same object until something changes', async t => {
  const state = new State()
  state.setNode(node('n').obj())
  const before = state.snapshot()
  state.setPod(pod('a').obj())
  state.setNode(node('n').obj())
  t.equal(state.snapshot(), before, 'a pod without a node and a heartbeat change nothing')
  state.assume(pod('a').obj(), 'n')
  t.not(state.snapshot(), before)
})
