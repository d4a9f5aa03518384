import t from 'tap'
import { nodes, pod, type PodBuilder, pods } from '../builders.ts'
import { harness } from './harness.ts'
import { keptRecord } from './records.ts'

const slots = nodes(4, 'node', each => each.cpu(1))
const member = (each: PodBuilder): PodBuilder => each.gang('train', 4).cpu(1000)
const { bound, annotations: kept } = keptRecord('unversioned')

/** The gang of which one member stands, with that record on it. */
function begun(record: Readonly<Record<string, string>>) {
  const all = pods(4, 'train', member).map(each => (each.obj().name === bound.pod ? each.on(bound.node) : each))
  const [first, ...others] = all
  const written = Object.entries(record).reduce((each, [key, value]) => each.annotation(key, value), first!)
  return harness({ scheduler: false, nodes: slots, pods: [written, ...others] })
}

const planned = ['train-1@node-0', 'train-2@node-3', 'train-3@node-1']
const anew = ['train-1@node-0', 'train-2@node-1', 'train-3@node-3']

t.test('a record of the version before this one is gone on with, under its id', async t => {
  const h = begun(kept)
  await h.run(1)
  t.strictSame(h.held, planned)
  t.match(h.gang('train').plan, { id: kept['muster.dev/plan'], firm: true })
  await h.run(5_000)
  t.strictSame(
    h.notices.filter(({ reason }) => reason === 'PlanIgnored'),
    []
  )
})

t.test('what is written today is read tomorrow', async t => {
  const h = harness({ nodes: slots, pods: pods(4, 'train', each => member(each).gated()) })
  await h.run(5_000)
  const [record, ...more] = [...h.api.pods.values()]
    .map(({ annotations }) => Object.fromEntries([...annotations].filter(([key]) => key.startsWith('muster.dev/plan'))))
    .filter(each => 'muster.dev/plan-members' in each)
  t.strictSame(more, [], 'only the first binding bears it')
  t.equal(record?.['muster.dev/plan-version'], '1')
  const next = begun({ ...record, 'muster.dev/plan-members': kept['muster.dev/plan-members']! })
  await next.run(1)
  t.strictSame(next.held, planned)
})

t.test(
  'a record in a version that is not known is not guessed at: an event says so, and the gang is repaired',
  async t => {
    for (const version of ['2', '17', '', '1.0', 'one', '-1', '9'.repeat(400)]) {
      const h = begun({ ...kept, 'muster.dev/plan-version': version })
      await h.run(5_000)
      t.strictSame(h.held, anew, version)
      const said = h.notices.filter(({ reason }) => reason === 'PlanIgnored')
      t.equal(said.length, 1, 'once')
      t.match(
        said[0]?.note,
        /^gang train: the plan by which it began stands on train-0 in version ".*", and this muster reads up to 1/
      )
      t.match(said[0]?.note, /: its missing members are planned anew, wherever there is room$/)
      t.strictSame(h.violations, [])
    }
  }
)

t.test('the newest record counts: of an older one that can be read nothing is gone on with', async t => {
  const h = harness({
    scheduler: false,
    nodes: slots,
    pods: [
      member(pod('train-0'))
        .on('node-2')
        .annotation('muster.dev/plan', '1-1')
        .annotation('muster.dev/plan-members', '{"train-3":"node-3"}'),
      member(pod('train-1'))
        .on('node-0')
        .annotation('muster.dev/plan', '2-1')
        .annotation('muster.dev/plan-members', '[]')
        .annotation('muster.dev/plan-version', '2'),
      member(pod('train-2')),
      member(pod('train-3'))
    ]
  })
  await h.run(1)
  t.strictSame(h.held, ['train-2@node-1', 'train-3@node-3'])
})
