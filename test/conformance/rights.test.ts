import t from 'tap'
import { type Audited, audited } from '../control-plane/audit.ts'
import { metric } from '../control-plane/muster.ts'
import { gangObjects, isBound, type Pod, podObject } from '../control-plane/objects.ts'
import { answers } from '../control-plane/probe.ts'
import { type Rule, sources } from '../installed.ts'
import { installation, kubectl } from './kubectl.ts'
import { boundIn, gangIsBound, openLab, scenario } from './scenario.ts'

const podGroups = {
  'scheduling.x-k8s.io': 'v1alpha1',
  'scheduling.sigs.k8s.io': 'v1alpha1',
  'scheduling.volcano.sh': 'v1beta1',
  'scheduling.run.ai': 'v2alpha2'
}

function definition(group: string, name: string): object {
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    metadata: {
      name: `podgroups.${group}`,
      // What is in a *.k8s.io group says where it was approved.
      annotations: { 'api-approved.kubernetes.io': 'unapproved, test-only' }
    },
    spec: {
      ...{ group, scope: 'Namespaced', names: { kind: 'PodGroup', plural: 'podgroups', singular: 'podgroup' } },
      versions: [{ name, served: true, storage: true, schema: { openAPIV3Schema } }]
    }
  }
}

/** muster with the token of its own account and the roles that are shipped; the API server writes down what it asks. */
const account = 'muster-system/muster'
const folder = installation(t, ['gates', 'preemption'])
const lab = await openLab(t, {
  ...{
    audit: true,
    musterAccount: account,
    sharedArgs: ['--lease', 'muster-system/muster'],
    musterArgs: ['--resync', '1h']
  },
  async prepare(cluster) {
    await kubectl(cluster, 'apply', '-f', 'manifests/base/namespace.yaml')
    await kubectl(cluster, 'apply', '-k', folder)
    for (const [group, version] of Object.entries(podGroups))
      await cluster.client.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition(group, version))
    await cluster.client.create('/apis/scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'high' },
      value: 100
    })
  }
})

const rights = (rules: readonly Rule[]): readonly string[] =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap(group => resources.flatMap(each => verbs.map(verb => nameOf(verb, group, each))))
  )
const nameOf = (verb: string, group: string, resource: string): string =>
  `${verb} ${group === '' ? 'core' : group}/${resource}`

/** What the base and its components give to muster. */
const granted = ['base', 'components/gates', 'components/preemption']
  .flatMap(name => sources(`manifests/${name}`))
  .filter(({ metadata }) => !metadata.name.includes('kube-scheduler'))
  .flatMap(({ rules = [] }) => rights(rules))

