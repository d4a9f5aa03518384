/**
 * The scenarios that need nothing but an API server: `npm run conformance -- --kubeconfig FILE` plays them on any
 * cluster where muster is installed, and without TEST_KUBECONFIG they are played on the local control plane.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isBound, type Pod } from '../control-plane/objects.ts'
import type { Plot, PlotPod } from './plot.ts'
import { openLab } from './scenario.ts'
import { slots, Yard } from './yard.ts'

/** So long is looked at what must not happen. */
const quietMs = 5_000
/** The longest that a gang may be bound in part. */
const longestPartial = 5_000

const kubeconfig = process.env['TEST_KUBECONFIG'] || (await localCluster())

if (kubeconfig !== undefined) {
  t.setTimeout(1_200_000)
  const yard = await Yard.open(kubeconfig)
  t.teardown(() => yard.close())
  t.comment(`${slots} slots on ${yard.nodes.length} nodes`)

  const scenario = (name: string, body: (t: Test, plot: Plot) => Promise<void>) =>
    t.test(name, async t => {
      t.setTimeout(300_000)
      await yard.within(async plot => {
        await body(t, plot)
        t.strictSame(plot.history.boundTwice(), [], 'no pod is bound twice')
        const late = [...plot.history.longestPartial()].filter(([, time]) => time > longestPartial)
        t.strictSame(late, [], `no gang is bound in part for longer than ${longestPartial / 1000} s`)
      })
    })

  scenario('a single pod for muster’s scheduler gets a node', async (_, plot) => {
    await plot.singles(['single'])
    await plot.waitFor('it is bound', () => plot.bound().length === 1)
  })

  for (const gated of [true, false]) {
    const kind = gated ? 'gated' : 'ungated'

    scenario(`a ${kind} gang that takes all the room is bound whole`, async (_, plot) => {
      await plot.gang({ name: 'all', size: slots, gated })
      await plot.whole('all', slots)
    })

    scenario(
      `a ${kind} gang that does not fit waits whole, says why, and is passed by one that fits`,
      async (t, plot) => {
        await plot.gang({ name: 'too-big', size: slots + 1, gated })
        const says = async () => (await plot.notes()).some(note => note.includes('too-big'))
        await until('an event says why the gang waits', says)
        await plot.gang({ name: 'small', size: slots, gated })
        await plot.whole('small', slots)
        t.strictSame(plot.history.everBound(`${plot.namespace}/too-big`), [], 'it never had a bound pod')
      }
    )

    scenario(
      `of two ${kind} gangs that do not fit together one runs, and the other when it has gone`,
      async (t, plot) => {
        const size = slots - 1
        await Promise.all(['a', 'b'].map(name => plot.gang({ name, size, gated })))
        const runs = () => ['a', 'b'].filter(name => plot.bound(name).length === size)
        await plot.waitFor('one of them is bound', () => runs().length === 1)
        await sleep(quietMs)
        const [first = ''] = runs()
        const second = first === 'a' ? 'b' : 'a'
        t.equal(plot.bound(second).length, 0, 'the other one has nothing')
        await plot.end(first)
        await plot.whole(second, size)
      }
    )

    scenario(`a ${kind} gang that lacks a member holds no room`, async (t, plot) => {
      await plot.gang({ name: 'forming', size: slots, gated, come: slots - 1 })
      await plot.singles(namesOf('single', slots))
      await plot.waitFor('single pods have all the room', () => plot.bound().length === slots)
      t.strictSame(plot.nominated(), [], 'no member keeps room')
      t.equal(plot.bound('forming').length, 0)
    })

    scenario(`a ${kind} gang evicts single pods of lower priority, as many as it needs`, async (t, plot) => {
      if (!(await yard.mayEvict()))
        return t.comment('left out: muster has no right to evict; add components/preemption')
      await plot.singles(namesOf('low', slots), { priority: 'low' })
      await plot.waitFor('they have all the room', () => plot.bound().length === slots)
      await plot.gang({ name: 'urgent', size: slots - 1, gated }, { priority: 'high' })
      await plot.whole('urgent', slots - 1)
      t.equal(plot.bound().length, slots, 'one of the others is left')
    })
  }

  scenario(
    'custom-scheduler: one pod to a node, and by its annotation one takes the place of another',
    async (t, plot) => {
      const count = yard.nodes.length
      await plot.singles(namesOf('low', count), custom('10'))
      await plot.waitFor('they have a node each', () => plot.bound().length === count)
      t.equal(new Set(plot.bound().map(nodeOf)).size, count)
      await plot.singles(['high'], custom('100'))
      await plot.waitFor('the high one runs', () => plot.bound().some(({ metadata }) => metadata.name === 'high'))
      t.equal(plot.pods.values().filter(isBound).length, count, 'one of the others went')
    }
  )
}

const custom = (priority: string): PlotPod => ({ schedulerName: 'custom-scheduler', annotations: { priority } })
const nodeOf = (pod: Pod): string | undefined => pod.spec.nodeName

function namesOf(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`)
    await sleep(200)
  }
}

/** The kubeconfig of a local control plane with muster; undefined where it cannot be had. */
async function localCluster(): Promise<string | undefined> {
  const lab = await openLab(t, { controllerManager: true })
  if (lab === undefined) return undefined
  await lab.createNodes('node', 3, { slots: 110 })
  await lab.start()
  return await lab.cluster.kubeconfig('admin')
}
