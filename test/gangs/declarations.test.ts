import t from 'tap'
import { nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const slots = nodes(4, 'n', each => each.cpu(1))
const owned = (one: PodBuilder, uid = 'job'): PodBuilder => one.with({ controller: { kind: 'Job', name: 'job', uid } })

const sized = (text: string): PodBuilder[] =>
  pods(2, 'a', one => one.gang('a').annotation('muster.dev/min-member', text))
const plain = (each: PodBuilder): PodBuilder => each.annotation('pod-group', 'a').cpu(1000).gated()
const ofJob = (each: PodBuilder): PodBuilder => owned(each.gang('a').cpu(1000).gated())

t.test(
  'a gang that is declared badly is refused whole, with an event that names the annotation and the rule',
  async t => {
    const rule = /annotation muster\.dev\/min-member: ".*" must be a decimal integer of at least 1/
    const cases: Record<
      string,
      { readonly pods: readonly PodBuilder[]; readonly want: RegExp; readonly name?: string }
    > = {
      'no number': { pods: sized('two'), want: rule },
      zero: { pods: sized('0'), want: rule },
      negative: { pods: sized('-2'), want: rule },
      'a fraction': { pods: sized('1.5'), want: rule },
      hexadecimal: { pods: sized('0x2'), want: rule },
      'an exponent': { pods: sized('1e3'), want: rule },
      'a space': { pods: sized(' 2'), want: rule },
      'full-width digits': { pods: sized('２'), want: rule },
      empty: { pods: sized(''), want: rule },
      'members that disagree': {
        pods: [pod('x').gang('a', 1), pod('y').gang('a', 2)],
        want: /annotation muster\.dev\/min-member must be the same on every member: x says 1, y says 2/
      },
      'a member that is silent': {
        pods: [pod('x').gang('a', 1), pod('y').gang('a')],
        want: /must be the same on every member: x says 1, y says nothing/
      },
      'a name that is no label': {
        pods: pods(1, 'a', one => one.gang('Not_A_Label', 1)),
        name: 'Not_A_Label',
        want: /annotation muster\.dev\/gang: "Not_A_Label" must be a DNS label/
      }
    }
    for (const [name, { pods: all, want, name: gang = 'a' }] of Object.entries(cases)) {
      const h = harness({ nodes: slots, pods: all })
      await h.run(40_000)
      t.strictSame([h.gang(gang).state, h.held, h.api.writes], ['refused', [], []], name)
      const heard = new Set(h.notices.map(notice => `${notice.pod.name} ${notice.type} ${notice.reason}`))
      t.strictSame(
        [...heard].toSorted(),
        all.map(one => `${one.obj().name} Warning GangRefused`).toSorted(),
        `${name}: each member hears it`
      )
      t.match(h.notices[0]?.note, want, name)
    }
  }
)

t.test('a gang that is mended is placed', async t => {
  const h = harness({
    nodes: slots,
    pods: pods(2, 'a', one => one.gang('a').annotation('muster.dev/min-member', 'two'))
  })
  await h.run(1_000)
  for (const name of ['a-0', 'a-1'])
    h.api.setPod({ ...h.pod(name), annotations: pod('x').gang('a', 2).obj().annotations })
  await h.run(15_000)
  t.equal(h.gang('a').state, 'running')
})

t.test('a planned gang whose members begin to disagree gives its plan up', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(2, 'a', one => one.gang('a', 2).cpu(1000)) })
  await h.run(100)
  t.equal(h.gang('a').state, 'planned')
  h.api.change('ns/a-0', { annotations: pod('x').gang('a', 1).obj().annotations })
  await h.run(100)
  t.strictSame([h.gang('a').state, h.held, h.nominated], ['refused', [], []])
})

t.test('a running gang goes on whatever its pods say later', async t => {
  const h = harness({ nodes: slots, pods: pods(2, 'a', one => one.gang('a', 2).cpu(1000).gated()) })
  await h.run(1_000)
  h.api.change('ns/a-0', { annotations: pod('x').gang('a', 1).obj().annotations })
  await h.run(1_000)
  t.equal(h.gang('a').state, 'running')
})

