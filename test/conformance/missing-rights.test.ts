import t from 'tap'
import { gangs, metric } from '../control-plane/muster.ts'
import { gangObjects, isBound, podObject } from '../control-plane/objects.ts'
import { installation, kubectl } from './kubectl.ts'
import { boundIn, gangIsBound, openLab, scenario } from './scenario.ts'

/** The base alone: muster may neither evict nor take gates away. */
const account = 'muster-system/muster'
const folder = installation(t, [])
const lab = await openLab(t, {
  ...{ musterAccount: account, musterArgs: ['--resync', '1h'] },
  async prepare(cluster) {
    await kubectl(cluster, 'apply', '-f', 'manifests/base/namespace.yaml')
    await kubectl(cluster, 'apply', '-k', folder)
    await cluster.client.create('/apis/scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'high' },
      value: 100
    })
  }
})

if (lab) {
  const { client } = lab.cluster
  const reasonOf = async (ns: string, name: string): Promise<unknown> =>
    (await gangs(lab.muster)).find(gang => gang.namespace === ns && gang.name === name)?.['reason']
  const says = async (ns: string, name: string, what: RegExp): Promise<void> => {
    await lab.until(`gang ${name} says ${what}`, async () => what.test(String(await reasonOf(ns, name))))
    await lab.until('its members hear it', async () => {
      const path = `/apis/events.k8s.io/v1/namespaces/${ns}/events`
      const { items } = await client.get<{ readonly items: readonly { readonly note: string }[] }>(path)
      return items.some(({ note }) => what.test(note))
    })
  }

  scenario(t, lab, ['the base is enough for gangs without gates, and for ordinary pods'], async (t, ns) => {
    await lab.createNodes('node', 3)
    await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: false }))
    await lab.createPods(ns, [podObject('single')])
    await gangIsBound(lab, ns, 'g', 2)
    await lab.waitFor('the ordinary pod runs', () => lab.podsIn(ns).filter(isBound).length === 3)
    t.equal(await metric(lab.muster, 'muster_apiserver_requests_total', 'code="403"'), 0)
  })

  scenario(
    t,
    lab,
    ['a gated gang holds nothing and hears which right is missing, until it is given'],
    async (t, ns) => {
      await lab.createNodes('node', 2)
      await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: true }))
      await says(ns, 'g', /no right to take the gate muster\.dev\/gang away .* manifests\/components\/gates gives/)
      await lab.until('nothing is held for it', async () => (await lab.holds()) === 0)
      await lab.createPods(ns, gangObjects({ name: 'other', size: 2, gated: false }))
      await gangIsBound(lab, ns, 'other', 2)
      t.equal(boundIn(lab, ns, 'g'), 0)
      await lab.deletePod(ns, 'other-0')
      await lab.deletePod(ns, 'other-1')
      await kubectl(lab.cluster, 'apply', '-f', 'manifests/components/gates/rights.yaml')
      await gangIsBound(lab, ns, 'g', 2, 120_000)
    }
  )

  scenario(
    t,
    lab,
    ['a gang that would have to evict hears which right is missing, and nobody is evicted'],
    async (t, ns) => {
      await lab.createNodes('node', 2)
      await lab.createPods(ns, gangObjects({ name: 'low', size: 2, minMember: 1, gated: false }))
      await gangIsBound(lab, ns, 'low', 2)
      await lab.createPods(ns, gangObjects({ name: 'high', size: 2, gated: true, priorityClassName: 'high' }))
      await says(ns, 'high', /no right to evict pods .* manifests\/components\/preemption gives/)
      t.equal(boundIn(lab, ns, 'low'), 2)
      t.equal(await metric(lab.muster, 'muster_apiserver_requests_total', 'resource="pods/eviction"'), 1, 'one attempt')
      await kubectl(lab.cluster, 'apply', '-f', 'manifests/components/preemption/rights.yaml')
      await gangIsBound(lab, ns, 'high', 2, 120_000)
    }
  )
}
