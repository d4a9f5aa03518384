import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'

const root = join(import.meta.dirname, '..')
type Labels = Readonly<Record<string, string>>
type Manifest = {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Labels }
  readonly spec?: {
    readonly template?: { readonly metadata: { readonly labels?: Labels; readonly annotations?: Labels } }
  }
}

const documents = (file: string): readonly Manifest[] =>
  parseAllDocuments(readFileSync(join(root, file), 'utf8')).map(document => document.toJS() as Manifest)

/** What `kubectl apply -k` of that folder applies. */
const installed = (folder: string): readonly Manifest[] => {
  const { resources } = documents(`${folder}/kustomization.yaml`)[0] as unknown as { readonly resources: string[] }
  return resources.flatMap(file => documents(`${folder}/${file}`))
}

t.test('S3.40 S3.41 what setup.sh applies is an account with its rights, and a Deployment', async t => {
  const kinds = new Set(installed('manifests/custom-scheduler').map(({ kind }) => kind))
  t.strictSame([...kinds].toSorted(), ['ClusterRole', 'ClusterRoleBinding', 'Deployment', 'ServiceAccount'])
  t.match(readFileSync(join(root, 'setup.sh'), 'utf8'), /manifests\/custom-scheduler/)
})

t.test('S3.45 its pods are found by the label app=custom-scheduler', async t => {
  const [deployment] = installed('manifests/custom-scheduler').filter(({ kind }) => kind === 'Deployment')
  t.equal(deployment?.spec?.template?.metadata.labels?.['app'], 'custom-scheduler')
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
    ...['manifests/custom-scheduler/rbac.yaml', 'manifests/custom-scheduler/deployment.yaml', 'Dockerfile', 'setup.sh'],
    ...['manifests/examples/example-deployments.yaml', 'manifests/examples/example-deployments-split-gang.yaml'],
    ...['test/gangs/custom-scheduler.test.ts', 'test/conformance/custom-scheduler.test.ts']
  ]
  t.strictSame(
    files.filter(file => !existsSync(join(root, file))),
    []
  )
})
