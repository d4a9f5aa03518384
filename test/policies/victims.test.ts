import t from 'tap'
import type { Body, Budget, Worth } from '../../policies/bodies.ts'
import type { FilterPlugin } from '../../policies/framework.ts'
import { customScheduler, muster } from '../../policies/index.ts'
import { type VictimRequest, victims } from '../../policies/victims.ts'
import { node, type NodeBuilder, nodes, type PodBuilder, pod, pods, snapshot } from '../builders.ts'

/** A pod on a node by cores, `n-0: 4` and the like, and what it is worth. */
const on = (name: string, at: string, cores = 4) =>
  pod(name)
    .cpu(cores * 1000)
    .on(at)

type Worths = Partial<Worth> & { readonly by?: Readonly<Record<string, Partial<Worth>>> }
function body(key: string, all: readonly PodBuilder[], worths: Worths = {}, surplus: readonly string[] = []): Body {
  const standing = all.map(each => each.obj())
  const worthOf = (name: string): Worth => ({ priority: 0, lostWork: 10, ...worths, ...worths.by?.[name] })
  return {
    key,
    pods: standing,
    surplus: surplus.flatMap(name => standing.find(each => each.name === name) ?? []),
    whole: true,
    worth: new Map(standing.map(({ uid, name }) => [uid, worthOf(name)]))
  }
}
const single = (one: PodBuilder, worth: Partial<Worth> = {}) => body(one.obj().uid, [one], worth)
const budget = (allowed: number, ...names: string[]): Budget => ({
  uids: new Set(names.map(name => `ns/${name}`)),
  allowed
})

type Case = {
  readonly nodes: readonly NodeBuilder[]
  readonly bodies: readonly Body[]
  readonly gang: readonly PodBuilder[]
  /** Pods that stay. */
  readonly others?: readonly PodBuilder[]
  readonly rest?: Partial<VictimRequest>
  readonly profile?: typeof muster
  readonly want: string | Readonly<Record<string, string>>
}

function shown({ nodes, bodies, gang, others = [], rest, profile = muster }: Case) {
  const standing = bodies.flatMap(each => each.pods).map(one => ({ node: one.nodeName ?? '', pod: one }))
  const members = gang.map(each => each.priority(9).obj())
  const request = { pods: members, need: members.length, refused: new Map(), bodies, budgets: [], ...rest }
  const answer = victims(snapshot(nodes, others).with(standing), request, profile)
  if (answer.outcome !== 'evict') return answer.message.replace(/^.*; /, '')
  return { nodes: Object.fromEntries(answer.nodes), victims: answer.victims.map(each => each.pod.name).join() }
}

/** A member that takes a node with four cores for itself, and one that takes a core. */
const whole = (name: string) => pod(name).cpu(4000)
const core = (name: string) => pod(name).cpu(1000)
const two = nodes(2)
const three = nodes(3)