if (lab) {
  const { client } = lab.cluster
  const asked = (): Promise<readonly Audited[]> => audited(lab.cluster.site.dir, account)
  const isThere = (ns: string, name: string, is: (pod: Pod) => boolean): boolean =>
    lab.podsIn(ns).some(pod => pod.metadata.name === name && is(pod))

  scenario(t, lab, ['a gang that the policy gates, and an ordinary pod'], async (t, ns) => {
    await lab.createNodes('node', 3)
    await lab.until('the gates are there', async () => {
      const path = `/api/v1/namespaces/${ns}/pods?dryRun=All`
      const [pod] = gangObjects({ name: 'g', size: 1, gated: false })
      return ((await client.create<Pod>(path, pod ?? {})).spec.schedulingGates?.length ?? 0) > 0
    })
    await lab.createPods(ns, gangObjects({ name: 'g', size: 2, gated: false }))
    await gangIsBound(lab, ns, 'g', 2)
    t.ok(
      (await asked()).some(({ verb, resource }) => verb === 'patch' && resource === 'pods'),
      'it was ungated'
    )
    await lab.createPods(ns, [podObject('single')])
    await lab.waitFor('an ordinary pod runs', () => isThere(ns, 'single', isBound))
  })

  scenario(t, lab, ['an ungated gang of a PodGroup'], async (t, ns) => {
    await lab.createNodes('node', 2)
    await client.create(`/apis/scheduling.x-k8s.io/v1alpha1/namespaces/${ns}/podgroups`, {
      ...{ apiVersion: 'scheduling.x-k8s.io/v1alpha1', kind: 'PodGroup', metadata: { name: 'pg' } },
      spec: { minMember: 2 }
    })
    const labels = { 'scheduling.x-k8s.io/pod-group': 'pg' }
    await lab.createPods(
      ns,
      ['a', 'b'].map(name => podObject(name, { labels }))
    )
    await lab.waitFor('both run', () => lab.podsIn(ns).filter(isBound).length === 2)
    t.strictSame(
      lab.podsIn(ns).flatMap(pod => pod.spec.schedulingGates ?? []),
      []
    )
  })

  scenario(t, lab, ['a gang is ended whole for another, and one fails when its time is up'], async (t, ns) => {
    await lab.createNodes('node', 3)
    await lab.createPods(ns, gangObjects({ name: 'low', size: 3, gated: true }))
    await gangIsBound(lab, ns, 'low', 3)
    const annotations = { 'muster.dev/gang-timeout': '1s', 'muster.dev/on-timeout': 'fail' }
    await lab.createPods(ns, gangObjects({ name: 'late', size: 2, gated: true, annotations }))
    await lab.waitFor('the late gang is failed', () => {
      const late = lab.podsIn(ns, 'late')
      return late.length === 2 && late.every(pod => pod.status.phase === 'Failed')
    })
    await lab.createPods(ns, gangObjects({ name: 'high', size: 3, gated: true, priorityClassName: 'high' }))
    await gangIsBound(lab, ns, 'high', 3)
    await lab.until('its members hear of it', async () => {
      const path = `/apis/events.k8s.io/v1/namespaces/${ns}/events`
      const { items } = await client.get<{ readonly items: readonly { readonly reason: string }[] }>(path)
      return items.some(({ reason }) => reason === 'Preempting')
    })
    t.equal(lab.podsIn(ns, 'low').filter(isBound).length, 0)
  })

  scenario(t, lab, ['muster starts anew, a lost member is replaced, an answer is lost'], async (t, ns) => {
    await lab.createNodes('node', 3)
    await lab.createPods(ns, gangObjects({ name: 'g', size: 3, gated: true }))
    await gangIsBound(lab, ns, 'g', 3)
    await lab.muster.process.kill()
    await lab.start()
    await lab.deletePod(ns, 'g-1')
    await lab.waitFor('it is gone', () => boundIn(lab, ns, 'g') === 2)
    let lost = 0
    lab.api.intercept({ loses: ({ path }) => path.endsWith('/binding') && lost++ === 0 })
    await lab.createPods(ns, gangObjects({ name: 'g', size: 3, gated: true }).slice(1, 2))
    await gangIsBound(lab, ns, 'g', 3)
    // The watch may be faster than the answer.
    await lab.until('the answer has been lost', async () => lost > 0)
    t.equal(boundIn(lab, ns, 'g'), 3)
  })

  scenario(t, lab, ['kube-scheduler is gone, its lease ends, and somebody asks all the same'], async t => {
    await lab.scheduler.kill()
    const standsBy = async (): Promise<boolean> =>
      (await metric(lab.muster, 'muster_active')) === 0 && (await answers(`${lab.muster.url}/readyz`))
    await lab.until('muster stands by', standsBy, 60_000)
    const body = JSON.stringify({ PodName: 'some', PodNamespace: 'default', PodUID: 'none', Node: 'node-0' })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${lab.muster.url}/bind`, { method: 'POST', headers, body })
    t.match(await answer.json(), { Error: /on standby/ }, 'it has looked for the lease, and does not lead')
    await lab.scheduler.start()
  })

  t.test('the API server forbade nothing, and every right was used', async t => {
    const all = await asked()
    t.ok(all.length > 100, `${all.length} requests`)
    t.strictSame(
      all.filter(({ code }) => code === 401 || code === 403),
      []
    )
    const used = new Set(all.map(({ verb, group, resource }) => nameOf(verb, group, resource)))
    t.strictSame(
      granted.filter(right => !used.has(right)),
      []
    )
  })
}
