import t from 'tap'
import { type Answer, asked, causesOf } from './api-call.ts'
import { configMap, configMaps, type Loose, pod, pods } from './http-rig.ts'

const deployments = '/apis/apps/v1/namespaces/default/deployments'
const applied = (container: object, more: object = {}) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } },
  spec: {
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'one', image: 'x', ...container }], ...more }
    }
  }
})
const map = (more: object = {}, metadata: object = {}) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', ...more },
  metadata: { name: 'a', ...metadata }
})

t.test('what is applied for the first time is made, and then nothing changes', async t => {
  const { api, patch } = asked()
  const port = { ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] }
  const first = patch(`${deployments}/d`, applied(port), 'apply')
  t.match(first, { code: 201, body: { metadata: { name: 'd', generation: 1, uid: String }, spec: { replicas: 1 } } })
  const { resourceVersion } = api
  const again = patch(`${deployments}/d`, applied(port), 'apply')
  t.equal(again.code, 200)
  t.strictSame(again.body, first.body)
  t.equal(api.resourceVersion, resourceVersion, 'nothing was written')
  t.match(patch(`${deployments}/e?dryRun=All`, { ...applied({}), metadata: { name: 'e' } }, 'apply'), { code: 201 })
  t.notOk(api.get({ resource: 'deployments.apps', name: 'e' }), 'a dry run makes nothing')
})

const template = ({ body }: Answer) => body.spec.template.spec

t.test('what is applied is merged with what others wrote', async t => {
  const { patch } = asked()
  patch(`${deployments}/d`, applied({ ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }] }), 'apply')
  const others = { containers: [{ name: 'side', image: 'z' }], tolerations: [{ key: 'q', operator: 'Exists' }] }
  patch(`${deployments}/d`, { spec: { replicas: 3, template: { spec: others } } }, 'strategic')
  const udp = { containerPort: 80, protocol: 'UDP' }
  const now = applied({ image: 'y', ports: [{ containerPort: 80 }, udp], env: [{ name: 'A', value: '2' }] })
  const merged = patch(`${deployments}/d`, now, 'apply')
  const container = template(merged).containers.find(({ name }: Loose) => name === 'one')
  t.equal(merged.body.spec.replicas, 3, 'what is not applied stays')
  t.strictSame(template(merged).tolerations, others.tolerations)
  t.match(
    template(merged)
      .containers.map(({ name }: Loose) => name)
      .toSorted(),
    ['one', 'side'],
    'containers by name'
  )
  t.strictSame(container.env, [{ name: 'A', value: '2' }], 'env by name')
  t.match(
    container.ports,
    [
      { containerPort: 80, protocol: 'TCP' },
      { containerPort: 80, protocol: 'UDP' }
    ],
    'ports by number and protocol, which is TCP'
  )
  const tolerations = [{ key: 'z', operator: 'Exists' }]
  t.strictSame(template(patch(`${deployments}/d`, applied({}, { tolerations }), 'apply')).tolerations, tolerations)
})

const finalizers = (names: string) => ({ finalizers: names.split(' ').map(name => `f/${name}`) })

t.test('the order of what is applied to a set', async t => {
  const cases: [before: string, applied: string, want: string][] = [
    ['a', 'b a', 'b a'],
    ['a b c', 'c a', 'b c a'],
    ['a b c', 'd b', 'a d b c'],
    ['a b', 'c', 'a b c'],
    ['a b c d', 'd x b', 'a c d x b'],
    ['a b c', 'c b a', 'c b a'],
    ['a b c d', 'c x y', 'a b c d x y']
  ]
  for (const [before, now, want] of cases) {
    const { post, patch } = asked()
    post(configMaps, map({}, finalizers(before)))
    const { body } = patch(`${configMaps}/a`, map({}, finalizers(now)), 'apply')
    t.strictSame(body.metadata.finalizers, finalizers(want).finalizers, `${now} over ${before}`)
  }
})