/** `want`: who goes. */
const cases: Record<string, Case> = {
  'nobody goes where there is room': {
    nodes: two,
    bodies: [single(on('a', 'n-0'))],
    gang: [whole('m')],
    want: ''
  },
  'S3.55 the lowest priority goes first, whatever its work': {
    nodes: two,
    bodies: [
      single(on('a', 'n-0'), { priority: 1, lostWork: 0 }),
      single(on('b', 'n-1'), { priority: 0, lostWork: 999 })
    ],
    gang: [whole('m')],
    want: 'b'
  },
  'many of low priority go before one of higher': {
    nodes: two,
    bodies: [
      single(on('a', 'n-0'), { priority: 1 }),
      ...pods(4, 'b', one => one.cpu(1000).on('n-1')).map(each => single(each))
    ],
    gang: [whole('m')],
    want: 'b-0,b-1,b-2,b-3'
  },
  'of equals the one that loses less work goes': {
    nodes: two,
    bodies: [single(on('a', 'n-0'), { lostWork: 11 }), single(on('b', 'n-1'))],
    gang: [whole('m')],
    want: 'b'
  },
  'of equal work the smaller number goes': {
    nodes: two,
    bodies: [
      single(on('a', 'n-0', 2), { lostWork: 5 }),
      single(on('b', 'n-0', 2), { lostWork: 5 }),
      single(on('c', 'n-1'))
    ],
    gang: [whole('m')],
    want: 'c'
  },
  'of those that are equal in all the first by name goes': {
    nodes: two,
    bodies: [single(on('b', 'n-0')), single(on('a', 'n-1'))],
    gang: [whole('m')],
    want: 'a'
  },
  'one dearer pod goes before many cheap ones that cost more together': {
    nodes: two,
    bodies: [
      ...pods(4, 'a', one => one.cpu(1000).on('n-0')).map(each => single(each, { lostWork: 9 })),
      single(on('b', 'n-1'), { lostWork: 30 })
    ],
    gang: [whole('m')],
    want: 'b'
  },
  'surplus goes before a whole gang, whatever the work': {
    nodes: two,
    bodies: [
      body('g', [on('g-0', 'n-0', 2), on('g-1', 'n-0', 2)], { lostWork: 0 }),
      body('h', [on('h-0', 'n-1', 2), on('h-1', 'n-1', 2)], { lostWork: 99 }, ['h-1'])
    ],
    gang: [core('m')],
    want: 'h-1'
  },
  'surplus goes in its order': {
    nodes: two,
    bodies: [
      body('g', [on('g-0', 'n-0', 2), on('g-1', 'n-0', 2), on('g-2', 'n-1')], { by: { 'g-2': { lostWork: 99 } } }, [
        'g-2',
        'g-1'
      ])
    ],
    gang: [pod('m').cpu(2000)],
    want: 'g-2'
  },
  'a gang of higher priority than its surplus counts with its highest': {
    nodes: two,
    bodies: [
      body('g', [on('g-0', 'n-0', 2), on('g-1', 'n-0', 2)], { by: { 'g-0': { priority: 2 } } }, ['g-1']),
      single(on('a', 'n-1'), { priority: 1, lostWork: 99 })
    ],
    gang: [whole('m')],
    want: 'a'
  },
  'a gang that is not surplus goes whole, on all its nodes': {
    nodes: three,
    bodies: [body('g', [on('g-0', 'n-0'), on('g-1', 'n-1'), on('g-2', 'n-2')])],
    gang: [whole('m')],
    want: 'g-0,g-1,g-2'
  },
  'a gang of one that may end is a pod like any other': {
    nodes: two,
    bodies: [body('g', [on('g-0', 'n-0')], { lostWork: 1 }), single(on('a', 'n-1'))],
    gang: [whole('m')],
    want: 'g-0'
  },
  'a gang that must not end gives its surplus at most': {
    nodes: [node('n-0')],
    bodies: [{ ...body('g', [on('g-0', 'n-0', 2), on('g-1', 'n-0', 2)], {}, ['g-1']), whole: false }],
    gang: [whole('m')],
    want: 'no eviction of pods of lower priority would help'
  },
  'nodes that a spread gang leaves serve several members': {
    nodes: three,
    bodies: [body('g', [on('g-0', 'n-0'), on('g-1', 'n-1')], { lostWork: 30 }), single(on('a', 'n-2'))],
    gang: [whole('m'), whole('n')],
    want: 'g-0,g-1'
  },
  'singles go before a gang where they are enough': {
    nodes: nodes(4),
    bodies: [
      body('g', [on('g-0', 'n-0'), on('g-1', 'n-1')], { lostWork: 0 }),
      single(on('a', 'n-2')),
      single(on('b', 'n-3'))
    ],
    gang: [whole('m'), whole('n')],
    want: 'a,b'
  },
  'surplus and singles together': {
    nodes: two,
    bodies: [
      body('g', [on('g-0', 'n-0', 2), on('g-1', 'n-1', 2), on('g-2', 'n-1', 1)], {}, ['g-2', 'g-1']),
      single(on('a', 'n-1', 1)),
      single(on('b', 'n-0', 2))
    ],
    gang: [whole('m')],
    want: 'a,g-1,g-2'
  },
  'room that there is is used': {
    nodes: three,
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1'))],
    gang: [whole('m'), whole('n')],
    want: 'a'
  },
  'who stands where nobody is needed stays': {
    nodes: [node('big').cpu(8), node('small').cpu(1)],
    bodies: [single(on('a', 'small', 1), { lostWork: 0 }), single(on('b', 'big', 8))],
    gang: [whole('m')],
    want: 'b'
  },
  'a budget steers to other victims': {
    nodes: three,
    bodies: [
      single(on('a', 'n-0'), { lostWork: 1 }),
      single(on('b', 'n-1'), { lostWork: 2 }),
      single(on('c', 'n-2'), { lostWork: 99 })
    ],
    gang: [whole('m'), whole('n')],
    rest: { budgets: [budget(1, 'a', 'b')] },
    want: 'a,c'
  },
  'a budget may forbid the cheapest altogether, and a gang in part means whole': {
    nodes: three,
    bodies: [
      body('g', [on('g-0', 'n-0'), on('g-1', 'n-1')], { lostWork: 1 }),
      single(on('a', 'n-2'), { priority: 3, lostWork: 99 })
    ],
    gang: [whole('m')],
    rest: { budgets: [budget(0, 'g-1')] },
    want: 'a'
  },
  'where budgets forbid all that would help nobody goes': {
    nodes: two,
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1'))],
    gang: [whole('m'), whole('n')],
    rest: { budgets: [budget(1, 'a', 'b')] },
    want: 'no eviction that disruption budgets allow was found to help'
  },
  'a scarce budget is kept for where nothing else helps, among many as well': {
    nodes: [node('a').cpu(40), node('b').cpu(40)],
    bodies: [
      single(on('x', 'a', 20)),
      ...pods(40, 'y', one => one.cpu(500).on('a')).map(each => single(each)),
      single(on('z', 'b', 30))
    ],
    others: [on('o', 'b', 10)],
    gang: pods(2, 'm', one => one.cpu(20_000).port(80)),
    rest: { budgets: [budget(1, 'x', 'z')] },
    want: `${pods(40, 'y')
      .map(each => each.obj().name)
      .toSorted()
      .join()},z`
  },
  'nobody goes if it is still too little': {
    nodes: two,
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1'))],
    gang: [whole('m'), whole('n'), whole('o')],
    want: 'no eviction of pods of lower priority would help'
  },
  'nobody goes from nodes that refuse the gang for good': {
    nodes: [node('n-0').taint('t'), node('n-1').cordoned(), node('n-2').notReady()],
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1')), single(on('c', 'n-2'))],
    gang: [whole('m')],
    want: 'no eviction of pods of lower priority would help'
  },
  'nor from nodes that kube-scheduler refused': {
    nodes: two,
    bodies: [single(on('a', 'n-0'), { lostWork: 0 }), single(on('b', 'n-1'))],
    gang: [whole('m')],
    rest: { refused: new Map([[whole('m').obj().shape.key, new Set(['n-0'])]]) },
    want: 'b'
  },
  'only as many go as are needed, not as could be placed': {
    nodes: two,
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1'))],
    gang: [whole('m'), whole('n')],
    rest: { need: 1 },
    want: 'a'
  },
  'members of several shapes': {
    nodes: three,
    bodies: [
      single(on('a', 'n-0'), { lostWork: 1 }),
      ...pods(2, 'b', one => one.cpu(2000).on('n-1')).map(each => single(each, { lostWork: 2 })),
      single(on('c', 'n-2', 3), { lostWork: 9 })
    ],
    gang: [whole('m'), pod('n').cpu(2000), core('o')],
    want: 'a,b-0'
  },
  'nodes alike that stay as they are each take their share': {
    nodes: [...nodes(2), ...nodes(3, 'f', one => one.cpu(1))],
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1'), { lostWork: 1 })],
    gang: [whole('m'), ...pods(3, 's', one => one.cpu(1000))],
    want: 'b'
  },
  'also where pods are looked at': {
    nodes: [...nodes(2), ...nodes(3, 'f', one => one.cpu(9))],
    bodies: [single(on('a', 'n-0')), single(on('b', 'n-1'), { lostWork: 1 })],
    others: nodes(3, 'f').map((each, index) => on(`o-${index}`, each.obj().name, 8)),
    gang: [whole('m'), ...pods(3, 's', one => one.cpu(500).port(80))],
    want: 'b'
  },
  'a host port is freed by the pod that holds it': {
    nodes: [node('n-0')],
    bodies: [single(core('a').on('n-0')), single(core('b').port(80).on('n-0'), { lostWork: 99 })],
    gang: [core('m').port(80)],
    want: 'b'
  },
  'one pod per node: who stands alone goes, pods of others stay': {
    nodes: two,
    bodies: [single(core('a').scheduler('x').on('n-0')), single(core('b').scheduler('mine').on('n-0'))],
    others: [core('c').scheduler('mine').on('n-1')],
    gang: [core('m').scheduler('mine')],
    profile: customScheduler(new Set(['mine'])),
    want: 'b'
  },
  'a node that is too full already is only emptied as far as it helps': {
    nodes: two,
    bodies: [...pods(3, 'a', one => one.cpu(3000).on('n-0')).map(each => single(each)), single(on('b', 'n-1'))],
    gang: [core('m')],
    want: 'b'
  },
  'a pod that two bodies name makes room once': {
    nodes: [node('n-0')],
    bodies: [single(on('a', 'n-0', 2)), { ...single(on('a', 'n-0', 2)), key: 'again' }],
    others: [on('o', 'n-0', 2)],
    gang: [whole('m')],
    want: 'no eviction of pods of lower priority would help'
  }
}
for (const [name, { want, ...one }] of Object.entries(cases)) {
  t.test(name, async t => {
    const answer = shown({ ...one, want })
    t.strictSame(typeof answer === 'string' ? answer : answer.victims, want)
  })
}

