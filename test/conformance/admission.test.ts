import t from 'tap'
import { ApiError } from '../control-plane/client.ts'
import { type NamedPod, type Pod, type PodOptions, podObject } from '../control-plane/objects.ts'
import { installation, kubectl } from './kubectl.ts'
import { openLab } from './scenario.ts'

/** The policies that are shipped, in a real API server; nobody schedules. */
const lab = await openLab(t, { muster: false, kwok: false })

const gate = 'muster.dev/gang'
const gang = { 'muster.dev/gang': 'g', 'muster.dev/min-member': '2' }

const handedOver = { 'muster.dev/pin': 'true', 'muster.dev/binder': 'kube-scheduler' }

const gated: Record<string, { readonly pod: PodOptions; readonly fields?: object; readonly want: readonly string[] }> =
  {
    'a gang pod of the scheduler muster gets the gate': { pod: { annotations: gang }, want: [gate] },
    'one of custom-scheduler as well, by the plain annotation': {
      pod: { schedulerName: 'custom-scheduler', annotations: { 'pod-group': 'g' } },
      want: [gate]
    },
    'one that has it already is not gated twice': { pod: { annotations: gang, gates: [gate] }, want: [gate] },
    'gates of others stay': { pod: { annotations: gang, gates: ['other.dev/gate'] }, want: ['other.dev/gate', gate] },
    'a gang pod of another scheduler is left alone': {
      pod: { schedulerName: 'default-scheduler', annotations: gang },
      want: []
    },
    'a pod without a gang is left alone': { pod: {}, want: [] },
    'one with other annotations as well': { pod: { annotations: { 'muster.dev/priority': '1' } }, want: [] },
    'one that is on a node already is left alone': { pod: { annotations: gang }, fields: { nodeName: 'n' }, want: [] }
  }

const marked: Record<string, { readonly pod: PodOptions; readonly want: boolean }> = {
  'a gang pod': { pod: { annotations: gang }, want: true },
  'one of another dialect, by a label': { pod: { labels: { 'kueue.x-k8s.io/pod-group-name': 'g' } }, want: true },
  'a pod of an indexed Job': { pod: { annotations: { 'batch.kubernetes.io/job-completion-index': '0' } }, want: true },
  'any pod of custom-scheduler': { pod: { schedulerName: 'custom-scheduler' }, want: true },
  'one that kube-scheduler is to bind by itself': {
    pod: { annotations: { ...gang, ...handedOver }, gates: [gate] },
    want: false
  },
  'one that wants that without a pin': {
    pod: { annotations: { ...gang, 'muster.dev/binder': 'kube-scheduler' } },
    want: true
  },
  'an ordinary pod': { pod: {}, want: false },
  'a gang pod of another scheduler': { pod: { schedulerName: 'default-scheduler', annotations: gang }, want: false }
}

const refused: Record<string, { readonly annotations: Readonly<Record<string, string>>; readonly want: RegExp }> = {
  'a priority above the limit': {
    annotations: { 'muster.dev/priority': '1001' },
    want: /annotation muster\.dev\/priority must be an integer of at most 1000 in namespace tenant/
  },
  'the plain one too': { annotations: { priority: '999999' }, want: /annotation priority must be .* at most 1000/ },
  'a priority that is no number': { annotations: { priority: '1e9' }, want: /annotation priority must be an integer/ },
  'a priority of more digits than numbers have': {
    annotations: { priority: '99999999999999999999' },
    want: /must be an integer of at most 1000/
  },
  'a gang that is too large': {
    annotations: { 'muster.dev/gang': 'g', 'muster.dev/min-member': '1001' },
    want: /annotation muster\.dev\/min-member must be an integer from 1 to 1000 in namespace tenant/
  },
  'a gang of nobody': { annotations: { 'muster.dev/min-member': '0' }, want: /must be an integer from 1 to 1000/ }
}

const allowed: Record<string, PodOptions> = {
  'an ordinary pod': {},
  'an ordinary gang': { annotations: { ...gang, 'muster.dev/priority': '1000' } },
  'a priority below nothing': { annotations: { priority: '-5' } },
  'what another scheduler may mean by the same words': {
    schedulerName: 'default-scheduler',
    annotations: { priority: 'high', 'muster.dev/min-member': '5000' }
  }
}

const podsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`
const priority = (value: number) => podObject('p', { annotations: { priority: String(value) } })

/** What the API server refused with; empty where it did not. */
async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason
  )
  return error instanceof ApiError && (error.status === 403 || error.status === 422) ? error.message : ''
}

if (lab) {
  const { cluster } = lab
  const { client } = cluster
  const tried = (pod: NamedPod, namespace = 'tenant') => client.create<Pod>(`${podsOf(namespace)}?dryRun=All`, pod)

  await kubectl(cluster, 'apply', '-f', 'manifests/base/namespace.yaml')
  await kubectl(cluster, 'apply', '-k', installation(t, ['gates', 'guards', 'scope-gangs']))
  for (const namespace of ['tenant', 'small', 'large', 'broken']) await lab.createNamespace(namespace)
  // A policy counts once the API server's own watch has shown it.
  await lab.until('the gates are there', async () => {
    return ((await tried(podObject('p', { annotations: gang }))).spec.schedulingGates?.length ?? 0) > 0
  })
  await lab.until('the limits are there', async () => (await refusal(tried(priority(1001)))) !== '')

  t.test('gates', async t => {
    for (const [name, { pod, fields, want }] of Object.entries(gated)) {
      const object = podObject('p', pod)
      const made = await tried({ ...object, spec: { ...(object['spec'] as object), ...fields } })
      t.strictSame(made.spec.schedulingGates?.map(each => each.name) ?? [], want, name)
    }
  })

  t.test(
    'with --scope gangs the pods that muster plans want the two resources of its entries, and no others do',
    async t => {
      const both = { 'muster.dev/filter': '1', 'muster.dev/bind': '1' }
      type Sized = { readonly spec: { readonly containers: readonly { readonly resources: Sizes }[] } }
      type Sizes = { readonly requests: object; readonly limits?: object }
      for (const [name, { pod, want }] of Object.entries(marked)) {
        const made = (await tried(podObject('p', pod))) as unknown as Sized
        const { requests, limits = {} } = made.spec.containers[0]?.resources ?? { requests: {} }
        t.strictSame(limits, want ? both : {}, name)
        t.match(requests, { cpu: '10m', ...limits }, 'what it asked for stays')
      }
    }
  )

  t.test(
    'a pod that kube-scheduler is to bind by itself has the gate, its own or the one that the policy adds',
    async t => {
      const labels = { 'kueue.x-k8s.io/pod-group-name': 'g' }
      const why = /must be made with the scheduling gate muster\.dev\/gang, or kube-scheduler binds it before/
      for (const round of [1, 2, 3]) {
        const made = await tried(podObject('p', { annotations: { ...gang, ...handedOver } }))
        t.strictSame(made.spec.schedulingGates, [{ name: gate }], `${round}`)
      }
      await t.resolves(tried(podObject('p', { labels, annotations: handedOver, gates: [gate] })))
      t.match(await refusal(tried(podObject('p', { labels, annotations: handedOver }))), why)
      const unpinned = { 'muster.dev/binder': 'kube-scheduler' }
      await t.resolves(tried(podObject('p', { labels, annotations: unpinned })), 'muster binds that one')
    }
  )

  t.test('limits', async t => {
    for (const [name, { annotations, want }] of Object.entries(refused))
      t.match(await refusal(tried(podObject('p', { annotations }))), want, name)
    for (const [name, pod] of Object.entries(allowed)) await t.resolves(tried(podObject('p', pod)), name)
  })

  t.test(
    'a namespace has limits of its own, larger or smaller; one that is no number lets nothing through',
    async t => {
      const data = { 'small.max-priority': '10', 'large.max-priority': '5000', 'broken.max-priority': 'ten' }
      await client.patch('/api/v1/namespaces/muster-system/configmaps/muster-limits', {
        data: { ...data, 'small.max-gang-size': '4' }
      })
      await lab.until('the limits have changed', async () => (await refusal(tried(priority(11), 'small'))) !== '')
      await t.resolves(tried(priority(10), 'small'))
      await t.resolves(tried(priority(5000), 'large'))
      t.match(await refusal(tried(priority(1), 'broken')), /at most 0 in namespace broken/)
      t.match(await refusal(tried(priority(1001))), /at most 1000 in namespace tenant/, 'all others as before')
      const five = podObject('p', { annotations: { 'muster.dev/min-member': '5' } })
      t.match(await refusal(tried(five, 'small')), /from 1 to 4 in namespace small/)
      await t.resolves(tried(five, 'large'), 'a limit that a namespace does not have is the common one')
    }
  )

  t.test('what makes a gang cannot be changed, nor taken away or given later; all else can', async t => {
    await client.create(podsOf('tenant'), podObject('member', { annotations: gang }))
    await client.create(podsOf('tenant'), podObject('ordinary'))
    const other = podObject('foreign', { schedulerName: 'default-scheduler', annotations: gang })
    await client.create(podsOf('tenant'), other)
    const change = (name: string, annotations: object) =>
      client.patch(`${podsOf('tenant')}/${name}`, { metadata: { annotations } })
    const changes: readonly (readonly [string, object])[] = [
      ['member', { 'muster.dev/gang': 'another' }],
      ['member', { 'muster.dev/gang': null }],
      ['member', { 'muster.dev/min-member': '1' }],
      ['member', { 'muster.dev/role': 'leader' }],
      ['member', { 'muster.dev/roles': '{"leader":1}' }],
      ['member/status', { 'muster.dev/gang': 'another' }],
      ['ordinary', { 'pod-group': 'g' }]
    ]
    for (const [name, annotations] of changes) {
      const want = `annotation ${Object.keys(annotations)[0] ?? ''} says which gang the pod belongs to`
      t.match(await refusal(change(name, annotations)), want, `${name} ${JSON.stringify(annotations)}`)
    }
    t.match(await refusal(change('ordinary', { priority: '2000' })), /at most 1000/, 'limits hold for changes too')
    await t.resolves(change('ordinary', { priority: '7' }))
    await t.resolves(change('member', { 'muster.dev/last-checkpoint': '2026-11-30T07:00:00Z' }))
    await t.resolves(change('foreign', { 'muster.dev/gang': 'another' }))
  })

  t.test('a limit that is lowered keeps nobody from changing something else', async t => {
    await client.patch('/api/v1/namespaces/muster-system/configmaps/muster-limits', {
      data: { 'tenant.max-priority': '5' }
    })
    await lab.until('the limit is lower', async () => (await refusal(tried(priority(6)))) !== '')
    const path = `${podsOf('tenant')}/ordinary`
    await t.resolves(client.patch(path, { metadata: { labels: { a: 'b' } } }))
    t.match(await refusal(client.patch(path, { metadata: { annotations: { priority: '8' } } })), /at most 5/)
  })

  t.test('without the ConfigMap nothing is limited, and pods are still let in', async t => {
    await client.delete('/api/v1/namespaces/muster-system/configmaps/muster-limits')
    await lab.until('nothing is limited', async () => (await refusal(tried(priority(1001)))) === '')
    await t.resolves(tried(priority(1001)))
  })
}
