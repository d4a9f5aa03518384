import { globSync } from 'node:fs'
import t from 'tap'
import { ApiError } from '../control-plane/client.ts'
import { documents } from '../installed.ts'
import { installation, kubectl } from './kubectl.ts'
import { openLab } from './scenario.ts'

/** What is shipped, judged by a real API server; nothing runs. */
const lab = await openLab(t, { muster: false, kwok: false })

/** As much of the operator's CRD as says where each field that we use belongs. */
const [string, boolean] = [{ type: 'string' }, { type: 'boolean' }]
const of = (properties: object, required: readonly string[] = []) => ({ type: 'object', properties, required })
const list = (items: object) => ({ type: 'array', items })
const endpoint = of({
  ...{ port: string, path: string, interval: string, scheme: { ...string, enum: ['http', 'https'] } },
  ...{ bearerTokenFile: string, tlsConfig: of({ insecureSkipVerify: boolean }) },
  relabelings: list(of({ targetLabel: string, replacement: string }))
})
const selector = of({ matchLabels: { type: 'object', additionalProperties: string } })
const monitor = of({ jobLabel: string, selector, endpoints: list(endpoint) }, ['selector', 'endpoints'])
const serviceMonitors = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors' },
    versions: [
      { ...{ name: 'v1', served: true, storage: true }, schema: { openAPIV3Schema: of({ spec: monitor }, ['spec']) } }
    ]
  }
}

const pathOf = (api: string, resource: string) => `${api}/namespaces/muster-system/${resource}/muster`
type Named = { readonly spec: { readonly endpoints: Ports; readonly ports: readonly { readonly name: string }[] } }
type Ports = readonly { readonly port: string }[]

if (lab) {
  const { cluster } = lab
  const { client } = cluster
  const tried = (...from: readonly string[]) =>
    kubectl(cluster, 'apply', '--validate=strict', '--dry-run=server', ...from)
  // What is in a namespace is only judged where it is there.
  for (const folder of ['base', 'sandbox']) await kubectl(cluster, 'apply', '-f', `manifests/${folder}/namespace.yaml`)
  await client.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', serviceMonitors)
  await lab.until('ServiceMonitors are served', async () => {
    await client.get('/apis/monitoring.coreos.com/v1/servicemonitors')
    return true
  })

  const components = globSync('manifests/components/*').map(folder => folder.slice('manifests/components/'.length))
  const folders = globSync('manifests/*/kustomization.yaml').map(file => file.slice(0, -'/kustomization.yaml'.length))
  const examples = globSync('manifests/examples/*.yaml').toSorted()

  t.test('every manifest is accepted by the real API server', async t => {
    t.ok(folders.length >= 5 && components.length >= 5 && examples.length >= 6, 'there are some')
    const isTaken = async (...from: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await tried(...from)
      t.match(stdout, /(created|configured|unchanged) \(server dry run\)/, from.join(' '))
      return stderr
    }
    for (const from of [...folders.map(folder => ['-k', folder]), ...examples.map(file => ['-f', file])])
      t.equal(await isTaken(...from), '', 'without a warning, so no pod does what its namespace forbids')
    for (const component of [...components].filter(each => each !== 'default-scheduler'))
      t.equal(await isTaken('-k', installation(t, [component])), '', component)
    // Its namespace allows the host's network once it is really applied.
    const complete = installation(t, ['gates', 'guards', 'preemption', 'default-scheduler'])
    t.match(await isTaken('-k', complete), /^Warning: .*hostNetwork=true.*\n$/)
  })

  t.test('for the default scheduler no other runs, and the policies are about its pods too', async t => {
    const complete = installation(t, ['gates', 'guards', 'preemption', 'default-scheduler'])
    const { stdout } = await kubectl(cluster, 'kustomize', complete)
    t.notMatch(stdout, /^kind: (Deployment|Service|PodDisruptionBudget|NetworkPolicy)$/m)
    t.notMatch(stdout, /name: muster-kube-scheduler-token|name: system:kube-scheduler/)
    const theirs = stdout.match(/in \["muster", "custom-scheduler",\s+"default-scheduler"\]/g)
    t.equal(theirs?.length, 5, 'gates, marks, who is handed over, keys and limits')
    t.match(stdout, /pod-security\.kubernetes\.io\/enforce: privileged/)
  })

  t.test('the pod of the Deployment is let in where Pod Security is restricted', async t => {
    const template = documents('manifests/base/deployment.yaml')[0]?.spec?.template
    const path = '/api/v1/namespaces/muster-system/pods?dryRun=All'
    const pod = { ...template, metadata: { ...template?.metadata, name: 'muster' } }
    await t.resolves(client.create(path, pod))
    const open = { ...pod, spec: { ...template?.spec, hostNetwork: true } }
    await t.rejects(client.create(path, open), ApiError, 'which forbids what it should')
  })

  t.test('with monitoring both ports of the Service are scraped', async t => {
    await kubectl(cluster, 'apply', '-k', installation(t, ['monitoring']))
    const scraped = await client.get<Named>(pathOf('/apis/monitoring.coreos.com/v1', 'servicemonitors'))
    const service = await client.get<Named>(pathOf('/api/v1', 'services'))
    t.strictSame(
      scraped.spec.endpoints.map(({ port }) => port),
      service.spec.ports.map(({ name }) => name)
    )
  })

  t.test('the installation of setup.sh is in one namespace, with nothing left of another', async t => {
    const { stdout } = await kubectl(cluster, 'kustomize', 'manifests/custom-scheduler')
    t.notMatch(stdout, /^kind: (Namespace|MutatingAdmissionPolicy)/m)
    t.match(stdout, /image: custom-scheduler:latest/)
    t.match(stdout, /kind: Deployment\nmetadata:\n {2}labels:(\n {4}.*)+\n {2}name: custom-scheduler/)
  })
}