t.test('what cannot be applied', async t => {
  const cases: Record<string, [path: string, patch: object, code: number, message: RegExp]> = {
    'no kind': [`${configMaps}/a`, { apiVersion: 'v1', metadata: { name: 'a' } }, 400, /invalid object type/],
    'no version': [`${configMaps}/a`, { kind: 'ConfigMap', metadata: { name: 'a' } }, 400, /invalid object type/],
    'another name': [`${configMaps}/a`, map({}, { name: 'b' }), 400, /name of the object \(b\) does not match/],
    'managed fields': [`${configMaps}/a`, map({}, { managedFields: [{}] }), 400, /managedFields must be nil/],
    'an unknown field': [
      `${configMaps}/a`,
      map({ dat: {} }),
      500,
      /^failed to create typed patch object \(.*; \/v1, Kind=ConfigMap\): \.dat: field not declared in schema$/
    ],
    'an unknown field of what is not there yet': [
      `${configMaps}/b`,
      map({ dat: {} }, { name: 'b' }),
      500,
      /\.dat: field not declared in schema/
    ],
    'an old version': [`${configMaps}/a`, map({}, { resourceVersion: '1' }), 409, /has been modified/],
    'a uid of what is not there': [
      `${configMaps}/b`,
      map({}, { name: 'b', uid: 'x' }),
      409,
      /uid mismatch: the provided object specified uid x, and no existing object was found/
    ],
    'what is invalid': [`${configMaps}/a`, map({}, { labels: { 'a b': '' } }), 422, /metadata.labels: Invalid value/],
    'a list': [`${configMaps}/a`, [], 400, /cannot unmarshal array/]
  }
  for (const [name, [path, patch, code, message]] of Object.entries(cases)) {
    const { post, patch: ask } = asked()
    post(configMaps, configMap('a'))
    t.match(ask(path, patch, 'apply'), { code, body: { message } }, name)
  }
  const { patch } = asked()
  t.equal(
    patch(`${configMaps}/a`, map({}, { resourceVersion: '5' }), 'apply').code,
    201,
    'a version of nothing is none'
  )
})

const typos = {
  ...{ apiVersion: 'v1', kind: 'Pod', foo: 1 },
  metadata: { name: 'p', bar: 2 },
  spec: {
    containers: [{ name: 'main', image: 'none', imag: 'x', ports: [{ containerPort: 80, hostport: 3 }] }],
    nodename: 'x'
  }
}
const unknown = [
  ...['metadata.bar', 'spec.containers[0].imag', 'spec.containers[0].ports[0].hostport', 'spec.nodename', 'foo']
].map(path => `unknown field "${path}"`)

t.test('unknown fields are refused, told or dropped, as the writer wants', async t => {
  const { post, get } = asked()
  const strict = post(`${pods}?fieldValidation=Strict`, typos)
  t.match(strict, {
    code: 400,
    body: { reason: 'BadRequest', message: /^Pod in version "v1" cannot be handled as a Pod: strict decoding error: / }
  })
  for (const each of unknown) t.ok(strict.body.message.includes(each), each)
  t.equal(get(`${pods}/p`).code, 404)
  const warned = post(`${pods}?fieldValidation=Warn`, typos)
  t.strictSame(warned.warnings?.toSorted(), unknown.toSorted())
  t.notOk('nodename' in warned.body.spec || 'foo' in warned.body, 'and they are not kept')
  const ignored = post(`${pods}?fieldValidation=Ignore`, { ...typos, metadata: { name: 'q' } })
  t.match(ignored, { code: 201, warnings: undefined })
})

