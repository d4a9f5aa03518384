import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { schedulerConfiguration } from '../extender/cli/scheduler-config.ts'
import { loadConfig } from '../extender/config.ts'
import { type Container, documents, kustomization, sources } from './installed.ts'

const root = join(import.meta.dirname, '..')
const base = 'manifests/base'
const read = (file: string) => readFileSync(join(root, file), 'utf8')

const pod = documents(`${base}/deployment.yaml`)[0]?.spec?.template?.spec
const [muster, scheduler] = [pod?.initContainers[0], pod?.containers[0]]
const never = /\*|secrets|configmaps|exec|escalate|impersonate|delete|update/

/** The rights that a folder gives to muster, each as verb and resource. */
const granted = (folder: string): readonly string[] =>
  sources(folder)
    .filter(({ metadata }) => !metadata.name.includes('kube-scheduler'))
    .flatMap(({ rules = [] }) => rules)
    .flatMap(({ resources, verbs }) => resources.flatMap(each => verbs.map(verb => `${verb} ${each}`)))
const writes = (folder: string) => granted(folder).filter(right => !/^(get|list|watch) /.test(right))

t.test('S3.40 S3.41 what setup.sh applies is an account with its rights, and a Deployment', async t => {
  const kinds = new Set(sources('manifests/custom-scheduler').map(({ kind }) => kind))
  for (const kind of ['ClusterRole', 'ClusterRoleBinding', 'Deployment', 'ServiceAccount']) t.ok(kinds.has(kind), kind)
  t.match(read('setup.sh'), /manifests\/custom-scheduler/)
})

t.test('S3.45 its pods are found by the label app=custom-scheduler', async t => {
  t.match(kustomization('manifests/custom-scheduler').labels, [
    { pairs: { app: 'custom-scheduler' }, includeTemplates: true }
  ])
})

t.test('S3.75 the members of the example gang are found by the label app=gang-app-a', async t => {
  const examples = documents('manifests/examples/example-deployments.yaml')
  const gang = examples.filter(each => each.spec?.template?.metadata.annotations?.['pod-group'] === 'group-a')
  t.strictSame(
    gang.map(each => each.spec?.template?.metadata.labels?.['app']),
    ['gang-app-a']
  )
})

t.test('S3.74 rights, a Deployment, examples, an image file and tests are shipped', async t => {
  const files = [
    ...[`${base}/rights.yaml`, `${base}/deployment.yaml`, 'Dockerfile', 'setup.sh'],
    ...['manifests/examples/example-deployments.yaml', 'manifests/examples/example-deployments-split-gang.yaml'],
    ...['test/gangs/custom-scheduler.test.ts', 'test/conformance/custom-scheduler.test.ts']
  ]
  t.strictSame(
    files.filter(file => !existsSync(join(root, file))),
    []
  )
})

t.test('muster is a sidecar, started before kube-scheduler and stopped after it', async t => {
  t.match([muster, scheduler], [{ name: 'muster', restartPolicy: 'Always' }, { name: 'kube-scheduler' }])
  t.equal(muster?.startupProbe.httpGet.path, '/readyz', 'kube-scheduler waits until the cluster is read')
  t.match(scheduler?.livenessProbe.httpGet, { path: '/livez/pair', port: muster?.ports?.[0]?.containerPort })
  t.equal(pod?.schedulerName, 'default-scheduler', 'no scheduler waits for itself')
})

const lease = '--lease=muster-system/muster'

t.test('what the Deployment says to muster is understood', async t => {
  const config = loadConfig((muster?.args ?? []).slice(1), {})
  t.strictSame(config.listen, { host: '127.0.0.1', port: 8888 }, 'verbs only for the neighbour')
  t.equal(config.apiListen.port, muster?.ports?.[0]?.containerPort)
  t.ok(muster?.args?.includes(lease))
  t.ok(
    (pod?.terminationGracePeriodSeconds ?? 0) * 1000 > config.bindTimeoutMs + config.drainTimeoutMs,
    'barriers may end'
  )
})

t.test('the shipped configurations are what muster scheduler-config prints', async t => {
  const shipped = { base: [lease], 'components/scope-gangs': [lease, '--scope=gangs'] }
  for (const [folder, args] of Object.entries(shipped)) {
    const printed = schedulerConfiguration(loadConfig(args, {}), 'http://127.0.0.1:8888')
    const [file] = documents(`manifests/${folder}/scheduler.yaml`)
    t.strictSame(file, JSON.parse(JSON.stringify(printed)), folder)
  }
})

t.test('whatever makes a pod a member of a gang is marked with --scope gangs', async t => {
  const policy = read('manifests/components/scope-gangs/policy.yaml')
  const [, table = ''] = read('extender/gangs/membership/dialects/table.ts').split('export const dialects')
  const groups = table.matchAll(/group: ([\s\S]*?)(?=\n {4}[a-z]+:|, completed)/g)
  const keys = [...groups].flatMap(([, text = '']) => [...text.matchAll(/(?:annotation|label)\('([^']+)'/g)])
  const beside = ['spark-app-id', 'leaderworkerset.sigs.k8s.io/group-index', 'ray.io/gang-scheduling-enabled']
  const missing = keys.map(([, key = '']) => key).filter(key => !policy.includes(`"${key}"`) && !beside.includes(key))
  t.ok(keys.length > 12, `${keys.length} keys`)
  t.strictSame(missing, [])
})

t.test('no file of patches deletes several objects, over which the kustomize of kubectl 1.32 crashes', async t => {
  const files = globSync('manifests/**/*.yaml', { cwd: root }).filter(file => !file.endsWith('kustomization.yaml'))
  t.ok(files.length > 30, `${files.length} files`)
  t.strictSame(
    files.filter(file => read(file).split('$patch: delete').length > 2),
    []
  )
})

t.test('memory is limited to what is asked for, and the heap to three quarters of it', async t => {
  for (const each of [muster, scheduler])
    t.equal(each?.resources.requests['memory'], each?.resources.limits['memory'], each?.name ?? '')
  const heap = /--max-old-space-size=(\d+)/.exec(muster?.env?.[0]?.value ?? '')?.[1]
  t.equal(Number(heap), Number.parseInt(muster?.resources.limits['memory'] ?? '', 10) * 0.75)
})

t.test('each program has the token of its own account, and no other', async t => {
  const token = '/var/run/secrets/kubernetes.io/serviceaccount'
  const volume = (container: Container | undefined) => {
    const name = container?.volumeMounts.find(({ mountPath }) => mountPath === token)?.name
    return pod?.volumes.find(each => each.name === name)
  }
  t.match(volume(muster), { projected: { sources: [{ serviceAccountToken: { path: 'token' } }, {}, {}] } })
  t.match(volume(scheduler), { secret: { secretName: 'muster-kube-scheduler-token' } })
  t.match([pod?.serviceAccountName, ...[muster, scheduler].map(each => each?.volumeMounts.length)], ['muster', 2, 2])
})

t.test('rights that hurt are in the components that need them, and nobody has any of these', async t => {
  t.strictSame(writes(base), ['patch pods/status', 'create pods/binding', 'create events'])
  t.strictSame(writes('manifests/components/gates'), ['patch pods'])
  t.strictSame(writes('manifests/components/preemption'), ['create pods/eviction'])
  const everywhere = globSync('manifests/{base,components/*}', { cwd: root }).flatMap(granted)
  t.strictSame(
    everywhere.filter(right => never.test(right)),
    []
  )
})