t.test('a gang of undeclared size is complete once nobody has come for a second', async t => {
  const h = harness({ nodes: slots, pods: [plain(pod('x'))] })
  await h.run(800)
  h.add(plain(pod('y')))
  await h.run(900)
  t.strictSame([h.gang('a').state, h.gang('a').minMember], ['forming', null])
  t.match(h.gang('a').reason, /2 members exist; the gang declares no size and is still settling/)
  await h.run(1_000)
  t.strictSame([h.gang('a').state, h.gang('a').minMember, h.bound], ['running', 2, ['x@n-0', 'y@n-1']])
  h.add(plain(pod('z')))
  await h.run(3_000)
  t.strictSame([h.gang('a').minMember, h.bound.length], [2, 3], 'who comes after the start is surplus')
})

t.test('a gang of undeclared size is as large as its only controller says', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(2, 'a', ofJob) })
  h.state.facts.setController({ uid: 'job', size: 3 })
  await h.run(5_000)
  t.strictSame([h.gang('a').state, h.gang('a').minMember], ['forming', 3], 'however long nobody comes')
  h.state.facts.setController({ uid: 'job', size: 2 })
  await h.run(50)
  t.strictSame([h.gang('a').state, h.gang('a').minMember], ['planned', 2], 'a change of the size is heard')
})

t.test('a split gang whose first member comes alone does not start with it', async t => {
  const h = harness({ nodes: slots })
  for (const [index, name] of ['x', 'y', 'z'].entries()) {
    h.state.facts.setController({ uid: `of-${name}`, size: 1 })
    h.add(owned(pod(name).gang('a').cpu(1000), `of-${name}`))
    await h.run(700)
    t.strictSame([h.gang('a').state, h.bound], ['forming', []], `${index + 1} of 3 are there`)
  }
  await h.run(2_000)
  t.strictSame([h.gang('a').minMember, h.bound.length], [3, 3])
})

t.test('a running gang follows its controller down', async t => {
  const h = harness({ nodes: slots, pods: pods(3, 'a', ofJob) })
  h.state.facts.setController({ uid: 'job', size: 3 })
  await h.run(3_000)
  t.equal(h.gang('a').state, 'running')
  h.state.facts.setController({ uid: 'job', size: 2 })
  h.delete('a-2')
  await h.run(1_000)
  t.strictSame([h.gang('a').state, h.gang('a').minMember], ['running', 2])
})

t.test('with two controllers the settle time decides', async t => {
  const h = harness({
    ...{ scheduler: false, nodes: slots },
    pods: [owned(pod('x').gang('a').cpu(1000)), owned(pod('y').gang('a').cpu(1000), 'other')]
  })
  h.state.facts.setController({ uid: 'job', size: 3 })
  h.state.facts.setController({ uid: 'other', size: 3 })
  await h.run(1_100)
  t.strictSame([h.gang('a').state, h.gang('a').minMember], ['planned', 2])
})

t.test("muster's own dialect goes before the plain one", async t => {
  const h = harness({
    scheduler: false,
    nodes: slots,
    pods: [pod('x').gang('own', 1).annotation('pod-group', 'plain')]
  })
  await h.run(50)
  t.strictSame(
    h.gangs.reports.gangs().map(({ dialect, name }) => `${dialect} ${name}`),
    ['muster own']
  )
})

t.test('a pod that changes its gang takes nothing along', async t => {
  const h = harness({ scheduler: false, nodes: slots, pods: pods(2, 'a', one => one.gang('a', 2).cpu(1000)) })
  await h.run(100)
  h.api.change('ns/a-1', { annotations: pod('x').gang('b', 1).obj().annotations })
  await h.run(100)
  t.strictSame([h.gang('a').state, h.gang('b').state], ['forming', 'planned'])
  t.equal(h.held.length, 1)
})
