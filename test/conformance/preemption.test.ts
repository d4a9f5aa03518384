import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { forEach } from '../control-plane/client.ts'
import type { Lab } from '../control-plane/lab.ts'
import { metric } from '../control-plane/muster.ts'
import { gangObjects, gangOf, isBound, type Pod, podObject, type PodOptions } from '../control-plane/objects.ts'
import { boundIn, gangIsBound, gangWaits, nothingIsHeld, openLab, scenario } from './scenario.ts'

const classes = { low: 1, middle: 10, high: 1_000 }
// Nothing here is left to the look at everything that comes round in the end.
const lab = await openLab(t, { controllerManager: true, musterArgs: ['--resync', '1h'] })

type Class = keyof typeof classes

if (lab) {
  for (const [name, value] of Object.entries(classes))
    await lab.cluster.client.create('/apis/scheduling.k8s.io/v1/priorityclasses', {
      ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value }
    })

  for (const gated of [true, false]) {
    const kind = gated ? 'a gated gang' : 'an ungated gang'
    const gang = (
      name: string,
      size: number,
      priorityClassName: Class,
      options: PodOptions & { minMember?: number } = {}
    ) => gangObjects({ name, size, gated, priorityClassName, ...options })

    scenario(t, lab, [`NV-9 ${kind} takes the room of single pods, and of as many as it needs`], async (t, ns) => {
      await lab.createNodes('node', 6)
      await singles(lab, ns, 4, 'low')
      await singles(lab, ns, 2, 'middle')
      await lab.createPods(ns, gang('g', 3, 'high'))
      await gangIsBound(lab, ns, 'g', 3)
      await nothingIsHeld(lab)
      t.strictSame([count(lab, ns, 'low'), count(lab, ns, 'middle')], [1, 2], 'three of the lowest went')
      t.equal(await metric(lab.muster, 'muster_wasted_evictions_total'), 0)
    })

    scenario(t, lab, [`NV-9 ${kind} that would still not fit evicts nobody`], async (t, ns) => {
      await lab.createNodes('node', 4)
      await singles(lab, ns, 2, 'low')
      await singles(lab, ns, 2, 'high')
      await lab.createPods(ns, gang('g', 3, 'high'))
      await gangWaits(lab, ns, 'g')
      await sleep(3_000)
      t.equal(boundIn(lab, ns), 4, 'all still run')
      t.strictSame(disrupted(lab, ns), [])
    })

    scenario(t, lab, [`NV-10 ${kind} takes the surplus of a gang first`], async (t, ns) => {
      await lab.createNodes('node', 5)
      await lab.createPods(ns, gang('old', 5, 'low', { minMember: 3 }))
      await gangIsBound(lab, ns, 'old', 5)
      await lab.createPods(ns, gang('g', 2, 'high'))
      await gangIsBound(lab, ns, 'g', 2)
      t.equal(boundIn(lab, ns, 'old'), 3, 'its quorum runs on')
    })

    scenario(t, lab, [`NV-10 ${kind} takes a gang whole where its surplus is not enough`], async (t, ns) => {
      await lab.createNodes('node', 5)
      await lab.createPods(ns, gang('old', 5, 'low', { minMember: 3 }))
      await gangIsBound(lab, ns, 'old', 5)
      await lab.createPods(ns, gang('g', 3, 'high'))
      await gangIsBound(lab, ns, 'g', 3)
      await lab.waitFor('the old gang has gone whole', () => lab.podsIn(ns, 'old').length === 0)
      t.equal(boundIn(lab, ns), 3)
    })
  }

  scenario(
    t,
    lab,
    ['P1 a disruption budget steers the choice, and a second one for the same pods forbids it'],
    async (t, ns) => {
      await lab.createNodes('node', 4)
      await singles(lab, ns, 2, 'low', { labels: { app: 'kept' } })
      await singles(lab, ns, 2, 'middle', { labels: { app: 'twice' } })
      await budget(lab, ns, 'kept', { app: 'kept' }, 2)
      await lab.createPods(ns, gangObjects({ name: 'g', size: 1, gated: true, priorityClassName: 'high' }))
      await gangIsBound(lab, ns, 'g', 1)
      t.strictSame([count(lab, ns, 'low'), count(lab, ns, 'middle')], [2, 1], 'the protected ones stay')
      await budget(lab, ns, 'once', { app: 'twice' }, 0)
      await budget(lab, ns, 'again', { app: 'twice' }, 0)
      await lab.createPods(ns, gangObjects({ name: 'h', size: 1, gated: true, priorityClassName: 'high' }))
      await gangWaits(lab, ns, 'h')
      await sleep(3_000)
      t.strictSame([count(lab, ns, 'low'), count(lab, ns, 'middle')], [2, 1], 'nobody can go')
    }
  )

  scenario(t, lab, ['P3 slow victims: one wave, and the room they leave is nobody else’s'], async (t, ns) => {
    await lab.createNodes('node', 4)
    await singles(lab, ns, 2, 'low', {}, ['muster.test/slow'])
    await singles(lab, ns, 2, 'middle')
    await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: true, priorityClassName: 'high' }))
    await lab.waitFor('both victims leave', () => leaving(lab, ns).length === 2)
    await sleep(3_000)
    t.equal(count(lab, ns, 'middle'), 2, 'no second wave')
    t.strictSame(
      leaving(lab, ns).map(pod => pod.spec.priority),
      [1, 1]
    )
    // They want the room as soon as it is free, and rank as the victims did.
    await lab.createPods(
      ns,
      [0, 1].map(index => podObject(`late-${index}`, { priorityClassName: 'low' }))
    )
    await release(lab, leaving(lab, ns))
    await gangIsBound(lab, ns, 'g', 2)
    t.equal(count(lab, ns, 'middle'), 2)
    t.strictSame(lab.history.everBound(`${ns}/late`), [])
    t.equal(boundIn(lab, ns), 4)
  })

  scenario(t, lab, ['P4 a preemptor that disappears while its victims leave holds nothing'], async (t, ns) => {
    await lab.createNodes('node', 2)
    await singles(lab, ns, 2, 'low', {}, ['muster.test/slow'])
    await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: true, priorityClassName: 'high' }))
    await lab.waitFor('the victims leave', () => leaving(lab, ns).length === 2)
    const wasted = await metric(lab.muster, 'muster_wasted_evictions_total')
    await forEach(lab.podsIn(ns, 'g'), 4, pod => lab.deletePod(ns, pod.metadata.name))
    await release(lab, leaving(lab, ns))
    await nothingIsHeld(lab)
    t.equal((await metric(lab.muster, 'muster_wasted_evictions_total')) - wasted, 2, 'what was in vain is counted')
  })

  scenario(t, lab, ['P5 a victim that comes back under its name is another pod'], async (t, ns) => {
    await lab.createNodes('node', 1)
    await singles(lab, ns, 1, 'low')
    await lab.createPods(ns, gangObjects({ name: 'g', size: 1, gated: true, priorityClassName: 'high' }))
    await gangIsBound(lab, ns, 'g', 1)
    await lab.createPods(ns, [podObject('low-0', { priorityClassName: 'low' })])
    await lab.waitFor('it is refused', () => podsOf(lab, ns, 'low').some(isRefused))
    await sleep(2_000)
    t.equal(boundIn(lab, ns, 'g'), 1, 'it evicts nobody')
    t.equal(count(lab, ns, 'low'), 0)
  })

  scenario(
    t,
    lab,
    ['P5 a victim that is replaced under its name before its eviction is asked for is not evicted'],
    async (t, ns) => {
      await lab.createNodes('node', 1)
      await singles(lab, ns, 1, 'low')
      let replaced: Promise<void> | undefined
      const replace = async (): Promise<void> => {
        await lab.deletePod(ns, 'low-0')
        await lab.createPods(ns, [podObject('low-0', { priorityClassName: 'high' })])
      }
      lab.api.intercept({
        before: call => (call.path.endsWith('/low-0/eviction') ? (replaced ??= replace()) : undefined)
      })
      await lab.createPods(ns, gangObjects({ name: 'g', size: 1, gated: true, priorityClassName: 'middle' }))
      await lab.until('the eviction is refused', async () =>
        lab.api.calls.some(({ path, status }) => path.endsWith('/low-0/eviction') && status === 409)
      )
      await lab.waitFor('one of the two runs', () => boundIn(lab, ns) === 1)
      t.equal(podsOf(lab, ns, 'low').length, 1, 'who came in its place is there')
      t.strictSame(leaving(lab, ns), [])
    }
  )

  scenario(
    t,
    lab,
    ['kube-scheduler killed while the victims leave: the room is still the gang’s', { faults: true }],
    async (t, ns) => {
      await lab.createNodes('node', 3)
      await singles(lab, ns, 2, 'low', {}, ['muster.test/slow'])
      await singles(lab, ns, 1, 'middle')
      await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: false, priorityClassName: 'high' }))
      await lab.waitFor('both victims leave', () => leaving(lab, ns).length === 2)
      await lab.scheduler.kill()
      await lab.createPods(
        ns,
        [0, 1].map(index => podObject(`late-${index}`, { priorityClassName: 'middle' }))
      )
      await release(lab, leaving(lab, ns))
      await lab.waitFor('both are gone', () => leaving(lab, ns).length === 0)
      await lab.scheduler.start()
      await gangIsBound(lab, ns, 'g', 2)
      t.strictSame(lab.history.everBound(`${ns}/late`), [])
      t.equal(count(lab, ns, 'middle'), 1)
    }
  )

  scenario(t, lab, ['P7 four preemptors race for the same victims'], async (t, ns) => {
    await lab.createNodes('node', 8)
    await singles(lab, ns, 8, 'low')
    const names = ['a', 'b', 'c', 'd']
    const pods = names.flatMap(name => gangObjects({ name, size: 4, gated: true, priorityClassName: 'high' }))
    await lab.createPods(ns, pods, 16)
    const whole = () => names.filter(name => boundIn(lab, ns, name) === 4)
    await lab.waitFor('two of them run', () => whole().length === 2)
    await nothingIsHeld(lab)
    t.equal(whole().length, 2)
    t.equal(boundIn(lab, ns), 8, 'nobody else runs')
  })

  scenario(
    t,
    lab,
    ['muster killed when some of the victims are evicted: no gang is left half ended', { faults: true }],
    async (t, ns) => {
      await lab.createNodes('node', 8)
      await lab.createPods(ns, gangObjects({ name: 'old', size: 8, gated: true, priorityClassName: 'low' }))
      await gangIsBound(lab, ns, 'old', 8)
      let evictions = 0
      lab.api.intercept({
        replied: call => {
          if (call.path.endsWith('/eviction') && ++evictions === 3) lab.muster.process.killNow()
        }
      })
      await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: true, priorityClassName: 'high' }))
      await lab.waitFor('three are evicted', () => lab.podsIn(ns, 'old').filter(isBound).length <= 5)
      lab.api.intercept({})
      await lab.muster.process.kill()
      await lab.muster.process.start()
      await gangIsBound(lab, ns, 'g', 2, 60_000)
      await lab.waitFor('the old gang has gone whole', () => lab.podsIn(ns, 'old').length === 0)
      await nothingIsHeld(lab)
      t.equal(boundIn(lab, ns), 2)
    }
  )

  scenario(t, lab, ["kube-scheduler's own preemption does not break a gang"], async (t, ns) => {
    await lab.createNodes('node', 4)
    await lab.createPods(ns, gangObjects({ name: 'old', size: 3, gated: true, priorityClassName: 'low' }))
    await gangIsBound(lab, ns, 'old', 3)
    await singles(lab, ns, 1, 'middle')
    await lab.createPods(ns, [podObject('urgent', { priorityClassName: 'high' })])
    await lab.waitFor('the urgent pod runs', () =>
      lab.podsIn(ns).some(pod => pod.metadata.name === 'urgent' && isBound(pod))
    )
    t.strictSame(
      [boundIn(lab, ns, 'old'), count(lab, ns, 'middle')],
      [3, 0],
      'the single pod went, of higher priority though it was'
    )
  })

  scenario(
    t,
    lab,
    ['preemptor and victim are told of each other, and the victim bears its condition'],
    async (t, ns) => {
      await lab.createNodes('node', 1)
      await singles(lab, ns, 1, 'low', {}, ['muster.test/slow'])
      await lab.createPods(ns, gangObjects({ name: 'g', size: 1, gated: true, priorityClassName: 'high' }))
      await lab.waitFor('the victim leaves', () => leaving(lab, ns).length === 1)
      t.match(
        leaving(lab, ns)[0]?.status.conditions?.find(({ type }) => type === 'DisruptionTarget'),
        { status: 'True' }
      )
      await lab.until('both are told', async () => {
        const notes = await notesIn(lab, ns)
        return (
          notes.some(note => note.includes(`evicts ${ns}/low-0`)) &&
          notes.some(note => note.includes(`evicted for gang ${ns}/g`))
        )
      })
      await release(lab, leaving(lab, ns))
      await gangIsBound(lab, ns, 'g', 1)
      t.pass()
    }
  )
}