t.test('the members get the places that the planner would give them', async t => {
  const bodies = [single(on('a', 'n-0')), single(on('b', 'n-1'), { lostWork: 1 })]
  const gang = [core('m'), pod('n').cpu(3000)]
  t.strictSame(shown({ nodes: two, bodies, gang, want: '' }), {
    nodes: { 'ns/m': 'n-1', 'ns/n': 'n-1' },
    victims: 'b'
  })
})

t.test('more than needed are placed where it costs nobody', async t => {
  const bodies = [single(on('a', 'n-0')), single(on('b', 'n-1'))]
  const answer = shown({ nodes: two, bodies, gang: pods(6, 'm', one => one.cpu(1000)), rest: { need: 1 }, want: '' })
  t.match(answer, { victims: 'a' })
  t.equal(Object.keys((answer as { nodes: object }).nodes).length, 4)
})

t.test('among many', async t => {
  const many = nodes(40)
  const gangs = many.map((each, index) => {
    const { name } = each.obj()
    const all = [on(`g${index}-0`, name, 2), on(`g${index}-1`, name, 2)]
    return body(`ns/g${index}`, all, { lostWork: (index * 7) % 40 }, index < 20 ? [`g${index}-1`] : [])
  })
  await t.test('surplus is enough: no gang ends, the least work is lost', async t => {
    const gang = pods(3, 'm', one => one.cpu(2000))
    t.match(shown({ nodes: many, bodies: gangs, gang, want: '' }), { victims: 'g0-1,g12-1,g6-1' })
  })
  await t.test('surplus is not enough: the cheapest gangs end', async t => {
    const gang = pods(2, 'm', one => one.cpu(4000))
    t.match(shown({ nodes: many, bodies: gangs, gang, want: '' }), { victims: 'g0-0,g0-1,g23-0,g23-1' })
  })
  const spare = nodes(40, 'x')
  const crowd = (lostWork: number) => spare.map((each, index) => single(on(`c${index}`, each.obj().name), { lostWork }))
  const ask = (some: readonly NodeBuilder[], bodies: readonly Body[], gang: readonly PodBuilder[]) =>
    shown({ nodes: [...some, ...spare], bodies, gang, want: '' })
  await t.test('a gang on many nodes is dear for one member, cheap for many', async t => {
    const wide = body(
      'ns/wide',
      many.map((each, index) => on(`w${index}`, each.obj().name)),
      { lostWork: 2 }
    )
    const narrow = spare.map((each, index) => {
      const { name } = each.obj()
      return body(`ns/s${index}`, [on(`s${index}-0`, name, 2), on(`s${index}-1`, name, 2)], { lostWork: 30 })
    })
    const gang = pods(40, 'm', one => one.cpu(4000))
    t.match(ask(many, [wide, ...narrow], gang.slice(0, 1)), { victims: 's0-0,s0-1' })
    t.match(ask(many, [wide, ...narrow], gang), { victims: /^(w\d+,){39}w\d+$/ })
  })
  await t.test('what proves needless on a node is not paid for', async t => {
    const small = pods(3, 's', one => one.cpu(1000).on('n-0')).map(each => single(each, { lostWork: 1 }))
    const large = single(on('large', 'n-0'), { lostWork: 10 })
    const other = single(on('other', 'n-1'), { lostWork: 12 })
    const some = [node('n-0').cpu(7), node('n-1')]
    t.match(ask(some, [...small, large, other, ...crowd(99)], [whole('m')]), { victims: 'large' })
  })
  await t.test('members with the fewest places are placed first', async t => {
    const bodies = [
      single(on('a', 'n-0'), { lostWork: 1 }),
      single(on('b', 'n-1'), { lostWork: 5 }),
      single(on('c', 'n-2', 1), { lostWork: 3 })
    ]
    const rest = [on('o', 'n-2', 3)]
    const gang = [core('m'), whole('n')]
    const answer = shown({
      nodes: [...three, ...spare],
      bodies: [...bodies, ...crowd(99)],
      others: rest,
      gang,
      want: ''
    })
    t.match(answer, { victims: 'a,c' })
  })
  await t.test('members of very many shapes take the place of the cheapest', async t => {
    const gang = Array.from({ length: 9 }, (_, index) => pod(`m${index}`).cpu(3001 + index))
    const bodies = spare.map((each, index) => single(on(`c${index}`, each.obj().name), { lostWork: index }))
    t.match(ask([], bodies, gang), { victims: 'c0,c1,c2,c3,c4,c5,c6,c7,c8' })
  })
})

