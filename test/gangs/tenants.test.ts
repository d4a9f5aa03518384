/** What one tenant can do to muster and to others, and what it hears of them. */
import { Registry } from 'prom-client'
import t from 'tap'
import { told } from '../../extender/api/gangs.ts'
import { systemClock } from '../../extender/clock.ts'
import { node, nodes, pod, pods, type NodeBuilder, type PodBuilder } from '../builders.ts'
import { logger } from '../../extender/telemetry/logs.ts'
import { processMetrics } from '../../extender/telemetry/metrics.ts'
import { harness, type Harness } from './harness.ts'

const slot = (each: NodeBuilder): NodeBuilder => each.cpu(1)
const theirs = (name: string) => (each: PodBuilder) => each.namespace('secret').gang(name, 2).cpu(1000).gated()
const member = (name: string, min: number) => (each: PodBuilder) => each.gang(name, min).cpu(1000).gated()
/** Whatever people of a namespace can read about their pods. */
const heard = (h: Harness, namespace: string): string =>
  [
    ...h.notices.filter(({ pod }) => pod.namespace === namespace).map(({ note }) => note),
    ...h.gangs.reports
      .gangs()
      .filter(gang => gang.namespace === namespace)
      .map(gang => JSON.stringify(told(gang)))
  ].join('\n')

t.test('a gang with more members than a gang may have is refused, and says so', async t => {
  const h = harness({ nodes: nodes(6, 'n', slot), pods: pods(5, 'a', member('a', 2)), caps: { size: 4, waiting: 10 } })
  h.add(...pods(2, 'b', member('b', 5)), ...pods(4, 'c', member('c', 4)))
  await h.run(1_000)
  t.match(h.gang('a'), { state: 'refused', reason: 'a gang of 5 members is larger than 4 (--max-gang-size)' })
  t.match(h.gang('b'), { state: 'refused', reason: 'a gang of 5 members is larger than 4 (--max-gang-size)' })
  t.strictSame(h.bound.length, 4, 'one as large as it may be runs')
  h.delete('a-4')
  h.node(node('more').cpu(2))
  await h.run(1_000)
  t.equal(h.bound.length, 8, 'and one that has become so')
})

t.test('of one namespace only so many gangs are planned while they wait', async t => {
  const h = harness({ nodes: nodes(1, 'n', slot), caps: { size: 100, waiting: 3 } })
  const names = Array.from({ length: 8 }, (_, index) => `g${index}`)
  h.add(...names.flatMap(name => pods(2, name, member(name, 2))))
  await h.run(5_000)
  const kept = () => names.filter(name => /max-waiting-gangs/.test(h.gangs.reports.gang('ns', name)?.reason ?? ''))
  t.equal(kept().length, 5)
  t.match(
    h.gang(kept()[0]!).reason,
    '3 gangs of this namespace wait already (--max-waiting-gangs); it has its turn when one of them starts or goes'
  )
  h.add(...pods(2, 'x', each => member('x', 2)(each.namespace('other'))))
  await h.run(1_000)
  t.notMatch(h.gang('x', 'other').reason, /max-waiting-gangs/, 'another namespace has its own')
  const [first] = names.filter(name => !kept().includes(name))
  h.delete(`${first}-0`, `${first}-1`)
  await h.run(1_000)
  t.equal(kept().length, 4, 'one goes, and another has its turn')
  for (let index = 0; index < 20; index++) h.node(node(`more-${index}`).cpu(1))
  await h.run(60_000)
  t.equal(h.bound.length, 16, 'with room all start')
  t.strictSame(kept(), [])
})

t.test('who preempts or is preempted hears no name of another namespace', async t => {
  const h = harness({ nodes: nodes(4, 'n', slot), pods: pods(2, 'payroll', theirs('payroll')) })
  h.add(...pods(2, 'own', member('own', 2)))
  await h.run(2_000)
  t.equal(h.bound.length, 4)
  for (const uid of ['secret/payroll-0', 'secret/payroll-1', 'ns/own-0', 'ns/own-1'])
    h.api.change(uid, { graceMs: 10_000 })
  h.add(...pods(4, 'urgent', each => member('urgent', 4)(each).priority(9)))
  await h.run(2_000)
  const urgent = h.gang('urgent')
  t.match(urgent.reason, /ns\/own-0, ns\/own-1 and 2 of other namespaces/)
  t.notMatch(heard(h, 'ns'), /secret|payroll/)
  t.match(heard(h, 'secret'), /evicted for a gang of another namespace of priority 9/)
  t.notMatch(heard(h, 'secret'), /urgent|own/)
  await h.run(60_000)
  t.equal(h.bound.filter(each => each.startsWith('urgent')).length, 4)
})

t.test('whose plan is withdrawn for another namespace hears no name of it', async t => {
  const h = harness({ scheduler: false, nodes: nodes(2, 'n', slot), pods: pods(2, 'a', member('a', 2)) })
  await h.run(100)
  const [on = ''] = h.held.map(each => each.split('@')[1])
  const answer = h.bind('a-0', on)
  h.add(...pods(2, 'payroll', each => each.namespace('secret').gang('payroll', 2).cpu(1000).gated().priority(9)))
  await h.run(1_000)
  t.match(await answer, /the gang's plan was withdrawn: a gang of another namespace of higher rank takes its room/)
})

t.test('advice who would have to move is for its own namespace', async t => {
  const controller = { kind: 'ReplicaSet', name: 'r', uid: 'r' }
  const busy = (name: string, on: string) => pod(name).namespace('secret').cpu(500).on(on).with({ controller })
  const h = harness({ nodes: nodes(2, 'n', slot), pods: [busy('payroll-0', 'n-0'), busy('payroll-1', 'n-1')] })
  h.add(...pods(1, 'a', member('a', 1)))
  await h.run(2_000)
  t.match(h.gang('a').reason, /it would fit if 1 of other namespaces moved/)
  h.add(...pods(1, 'b', each => member('b', 1)(each.namespace('secret'))))
  await h.run(2_000)
  t.match(h.gang('b', 'secret').reason, /it would fit if secret\/payroll-\d moved/)
  t.notMatch(heard(h, 'ns'), /payroll/)
})

t.test('what a tenant writes forges no line of the log and fills none', async t => {
  const evil = `a\n{"level":60,"msg":"forged"}\u001b[2J${'x'.repeat(200_000)}`
  for (const logMode of ['production', 'development'] as const) {
    const lines: string[] = []
    const parts = { clock: systemClock, lines: processMetrics(new Registry(), 'test').logLines }
    const log = logger({ logMode, logLevel: 'trace' }, { ...parts, out: { write: text => lines.push(text) } })
    const bad = (each: PodBuilder): PodBuilder =>
      member(
        'a',
        2
      )(each)
        .annotation('muster.dev/min-member', evil)
        .annotation('muster.dev/gang', evil)
        .annotation('muster.dev/priority', evil)
    const h = harness({ log, nodes: nodes(2, 'n', slot), pods: pods(2, 'a', bad) })
    await h.run(2_000)
    const said = [...lines.map(line => line.trimEnd()), ...h.notices.map(({ note }) => note)]
    t.ok(h.notices.length > 0, 'it is told what is wrong')
    t.ok(
      said.every(text => text.length < 1_000 && !/\p{Cc}/u.test(text)),
      logMode
    )
  }
})
