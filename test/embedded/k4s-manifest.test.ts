import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ManifestError } from '../../extender/embedded/k4s/manifest-error.ts'
import { container, containersOf, k4s, manifest, podOf, replicas, service } from './k4s.ts'

t.setTimeout(60_000)

const yaml = `
# Two of a kind, and who finds them.
apiVersion: k4s/v1
kind: ReplicaSet
metadata:
  name: who
  labels: { team: blue }
  annotations: { note: "hand written" }
spec:
  replicas: 2
  template:
    metadata:
      labels: { tier: back }
    spec:
      module: worker-functions.ts
      function: who
---
---
apiVersion: k4s/v1
kind: Service
metadata: { name: who, labels: { team: blue } }
spec: { selector: "who-*" }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { colour: blue }
`

t.test('S4.4 a manifest has any number of documents, and objects have metadata', async t => {
  const cluster = await k4s(t)
  const applied = await cluster.applyYaml(yaml)
  t.strictSame(
    applied.map(({ kind, object, outcome }) => [kind, object.metadata.name, outcome]),
    [
      ['ReplicaSet', 'who', 'created'],
      ['Service', 'who', 'created'],
      ['ConfigMap', 'settings', 'created']
    ]
  )
  await cluster.ready('who')
  const { labels, annotations, uid, resourceVersion, creationTimestamp } = cluster.get('ReplicaSet', 'who')!.metadata
  t.strictSame(labels, { team: 'blue' })
  t.match(annotations, { note: 'hand written' })
  t.ok(uid && resourceVersion && creationTimestamp)
  t.match(podOf(cluster, 'who-1')!.metadata.labels, { tier: 'back', 'k4s/replica-set': 'who' })
  t.strictSame(await cluster.applyYaml('# nothing\n---\n'), [])
})

t.test('S4.4 applied again: unchanged, configured or replaced', async t => {
  const cluster = await k4s(t)
  const outcome = async (...objects: object[]) =>
    (await cluster.applyYaml(manifest(...objects))).map(({ outcome }) => outcome).join(' ')
  const all = [container('a', 'tell', { params: { n: 1 } }), replicas('r', 1, 'who'), service('s', 'r-*')]
  t.equal(await outcome(...all), 'created created created')
  await Promise.all(['a', 'r'].map(name => cluster.ready(name)))
  t.equal(await outcome(...all), 'unchanged unchanged unchanged')
  t.equal(await outcome(replicas('r', 2, 'who'), service('s', 'r-1')), 'configured configured')
  await cluster.ready('r')
  t.equal(await cluster.api.requestService('s', '?'), 'r-1')

  const uid = podOf(cluster, 'a')!.metadata.uid
  const labelled = { ...all[0], metadata: { name: 'a', labels: { new: 'label' } } }
  t.equal(await outcome(labelled), 'configured')
  t.equal(podOf(cluster, 'a')!.metadata.uid, uid, 'the container runs on')
  t.equal(await outcome(container('a', 'tell', { params: { n: 2 } })), 'replaced')
  await cluster.ready('a')
  t.not(podOf(cluster, 'a')!.metadata.uid, uid)
  t.match(await cluster.api.request('a', 0), { params: { n: 2 } })
  const changes = [{ env: { A: 'b' } }, { memory: '32Mi' }, { restartPolicy: 'Never' }, { gracePeriodSeconds: 1 }]
  for (const change of changes) {
    const spec = { params: { n: 2 }, ...change }
    t.equal(await outcome(container('a', 'tell', spec)), 'replaced', JSON.stringify(change))
    t.equal(await outcome(container('a', 'tell', spec)), 'unchanged')
  }
})