t.test('so are those of updates and patches', async t => {
  const strict = '?fieldValidation=Strict'
  const { post, put, patch } = asked()
  post(pods, pod('p'))
  const cases: Record<string, [() => Answer, code: number, message: RegExp]> = {
    PUT: [() => put(`${pods}/p${strict}`, { ...pod('p'), foo: 1 }), 400, /strict decoding error: unknown field "foo"/],
    merge: [() => patch(`${pods}/p${strict}`, { spec: { foo: 1 } }), 422, /unknown field "spec.foo"/],
    strategic: [
      () => patch(`${pods}/p${strict}`, { spec: { containers: [{ name: 'main', foo: 1 }] } }, 'strategic'),
      422,
      /unknown field "spec.containers\[0\].foo"/
    ],
    json: [
      () => patch(`${pods}/p${strict}`, [{ op: 'add', path: '/spec/foo', value: 1 }], 'json'),
      422,
      /unknown field "spec.foo"/
    ],
    'and apply always': [
      () => patch(`${pods}/p?fieldValidation=Ignore`, { apiVersion: 'v1', kind: 'Pod', spec: { foo: 1 } }, 'apply'),
      500,
      /\.spec\.foo: field not declared in schema/
    ]
  }
  for (const [name, [act, code, message]] of Object.entries(cases)) t.match(act(), { code, body: { message } }, name)
  const warned = patch(`${pods}/p`, { spec: { containers: [{ name: 'main', foo: 1 }] } }, 'strategic')
  t.match(warned, { code: 200, warnings: ['unknown field "spec.containers[0].foo"'] })
})

const spec = (spec: object) => ({ ...pod('p'), spec })

t.test('values of the wrong type are refused by the name of their field', async t => {
  const main = { name: 'main', image: 'none' }
  const cases: Record<string, [object, message: RegExp]> = {
    'a map for a list': [
      spec({ containers: {} }),
      /cannot unmarshal object into Go struct field PodSpec.spec.containers of/
    ],
    'a number for a text': [
      spec({ containers: [{ name: 5, image: 'x' }] }),
      /cannot unmarshal number into Go struct field Container.spec.containers.name of type string/
    ],
    'a text for an object': [
      spec('x' as Loose),
      /cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec/
    ],
    'a text for a boolean': [spec({ containers: [main], hostNetwork: 'yes' }), /spec.hostNetwork of type bool/],
    'a text for a number': [
      spec({ containers: [main], activeDeadlineSeconds: 'long' }),
      /spec.activeDeadlineSeconds of type int64/
    ],
    'half a second': [spec({ containers: [main], activeDeadlineSeconds: 1.5 }), /activeDeadlineSeconds of type int64/],
    'a text in a list of objects': [spec({ containers: ['x'] }), /containers of type v1.Container/],
    'no quantity': [
      spec({ containers: [{ ...main, resources: { requests: { cpu: 'much' } } }] }),
      /quantities must match the regular expression/
    ],
    'no time': [{ ...pod('p'), metadata: { name: 'p', creationTimestamp: 'soon' } }, /parsing time "soon"/]
  }
  const { post } = asked()
  for (const [name, [object, message]] of Object.entries(cases))
    t.match(post(pods, object), { code: 400, body: { reason: 'BadRequest', message } }, name)
  const nulls = { nodeSelector: null, tolerations: null, affinity: null, nodeName: null }
  t.match(post(pods, spec({ containers: [main], ...nulls })), {
    code: 201,
    body: { spec: { nodeSelector: undefined } }
  })
  t.strictSame(causesOf(post(pods, { ...spec({ containers: [main, null] }), metadata: { name: 'n' } })), [
    'spec.containers[1].name: Required value',
    'spec.containers[1].image: Required value'
  ])
})

t.test('an object of another kind or version is refused', async t => {
  const cases: Record<string, string> = {
    'v1 Secret':
      'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
    'apps/v1 Deployment':
      'Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion',
    'v1 Nope':
      'Nope in version "v1" cannot be handled as a ConfigMap: no kind "Nope" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
    'v2 ConfigMap':
      'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in scheme "pkg/runtime/scheme.go:111"'
  }
  const { post } = asked()
  for (const [name, message] of Object.entries(cases)) {
    const [apiVersion, kind] = name.split(' ')
    t.match(post(configMaps, { apiVersion, kind, metadata: { name: 'a' } }), { code: 400, body: { message } }, name)
  }
  t.match(post(configMaps, { metadata: { name: 'a' } }), { code: 201, body: { kind: 'ConfigMap', apiVersion: 'v1' } })
})
