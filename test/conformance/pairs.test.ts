import t, { type Test } from 'tap'
import { metric } from '../control-plane/muster.ts'
import { isBound } from '../control-plane/objects.ts'
import { type Pair, pairOf, type Timing, whyNoHosts } from '../control-plane/pairs.ts'
import { answers } from '../control-plane/probe.ts'
import { boundIn, openLab, tally } from './scenario.ts'

/** `TEST_TIMING=15s,10s,2s` are kube-scheduler's own; these keep the scenarios short. */
const [leaseDuration = '', renewDeadline = '', retryPeriod = ''] = (process.env['TEST_TIMING'] ?? '5s,4s,1s').split(',')
const timing: Timing = { leaseDuration, renewDeadline, retryPeriod }
const only = process.env['TEST_CASE'] ?? ''

/** Two leases, kube-scheduler's longest backoff, a lost bind's timeout. */
const recovery = 120_000
const size = 8

const noHosts = await whyNoHosts()
if (noHosts !== undefined) t.plan(0, noHosts)
const lab = noHosts === undefined ? await openLab(t, { muster: false }) : undefined

if (lab) {
  const pairs = await Promise.all(['pair-a', 'pair-b'].map(host => pairOf(lab.cluster, host, timing)))
  const leaders = async (): Promise<readonly Pair[]> => {
    const leads = await Promise.all(pairs.map(async pair => (await pair.leads().catch(() => false)) && pair))
    return leads.filter(pair => pair !== false)
  }
  const untilLeads = (pair: Pair) => lab.until(`${pair.host} leads`, () => pair.leads(), recovery)

  /** The pair that leads and the one that stands by, both in step with the cluster. */
  const cast = async (): Promise<{ leader: Pair; heir: Pair }> => {
    for (const pair of pairs) await pair.start()
    const ready = async () =>
      (await Promise.all(pairs.map(pair => answers(`${pair.muster.url}/readyz`)))).every(Boolean)
    await lab.until('both musters are ready', ready, recovery)
    await lab.until('one pair leads', async () => (await leaders()).length === 1, recovery)
    const [leader] = await leaders()
    const heir = pairs.find(pair => pair !== leader)
    if (!leader || !heir) throw new Error('the lead was lost while it was looked for')
    return { leader, heir }
  }

  const whole = async (namespace: string, gangs: readonly string[]): Promise<void> => {
    const isWhole = () => boundIn(lab, namespace) === gangs.length * size
    await lab.waitFor(`all ${gangs.length} gangs of ${size} are whole`, isWhole, recovery)
  }

  const scenario = (name: string, body: (t: Test, namespace: string) => Promise<readonly string[]>): void => {
    if (!name.includes(only)) return
    t.test(name, async t => {
      t.setTimeout(600_000)
      const namespace = await lab.createNamespace(`pairs-${name.replaceAll(/\W+/g, '-').toLowerCase().slice(0, 40)}`)
      await lab.createNodes('node', 4, { slots: 64, cpu: '64' })
      const gangs = await body(t, namespace)
      await whole(namespace, gangs)
      await lab.until('one pair leads in the end', async () => (await leaders()).length === 1, recovery)
      t.strictSame(tally(lab, namespace, gangs, size).whole, gangs, 'no gang is lost, none is partial')
      t.strictSame(lab.history.boundTwice(), [], 'no pod has had two places')
      const partial = Math.max(0, ...lab.history.longestPartial().values())
      t.comment(`the longest time that a gang was bound in part: ${Math.round(partial)} ms`)
      for (const pair of pairs) t.ok(pair.muster.process.running, `the muster of ${pair.host} is alive`)
      await lab.clear()
    })
  }

  /** Creates gangs, gated and ungated by turns, and waits until one of them has begun to be bound. */
  const inFlight = async (namespace: string, count: number): Promise<readonly string[]> => {
    const gangs = Array.from({ length: count }, (_, index) => `gang-${index}`)
    const created = Promise.all(
      gangs.map((name, index) => lab.createGang(namespace, { name, size, gated: index % 2 === 0 }))
    )
    await lab.waitFor('the first member is bound', () => lab.podsIn(namespace).some(isBound), recovery)
    void created.catch(() => undefined)
    return gangs
  }

  /** Gangs one after the other for as long as something happens; all that were created. */
  const stream = async (namespace: string, happens: Promise<void>): Promise<readonly string[]> => {
    const gangs: string[] = []
    const told = { over: false }
    const ends = happens.finally(() => (told.over = true))
    while (!told.over && gangs.length < 28) {
      const name = `stream-${gangs.length}`
      gangs.push(name)
      await lab.createGang(namespace, { name, size, gated: gangs.length % 2 === 0 })
      await lab.waitFor(`gang ${name} begins`, () => told.over || boundIn(lab, namespace, name) > 0, recovery)
    }
    await ends
    return gangs
  }

  scenario('O2 the leading pair is killed with gangs in flight', async (t, ns) => {
    const { leader, heir } = await cast()
    t.strictSame(await bindAt(heir), { Error: 'muster is on standby: the lease does not name its host' })
    const gangs = await inFlight(ns, 6)
    const begun = performance.now()
    await leader.kill()
    await untilLeads(heir)
    t.comment(`crash: the other pair led ${Math.round(performance.now() - begun)} ms later, lease ${leaseDuration}`)
    await whole(ns, gangs)
    await leader.start()
    return gangs
  })

  scenario('the leading muster alone is killed', async (t, ns) => {
    const { leader } = await cast()
    const epoch = await metric(leader.muster, 'muster_epoch')
    const gangs = await inFlight(ns, 6)
    await leader.muster.process.kill()
    const begun = performance.now()
    await leader.muster.process.start()
    t.comment(`ready again ${Math.round(performance.now() - begun)} ms later`)
    await whole(ns, gangs)
    const [now] = await leaders()
    if (now) t.ok((await metric(now.muster, 'muster_epoch')) > epoch, 'a later life has a later epoch')
    return gangs
  })

  scenario('O2 the leading kube-scheduler alone is killed', async (t, ns) => {
    const { leader } = await cast()
    const gangs = await inFlight(ns, 6)
    const begun = performance.now()
    await leader.scheduler.kill()
    await whole(ns, gangs)
    t.comment(`all gangs were whole ${Math.round(performance.now() - begun)} ms later`)
    return gangs
  })

  scenario('O6 a rolling restart under a stream of gangs', async (t, ns) => {
    const { leader, heir } = await cast()
    const roll = async (): Promise<void> => {
      const begun = performance.now()
      const stopped = leader.stop()
      await untilLeads(heir)
      t.comment(`graceful: the other pair led ${Math.round(performance.now() - begun)} ms after SIGTERM`)
      await stopped
      await leader.start()
      await heir.stop()
      await untilLeads(leader)
      await heir.start()
    }
    const gangs = await stream(ns, roll())
    t.comment(`${gangs.length} gangs came meanwhile`)
    return gangs
  })

  scenario('O1 two pairs believe that they lead', async (_, ns) => {
    const { leader, heir } = await cast()
    const first = await inFlight(ns, 4)
    leader.pause()
    await untilLeads(heir)
    await lab.createGang(ns, { name: 'meanwhile', size, gated: true })
    // In the midst of what the other pair does.
    leader.resume()
    await lab.until('the pair that stood still does not lead', async () => !(await leader.leads()), recovery)
    return [...first, 'meanwhile']
  })

  t.teardown(async () => {
    await Promise.all(pairs.map(pair => pair.kill()))
    await Promise.all(pairs.map(pair => pair.verbs.stop()))
  })
}

/** What a muster answers to a kube-scheduler that asks it to bind some pod. */
async function bindAt({ muster }: Pair): Promise<unknown> {
  const body = JSON.stringify({ PodName: 'some', PodNamespace: 'default', PodUID: 'none', Node: 'node-0' })
  const headers = { 'content-type': 'application/json' }
  return await (await fetch(`${muster.url}/bind`, { method: 'POST', headers, body })).json()
}
