import {
  ApiException,
  AppsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  V1MicroTime,
  type V1Pod
} from '@kubernetes/client-node'
import t, { type Test } from 'tap'
import { startEmbeddedCluster, type ClusterOptions } from '../../extender/embedded/cluster.ts'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { controllers, kubelet, usualNodes } from '../../extender/embedded/parts.ts'
import { untilTrue } from './until.ts'

const namespace = 'default'

async function rig(t: Test, options: ClusterOptions = {}) {
  const cluster = await startEmbeddedCluster(options)
  t.teardown(() => cluster.stop())
  const config = new KubeConfig()
  config.loadFromString(cluster.kubeconfig)
  return { cluster, config, core: config.makeApiClient(CoreV1Api) }
}

const pod = (name: string): V1Pod => ({
  metadata: { name, labels: { app: 'a' } },
  spec: { containers: [{ name: 'main', image: 'none' }] }
})

/** The HTTP status with which a call was refused. */
async function refused(call: Promise<unknown>): Promise<number> {
  try {
    await call
  } catch (error) {
    if (error instanceof ApiException) return error.code
    throw error
  }
  throw new Error('it was not refused')
}

for (const [name, options] of Object.entries({ 'over TLS': {}, 'over plain HTTP': { tls: false } }))
  t.test(`create, read and delete ${name}`, async t => {
    const { core } = await rig(t, options)
    const made = await core.createNamespacedPod({ namespace, body: pod('a') })
    t.ok(made.metadata?.creationTimestamp instanceof Date)
    t.equal(await refused(core.createNamespacedPod({ namespace, body: pod('a') })), 409)
    t.equal(await refused(core.readNamespacedPod({ namespace, name: 'b' })), 404)
    t.equal((await core.listNamespacedPod({ namespace, labelSelector: 'app=a' })).items.length, 1)
    t.equal((await core.listPodForAllNamespaces()).items[0]?.metadata?.uid, made.metadata?.uid)
    const stale = { preconditions: { uid: 'other' } }
    t.equal(await refused(core.deleteNamespacedPod({ namespace, name: 'a', body: stale })), 409)
    await core.deleteNamespacedPod({ namespace, name: 'a' })
    t.equal(await refused(core.readNamespacedPod({ namespace, name: 'a' })), 404)
  })

t.test('an informer sees everything, once', async t => {
  const { config, core } = await rig(t)
  await core.createNamespacedPod({ namespace, body: pod('before') })
  const path = `/api/v1/namespaces/${namespace}/pods`
  const informer = makeInformer(config, path, () => core.listNamespacedPod({ namespace }))
  const seen: string[] = []
  for (const type of ['add', 'update', 'delete'] as const)
    informer.on(type, object => void seen.push(`${type} ${object.metadata?.name}`))
  // Being stopped is an error for it as well.
  const errors: unknown[] = []
  informer.on('error', error => void errors.push(error))
  await informer.start()
  t.teardown(() => informer.stop())
  await core.createNamespacedPod({ namespace, body: pod('after') })
  const body = { metadata: { labels: { app: 'b' } } }
  await core.patchNamespacedPod(
    { namespace, name: 'after', body },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch)
  )
  await core.deleteNamespacedPod({ namespace, name: 'before' })
  await untilTrue('the deletion', () => seen.includes('delete before'))
  // A pod is marked before it goes, as upstream does it.
  const want = ['add before', 'add after', 'update after', 'update before', 'delete before']
  t.strictSame(seen, want)
  t.strictSame(errors, [])
})

t.test('all patches', async t => {
  const { config } = await rig(t)
  const apps = config.makeApiClient(AppsV1Api)
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: {
      containers: [
        { name: 'one', image: '1' },
        { name: 'two', image: '2' }
      ]
    }
  }
  const spec = { replicas: 1, selector: { matchLabels: { a: 'b' } }, template }
  await apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'd' }, spec } })
  const patch = (body: object, type: string) =>
    apps.patchNamespacedDeployment(
      { namespace, name: 'd', body, fieldManager: 'test' },
      setHeaderOptions('Content-Type', type)
    )
  const images = { spec: { template: { spec: { containers: [{ name: 'two', image: '3' }] } } } }
  const strategic = await patch(images, PatchStrategy.StrategicMergePatch)
  t.strictSame(strategic.spec?.template.spec?.containers.map(({ name, image }) => [name, image]).toSorted(), [
    ['one', '1'],
    ['two', '3']
  ])
  const json = await patch([{ op: 'replace', path: '/spec/replicas', value: 4 }], PatchStrategy.JsonPatch)
  t.equal(json.spec?.replicas, 4)
  t.equal(
    (await refused(patch([{ op: 'test', path: '/spec/replicas', value: 5 }], PatchStrategy.JsonPatch))) >= 400,
    true
  )
  const merge = await patch({ metadata: { annotations: { x: 'y' } } }, PatchStrategy.MergePatch)
  t.equal(merge.metadata?.annotations?.x, 'y')
  const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'd' })
  t.equal(scale.spec?.replicas, 4)
  const body = { metadata: scale.metadata!, spec: { replicas: 2 } }
  t.equal((await apps.replaceNamespacedDeploymentScale({ namespace, name: 'd', body })).spec?.replicas, 2)
})

t.test('bindings', async t => {
  const { core } = await rig(t, { parts: [kubelet(usualNodes(1), [simulatedRuntime()])] })
  await core.createNamespacedPod({ namespace, body: pod('a') })
  const target = { apiVersion: 'v1', kind: 'Node', name: 'node-1' }
  const bind = (name: string) =>
    core.createNamespacedPodBinding({ namespace, name, body: { metadata: { name }, target } })
  await bind('a')
  t.equal(await refused(bind('a')), 409)
  t.equal(await refused(bind('b')), 404)
  const phase = async () => (await core.readNamespacedPodStatus({ namespace, name: 'a' })).status?.phase
  for (let tries = 0; tries < 100 && (await phase()) !== 'Running'; tries++)
    await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(await phase(), 'Running')
  t.type(await core.readNamespacedPodLog({ namespace, name: 'a' }), 'string')
})

const spec = (holderIdentity: string) => ({ holderIdentity, renewTime: new V1MicroTime() })

t.test('of many who want a lease, one gets it', async t => {
  const { config } = await rig(t)
  const leases = config.makeApiClient(CoordinationV1Api)
  const lease = await leases.createNamespacedLease({
    namespace,
    body: { metadata: { name: 'l' }, spec: spec('nobody') }
  })
  const takers = Array.from({ length: 20 }, (_, index) =>
    leases
      .replaceNamespacedLease({
        namespace,
        name: 'l',
        body: { metadata: lease.metadata!, spec: spec(`taker-${index}`) }
      })
      .then(
        won => won.spec?.holderIdentity,
        error => error.code as number
      )
  )
  const answers = await Promise.all(takers)
  const winners = answers.filter(answer => answer !== 409)
  t.equal(winners.length, 1)
  t.equal((await leases.readNamespacedLease({ namespace, name: 'l' })).spec?.holderIdentity, winners[0])
})

t.test('1000 creates at once', async t => {
  const { core, cluster } = await rig(t, { parts: [controllers], tls: false })
  const start = performance.now()
  await Promise.all(
    Array.from({ length: 1000 }, (_, index) => core.createNamespacedPod({ namespace, body: pod(`p-${index}`) }))
  )
  t.comment(`${Math.round(performance.now() - start)} ms`)
  t.equal(cluster.client.list('pods').items.length, 1000)
})