t.test('a filter with a mind of its own on amounts is asked', async t => {
  const roomy = {
    name: 'Roomy',
    filter: ({ requests }, { node: { allocatable }, used }) =>
      (used.get('cpu') ?? 0) + (requests.get('cpu') ?? 0) > (allocatable.get('cpu') ?? 0) / 2
        ? { code: 'Unschedulable', reason: 'more than half full' }
        : { code: 'Success' }
  } satisfies FilterPlugin
  const profile = { ...muster, name: 'roomy', filters: [...muster.filters, roomy] }
  const bodies = [single(on('a', 'n-0', 1)), single(on('b', 'n-0', 3), { lostWork: 99 })]
  t.match(shown({ nodes: [node('n-0')], bodies, gang: [core('m'), core('n')], profile, want: '' }), { victims: 'a,b' })
})

t.test('pods that do not say where they stand are found', async t => {
  const told = on('a', 'n-0').obj()
  const { nodeName, ...rest } = told
  const silent = { ...rest, nodeName: undefined }
  const cluster = snapshot(nodes(1), []).with([{ node: 'n-0', pod: told }])
  const bodies = [{ ...single(on('a', 'n-0')), pods: [silent] }]
  const request = { pods: [whole('m').obj()], need: 1, refused: new Map(), bodies, budgets: [] }
  const answer = victims(cluster, request, muster)
  t.match(answer, { outcome: 'evict', victims: [{ pod: silent }] })
  t.equal(nodeName, 'n-0')
})

t.test('an endless mixture ends in a bounded time', async t => {
  const gang = Array.from({ length: 30 }, (_, index) => pod(`p${index}`).cpu(1001 + 37 * index))
  const total = gang.reduce((sum, one) => sum + (one.obj().shape.requests.get('cpu') ?? 0), 0)
  const some = nodes(10, 'n', one => one.allocatable('cpu', Math.ceil(total / 10)))
  const bodies = some.map((each, index) => single(on(`b${index}`, each.obj().name, total / 10_000)))
  const answer = shown({ nodes: some, bodies, gang, want: '' })
  t.ok(typeof answer === 'string' ? answer.includes('was found to help') : answer.victims.length > 0)
})
