import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../extender/config.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { buildTools } from '../control-plane/build.ts'
import { fetchText } from '../control-plane/probe.ts'
import { gangObjects, isBound, podObject } from '../control-plane/objects.ts'
import { gangIsBound, openLab, scenario } from './scenario.ts'

const run = promisify(execFile)
const rbac = 'manifests/custom-scheduler/rbac.yaml'
const lab = await openLab(t, { controllerManager: true, musterUser: 'restricted' })

type Manifest = { readonly kind: string; readonly [field: string]: unknown }
const documents = (file: string): readonly Manifest[] =>
  parseAllDocuments(readFileSync(file, 'utf8')).map(document => document.toJS() as Manifest)

if (lab) {
  const tools = await buildTools()
  const { client } = lab.cluster
  const role = documents(rbac).find(({ kind }) => kind === 'ClusterRole')
  await client.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', role ?? {})
  await client.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'restricted' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'custom-scheduler' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'restricted' }]
  })
  await client.create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 100 })

  scenario(t, lab, ['every manifest is accepted by the real API server'], async t => {
    if (tools.kind === 'absent') return
    const apply = ['--kubeconfig', await lab.cluster.kubeconfig('admin'), 'apply', '--validate=strict']
    // What is in a namespace is only judged where it is there.
    await run(tools.path('kubectl'), [...apply, '-f', 'manifests/sandbox/namespace.yaml'])
    const base = [...apply, '--dry-run=server']
    const files = globSync('manifests/examples/*.yaml').toSorted()
    t.ok(files.length >= 6, `${files.length} examples`)
    const folders = ['manifests/custom-scheduler', 'manifests/sandbox'].map(folder => ['-k', folder])
    for (const from of [...folders, ...files.map(file => ['-f', file])]) {
      const { stdout, stderr } = await run(tools.path('kubectl'), [...base, ...from])
      t.match(stdout, /(created|configured|unchanged) \(server dry run\)/, from.join(' '))
      t.notMatch(stderr, /would violate PodSecurity/, 'and no pod does what its namespace forbids')
    }
  })

  scenario(t, lab, ['the shipped rights are enough: gangs, a preemption, a gang whose time is up'], async (t, ns) => {
    await lab.createNodes('node', 4)
    await lab.createPods(ns, gangObjects({ name: 'low', size: 4, gated: true }))
    await gangIsBound(lab, ns, 'low', 4)
    const annotations = { 'muster.dev/gang-timeout': '1s', 'muster.dev/on-timeout': 'fail' }
    await lab.createPods(ns, gangObjects({ name: 'late', size: 2, gated: true, annotations }))
    await lab.waitFor('the late gang is failed', () => {
      const late = lab.podsIn(ns, 'late')
      return late.length === 2 && late.every(pod => pod.status.phase === 'Failed')
    })
    await lab.createPods(ns, gangObjects({ name: 'high', size: 2, gated: false, priorityClassName: 'high' }))
    await gangIsBound(lab, ns, 'high', 2)
    await lab.createPods(ns, [podObject('single')])
    await lab.waitFor('an ordinary pod runs', () =>
      lab.podsIn(ns).some(pod => pod.metadata.name === 'single' && isBound(pod))
    )
    const { text } = await fetchText(`${lab.muster.url}/metrics`)
    t.strictSame(
      text
        .split('\n')
        .filter(line => line.startsWith('muster_apiserver_requests_total') && line.includes('code="403"')),
      []
    )
  })
}

t.test('the shipped configuration is what muster scheduler-config prints', async t => {
  const [shipped] = documents('manifests/custom-scheduler/scheduler.yaml')
  const printed = schedulerConfiguration(loadConfig([], {}), 'http://127.0.0.1:8888')
  t.strictSame(shipped, JSON.parse(JSON.stringify(printed)))
})