/** Ordinary pods `CLASS-0` and on, bound. */
async function singles(
  lab: Lab,
  ns: string,
  size: number,
  name: Class,
  options: PodOptions = {},
  finalizers: readonly string[] = []
) {
  const pods = Array.from({ length: size }, (_, index) =>
    podObject(`${name}-${index}`, { priorityClassName: name, ...options })
  )
  await lab.createPods(
    ns,
    pods.map(pod => ({ ...pod, metadata: { ...pod.metadata, finalizers } }))
  )
  await lab.waitFor(`${size} pods of class ${name} are bound`, () => count(lab, ns, name) === size)
}

const podsOf = (lab: Lab, ns: string, name: Class): readonly Pod[] =>
  lab.podsIn(ns).filter(pod => gangOf(pod) === undefined && pod.metadata.name.startsWith(`${name}-`))

/** Ordinary pods of that class that run and are to stay. */
const count = (lab: Lab, ns: string, name: Class): number =>
  podsOf(lab, ns, name).filter(pod => isBound(pod) && pod.metadata.deletionTimestamp === undefined).length

const leaving = (lab: Lab, ns: string): readonly Pod[] =>
  lab.podsIn(ns).filter(pod => gangOf(pod) === undefined && pod.metadata.deletionTimestamp !== undefined)