const head = 'apiVersion: k4s/v1\nkind: Container\nmetadata: { name: a }\n'
const full = 'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\n'
const refused: Record<string, { text: string; want: RegExp }> = {
  'no YAML': { text: `${head}spec: { module: [ }`, want: /^f\.yaml:4:19: / },
  'a tab': { text: `${head}spec:\n\tmodule: x`, want: /^f\.yaml:5:1: .*[Tt]abs/ },
  'a key twice': { text: `${head}spec: { module: a }\nkind: Container`, want: /^f\.yaml:5:1: Map keys must be unique/ },
  'no map': { text: '- 1', want: /^f\.yaml:1:1: a document is a map with apiVersion, kind and metadata$/ },
  'no kind': { text: 'apiVersion: v1\nmetadata: { name: a }', want: /^f\.yaml:1:1: kind is missing$/ },
  'no name': { text: 'apiVersion: v1\nkind: Pod\nmetadata: {}', want: /^f\.yaml:3:1: metadata\.name is missing$/ },
  'an anchor that is not there': {
    text: `${head}spec: *gone`,
    want: /^f\.yaml:4:7: there is no anchor "gone" before this$/
  },
  'a kind of k4s that is none': {
    text: 'apiVersion: k4s/v1\nkind: Replicaset\nmetadata: { name: a }',
    want: /^f\.yaml:2:1: unknown kind "Replicaset" of k4s\/v1; there are Container, ReplicaSet, Service$/
  },
  'a kind that nobody has': {
    text: 'apiVersion: apps/v1\nkind: Gadget\nmetadata: { name: a }',
    want: /^f\.yaml:2:1: unknown kind "Gadget" of apps\/v1$/
  },
  'an unknown field': {
    text: `${head}spec:\n  module: x\n  moduel: y`,
    want: /^f\.yaml:6:3: unknown field "spec\.moduel": did you mean "module"\?$/
  },
  'an unknown field deep down': {
    text: `${head}spec:\n  module: x\n  livenessProbe:\n    port: 1`,
    want: /^f\.yaml:7:5: unknown field "spec\.livenessProbe\.port"$/
  },
  'an unknown field of a kind of upstream': {
    text: `${full}spec:\n  selector: {}\n  replcas: 1`,
    want: /^f\.yaml:6:3: .*unknown field "spec\.replcas"/
  },
  'a number that is none': { text: `${head}spec: { module: 7 }`, want: /^f\.yaml:4:9: spec\.module is no string$/ },
  'no module': { text: `${head}spec:\n  params: {}`, want: /^f\.yaml:4:1: spec\.module is missing$/ },
  'a value that the API refuses': {
    text: 'apiVersion: k4s/v1\nkind: ReplicaSet\nmetadata: { name: a }\nspec:\n  template: { spec: { module: x } }\n  replicas: -1',
    want: /^f\.yaml:6:3: .*must be greater than or equal to 0/
  },
  'a name that the API refuses': {
    text: 'apiVersion: k4s/v1\nkind: Service\nmetadata:\n  name: A b\nspec: { selector: x }',
    want: /^f\.yaml:4:3: .*metadata\.name/
  },
  'a policy that the API refuses': {
    text: `${head}spec:\n  module: x\n  restartPolicy: Sometimes`,
    want: /^f\.yaml:6:3: .*restartPolicy.*"Sometimes"/
  },
  'a memory limit that is none': {
    text: `${head}spec:\n  module: x\n  memory: lots`,
    want: /^f\.yaml:6:3: spec\.memory is no quantity$/
  }
}
const bomb = ['a0: &a0 [x]', ...Array.from({ length: 20 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`)]

t.test('S4.4 what is wrong in a manifest is told with file, line and column, and nothing is written', async t => {
  const cluster = await k4s(t)
  for (const [name, { text, want }] of Object.entries(refused)) {
    const error = await cluster.applyYaml(text, { file: 'f.yaml' }).then(
      () => undefined,
      (error: unknown) => error
    )
    t.ok(error instanceof ManifestError, `${name}: ${String(error)}`)
    t.match((error as Error).message, want, name)
    t.notMatch((error as Error).message, '\n')
  }
  await t.rejects(cluster.applyYaml(`${head}spec:\n  params:\n    ${bomb.join('\n    ')}`), { name: 'ManifestError' })
  await t.rejects(
    cluster.applyYaml(`${manifest(container('fine', 'who'))}---\n- 1`),
    /^manifest:9:1: a document is a map/
  )
  t.strictSame(containersOf(cluster), [], 'not even the document before the wrong one')
})

t.test('a container that cannot be replaced by what is asked for stays', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('a', 'who')))
  const { uid } = podOf(cluster, 'a')!.metadata
  await t.rejects(cluster.applyYaml(manifest(container('a', 'who', { restartPolicy: 'Sometimes' }))), /Sometimes/)
  await t.rejects(cluster.applyYaml(manifest(container('a', 'tell', { memory: 'lots' }))), /no quantity/)
  t.equal(podOf(cluster, 'a')!.metadata.uid, uid)
})

t.test('S4.38 a module that starts with a dot is beside its manifest', async t => {
  const root = t.testdir({
    sub: { 'one.mjs': 'export async function worker({ queue }) { for await (const m of queue) m.reply(1) }' }
  })
  const cluster = await k4s(t, { root })
  const file = join(root, 'sub', 'app.yaml')
  await cluster.applyYaml(manifest({ ...container('a', ''), spec: { module: './one.mjs' } }), { file })
  t.equal(await cluster.api.request('a', 0), 1)
  writeFileSync(
    join(root, 'sub', 'two.mjs'),
    'export const worker = async ({ queue }) => { while (await queue.get()); }'
  )
  await cluster.applyYaml(manifest({ ...container('b', ''), spec: { module: 'sub/two.mjs' } }))
  await cluster.ready('b')
})