const disrupted = (lab: Lab, ns: string): string[] =>
  lab
    .podsIn(ns)
    .filter(pod => pod.status.conditions?.some(({ type }) => type === 'DisruptionTarget'))
    .map(pod => pod.metadata.name)

const isRefused = (pod: Pod): boolean =>
  pod.status.conditions?.some(({ reason }) => reason === 'Unschedulable') ?? false

/** Lets pods go that a finalizer keeps. */
async function release(lab: Lab, pods: readonly Pod[]): Promise<void> {
  await forEach(pods, 4, ({ metadata: { namespace, name } }) =>
    lab.cluster.client.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, { metadata: { finalizers: null } })
  )
}

async function budget(lab: Lab, ns: string, name: string, matchLabels: object, minAvailable: number): Promise<void> {
  const path = `/apis/policy/v1/namespaces/${ns}/poddisruptionbudgets`
  await lab.cluster.client.create(path, { metadata: { name }, spec: { minAvailable, selector: { matchLabels } } })
  await lab.until(`budget ${name} is counted`, async () => {
    const { status } = await lab.cluster.client.get<{ status?: { expectedPods?: number } }>(`${path}/${name}`)
    return (status?.expectedPods ?? 0) > 0
  })
}

async function notesIn(lab: Lab, ns: string): Promise<string[]> {
  const { items } = await lab.cluster.client.get<{ items: { note?: string }[] }>(
    `/apis/events.k8s.io/v1/namespaces/${ns}/events`
  )
  return items.map(({ note = '' }) => note)
}
