import t from 'tap'
import { type Answer, asked } from './api-call.ts'
import { configMaps, type Loose, pods } from './http-rig.ts'

const map = {
  metadata: { name: 'a', labels: { x: 'y' }, annotations: { 'x/y': '1' }, finalizers: ['f/a', 'f/b', 'f/c'] },
  data: { a: '1', b: '2' }
}
const short = ({ body: { metadata, data } }: Answer) => ({
  ...(data && { data }),
  finalizers: metadata?.finalizers?.map((name: string) => name.slice(2)).join('')
})
const usual = { data: { a: '1', b: '2' }, finalizers: 'abc' }
const list = (names: string) => ({ ...usual, finalizers: names })
const data = (data: object) => ({ ...usual, data })

t.test('merge patches: null takes away, lists are replaced', async t => {
  const cases: Record<string, [patch: object | string, want: object | number]> = {
    'a field is added': [{ data: { c: '3' } }, data({ a: '1', b: '2', c: '3' })],
    'a field is changed': [{ data: { b: '3' } }, data({ a: '1', b: '3' })],
    'null takes a field away': [{ data: { b: null } }, data({ a: '1' })],
    'null of what is not there is nothing': [{ data: { zz: null } }, usual],
    'null takes all away': [{ data: null }, { finalizers: 'abc' }],
    'a list is replaced': [{ metadata: { finalizers: ['f/z'] } }, list('z')],
    'an empty patch changes nothing': [{}, usual],
    'numbers are no texts': [{ data: { a: 1 } }, 422],
    'a text is no map': [{ data: 'x' }, 422],
    'another kind': [{ kind: 'Secret' }, 422],
    'another version': [{ apiVersion: 'v9' }, 422],
    'a patch that is a list': [[], 400],
    'a patch that is a text': ['x', 400]
  }
  for (const [name, [patch, want]] of Object.entries(cases)) {
    const { post, patch: ask, get } = asked()
    post(configMaps, map)
    const answer = ask(`${configMaps}/a`, patch)
    if (typeof want === 'number') t.equal(answer.code, want, name)
    else t.strictSame(short(answer), want, name)
    if (typeof want === 'number') t.strictSame(short(get(`${configMaps}/a`)), usual, 'and nothing is changed')
  }
  const { patch, post } = asked()
  t.match(patch(`${configMaps}/a`, {}), { code: 404, body: { reason: 'NotFound' } })
  post(configMaps, map)
  const deep = patch(`${configMaps}/a`, { metadata: { labels: { new: 'z', none: null }, annotations: null } })
  t.match(deep.body.metadata, { labels: { x: 'y', new: 'z', none: undefined }, annotations: undefined })
  const wrong = patch(`${configMaps}/a`, { data: 'x' })
  t.match(wrong.body.details.causes, [
    { field: 'patch', message: /json: cannot unmarshal string into Go struct field ConfigMap.data of type/ }
  ])
})

const op = (op: string, path: string, more: object = {}) => ({ op, path, ...more })
const value = (value: unknown) => ({ value })
const at = (index: string) => `/metadata/finalizers/${index}`

t.test('JSON patches', async t => {
  const cases: Record<string, [patch: Loose, want: object | number]> = {
    'add a field': [[op('add', '/data/c', value('3'))], data({ a: '1', b: '2', c: '3' })],
    'add over a field': [[op('add', '/data/b', value('3'))], data({ a: '1', b: '3' })],
    'remove a field': [[op('remove', '/data/b')], data({ a: '1' })],
    'replace a field': [[op('replace', '/data/b', value('3'))], data({ a: '1', b: '3' })],
    'replace what is not there adds it': [[op('replace', '/data/c', value('3'))], data({ a: '1', b: '2', c: '3' })],
    'move a field': [[op('move', '/data/c', { from: '/data/a' })], data({ b: '2', c: '1' })],
    'copy a field': [[op('copy', '/data/c', { from: '/data/a' })], data({ a: '1', b: '2', c: '1' })],
    'copy what is not there: null is an empty text': [
      [op('copy', '/data/c', { from: '/data/zz' })],
      data({ a: '1', b: '2', c: '' })
    ],
    'a test that holds lets the rest be done': [
      [op('test', '/data/a', value('1')), op('remove', '/data/a')],
      data({ b: '2' })
    ],
    'a test of an object, in any order': [[op('test', '/data', value({ b: '2', a: '1' }))], usual],
    'a test of a list': [[op('test', '/metadata/finalizers', value(['f/a', 'f/b', 'f/c']))], usual],
    'a test of what is not there for null': [[op('test', '/data/zz', value(null))], usual],
    'a test that fails undoes what came before': [[op('remove', '/data/a'), op('test', '/data/b', value('3'))], 422],
    'a test of what is not there': [[op('test', '/data/zz', value('3'))], 422],
    'a test below what is not there': [[op('test', '/nope/zz', value(null))], 422],
    'a test without a value': [[op('test', '/data/a')], 422],
    'remove what is not there': [[op('remove', '/data/zz')], 422],
    'move what is not there': [[op('move', '/data/c', { from: '/data/zz' })], 422],
    'add below what is not there': [[op('add', '/nope/zz', value('x'))], 422],
    'add below a text': [[op('add', '/kind/zz', value('x'))], 422],
    'add at the end of a list': [[op('add', at('-'), value('f/d'))], list('abcd')],
    'add into a list': [[op('add', at('1'), value('f/d'))], list('adbc')],
    'add behind the last': [[op('add', at('3'), value('f/d'))], list('abcd')],
    'add counted from the end': [[op('add', at('-1'), value('f/d'))], list('abcd')],
    'add beyond the end': [[op('add', at('9'), value('f/d'))], 422],
    'replace in a list': [[op('replace', at('0'), value('f/d'))], list('dbc')],
    'replace beyond the end': [[op('replace', at('3'), value('f/d'))], 422],
    'replace at no place': [[op('replace', at('-'), value('f/d'))], 422],
    'remove from a list': [[op('remove', at('0'))], list('bc')],
    'remove counted from the end': [[op('remove', at('-1'))], list('ab')],
    'remove beyond the end': [[op('remove', at('9'))], 422],
    'move in a list': [[op('move', at('2'), { from: at('0') })], list('bca')],
    'a test in a list': [[op('test', at('1'), value('f/b'))], usual],
    'a place that is no number': [[op('add', at('x'), value('f/d'))], 422],
    'a slash in a name': [[op('test', '/metadata/annotations/x~1y', value('1'))], usual],
    'no path': [[{ op: 'add', value: 'x' }], 422],
    'an unknown operation': [[op('frob', '/data/a')], 422],
    'no operation': [[{ path: '/data/a' }], 422],
    'what is no operation': [[1], 400],
    'what is no list': [op('remove', '/data/a'), 400],
    'an empty list': [[], usual],
    'a result that is none of its kind': [[op('replace', '/kind', value('Secret'))], 422],
    'a result of the wrong type': [[op('add', '/data', value('x'))], 422]
  }
  for (const [name, [patch, want]] of Object.entries(cases)) {
    const { post, patch: ask, get } = asked()
    post(configMaps, map)
    const answer = ask(`${configMaps}/a`, patch, 'json')
    if (typeof want === 'number') t.equal(answer.code, want, name)
    else t.strictSame(short(answer), want, name)
    if (typeof want === 'number') t.strictSame(short(get(`${configMaps}/a`)), usual, 'and nothing is changed')
  }
  const { post, patch } = asked()
  post(configMaps, map)
  t.match(patch(`${configMaps}/a`, [op('test', '/data/a', value('2'))], 'json').body, {
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request'
  })
  const many = Array.from({ length: 10_001 }, () => op('test', '/data/a', value('1')))
  t.match(patch(`${configMaps}/a`, many, 'json'), { code: 413, body: { reason: 'RequestEntityTooLarge' } })
})

const deployments = '/apis/apps/v1/namespaces/default/deployments'
const spec = {
  containers: [
    {
      ...{ name: 'one', image: 'x', args: ['p', 'q'], volumeMounts: [{ name: 'v', mountPath: '/a' }] },
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' }
      ],
      ports: [{ containerPort: 80, name: 'web' }, { containerPort: 81 }],
      resources: { limits: { cpu: '1', memory: '1Gi' } }
    },
    { name: 'two', image: 'y' }
  ],
  volumes: [
    { name: 'v', emptyDir: {} },
    { name: 'w', configMap: { name: 'c' } }
  ],
  ...{ tolerations: [{ key: 'k', operator: 'Exists' }], nodeSelector: { a: 'b', c: 'd' } },
  ...{ imagePullSecrets: [{ name: 's1' }, { name: 's2' }], hostAliases: [{ ip: '1.2.3.4', hostnames: ['h'] }] }
}
const deployment = {
  metadata: { name: 'd' },
  spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec } }
}
const one = (more: object) => ({ containers: [{ name: 'one', ...more }] })
const named = (entries: Loose[], ...more: string[]) =>
  entries
    ?.map(each =>
      ['name', ...more]
        .map(name => each[name])
        .join(' ')
        .trim()
    )
    .join(', ')
type Look = (spec: Loose) => unknown
const containers: Look = ({ containers }) => named(containers, 'image')
const first =
  (name: string, ...more: string[]): Look =>
  ({ containers: [container] }) =>
    named(container[name], ...more)
const inOrder = (...names: string[]) => ({ '$setElementOrder/containers': names.map(name => ({ name })) })

t.test('strategic merge patches of a pod template', async t => {
  const cases: Record<string, [patch: object, look: Look, want: unknown]> = {
    'containers by name': [{ containers: [{ name: 'two', image: 'z' }] }, containers, 'one x, two z'],
    'a new container comes first': [{ containers: [{ name: 'six', image: 'z' }] }, containers, 'six z, one x, two y'],
    'a container is deleted': [{ containers: [{ name: 'one', $patch: 'delete' }] }, containers, 'two y'],
    'one that is not there is not': [{ containers: [{ name: 'no', $patch: 'delete' }] }, containers, 'one x, two y'],
    'all are replaced': [{ containers: [{ $patch: 'replace' }, { name: 'me', image: 'z' }] }, containers, 'me z'],
    'they are ordered': [inOrder('two', 'one'), containers, 'two y, one x'],
    'ordered with a new one': [
      { ...inOrder('six', 'one', 'two'), containers: [{ name: 'six', image: 'z' }] },
      containers,
      'six z, one x, two y'
    ],
    'what an order does not name keeps its place': [inOrder('two'), containers, 'one x, two y'],
    'env by name': [one({ env: [{ name: 'B', value: '3' }, { name: 'C' }] }), first('env', 'value'), 'A 1, B 3, C'],
    'env is deleted by name': [one({ env: [{ name: 'A', $patch: 'delete' }] }), first('env'), 'B'],
    'env is replaced': [one({ env: [{ $patch: 'replace' }, { name: 'Z' }] }), first('env'), 'Z'],
    'ports by number': [
      one({ ports: [{ containerPort: 81, name: 'alt' }, { containerPort: 82 }] }),
      first('ports', 'containerPort'),
      'web 80, alt 81, 82'
    ],
    'arguments are replaced': [one({ args: ['r'] }), ({ containers: [{ args }] }) => args, ['r']],
    'mounts by their path': [
      one({ volumeMounts: [{ mountPath: '/b', name: 'w' }] }),
      first('volumeMounts', 'mountPath'),
      'w /b, v /a'
    ],
    'maps are merged': [
      one({ resources: { limits: { cpu: '2' } } }),
      ({ containers: [{ resources }] }) => resources.limits,
      { cpu: '2', memory: '1Gi' }
    ],
    'or replaced': [
      one({ resources: { $patch: 'replace', limits: { cpu: '2' } } }),
      ({ containers: [{ resources }] }) => resources,
      { limits: { cpu: '2' } }
    ],
    'volumes by name, of which $retainKeys says what stays': [
      { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
      ({ volumes: [volume] }) => volume,
      { name: 'v', hostPath: { path: '/x', type: '' } }
    ],
    'tolerations as a whole': [
      { tolerations: [{ key: 'z', operator: 'Exists' }] },
      ({ tolerations }) => tolerations,
      [{ key: 'z', operator: 'Exists' }]
    ],
    'secrets by name': [
      { imagePullSecrets: [{ name: 's3' }, { name: 's1', $patch: 'delete' }] },
      ({ imagePullSecrets }) => named(imagePullSecrets),
      's3, s2'
    ],
    'null in a map': [{ nodeSelector: { c: null, e: 'f' } }, ({ nodeSelector }) => nodeSelector, { a: 'b', e: 'f' }],
    'a map is deleted': [{ nodeSelector: { $patch: 'delete' } }, ({ nodeSelector }) => nodeSelector, undefined],
    'aliases by address': [
      { hostAliases: [{ ip: '1.2.3.4', hostnames: ['i'] }] },
      ({ hostAliases }) => hostAliases,
      [{ ip: '1.2.3.4', hostnames: ['i'] }]
    ]
  }
  for (const [name, [patch, look, want]] of Object.entries(cases)) {
    const { post, patch: ask } = asked()
    post(deployments, deployment)
    const { code, body } = ask(`${deployments}/d`, { spec: { template: { spec: patch } } }, 'strategic')
    t.equal(code, 200, JSON.stringify(body))
    t.strictSame(look(body.spec.template.spec), want, name)
  }
})

t.test('strategic merge patches that are refused', async t => {
  const cases: Record<string, [patch: object, code: number, message: RegExp]> = {
    'an entry without its key': [{ containers: [{ image: 'z' }] }, 500, /does not contain declared merge key: name/],
    'an unknown directive': [one({ $patch: 'frob' }), 500, /unknown patch type/],
    'an order that leaves out what is changed': [
      { ...inOrder('one'), containers: [{ name: 'two', image: 'z' }] },
      500,
      /The order in patch list/
    ],
    '$retainKeys without what is set': [
      { volumes: [{ name: 'v', $retainKeys: ['name'], hostPath: { path: '/x' } }] },
      400,
      /retainKeys/
    ],
    'two kinds of volume in one': [
      { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
      422,
      /volumes\[0\].hostPath: Forbidden: may not specify more than 1 volume type/
    ]
  }
  for (const [name, [patch, code, message]] of Object.entries(cases)) {
    const { post, patch: ask } = asked()
    post(deployments, deployment)
    t.match(
      ask(`${deployments}/d`, { spec: { template: { spec: patch } } }, 'strategic'),
      { code, body: { message } },
      name
    )
  }
})

const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'Pod', name: uid, uid })

t.test('strategic merge patches of metadata, of conditions and of ports', async t => {
  const finalizers: Record<string, [patch: object, want: string]> = {
    'finalizers are added': [{ finalizers: ['f/d'] }, 'dabc'],
    'each once, in the order that is said': [{ finalizers: ['f/b', 'f/a'] }, 'bac'],
    'and taken out': [{ '$deleteFromPrimitiveList/finalizers': ['f/b'] }, 'ac'],
    'both at once': [{ '$deleteFromPrimitiveList/finalizers': ['f/b'], finalizers: ['f/d'] }, 'dac'],
    'and ordered': [{ '$setElementOrder/finalizers': ['f/c', 'f/b', 'f/a'] }, 'cba'],
    'all taken away': [{ finalizers: null }, '']
  }
  for (const [name, [metadata, want]] of Object.entries(finalizers)) {
    const { post, patch } = asked()
    post(configMaps, map)
    t.equal(short(patch(`${configMaps}/a`, { metadata }, 'strategic')).finalizers ?? '', want, name)
  }
  const { post, patch } = asked()
  post(configMaps, { ...map, metadata: { name: 'a', ownerReferences: [owner('u1'), owner('u2')] } })
  const owners = (ownerReferences: object[]) =>
    named(patch(`${configMaps}/a`, { metadata: { ownerReferences } }, 'strategic').body.metadata.ownerReferences, 'uid')
  t.equal(owners([{ uid: 'u2', name: 'new' }]), 'u1 u1, new u2', 'owners by uid')
  t.equal(owners([owner('u3')]), 'u3 u3, u1 u1, new u2')
  t.equal(owners([{ uid: 'u2', $patch: 'delete' }]), 'u3 u3, u1 u1')
  t.strictSame(patch(`${configMaps}/a`, { data: { $patch: 'replace', z: '1' } }, 'strategic').body.data, { z: '1' })

  post(pods, { metadata: { name: 'p' }, spec: { containers: [{ name: 'main', image: 'none' }] } })
  const conditions = (...conditions: object[]) =>
    patch(`${pods}/p/status`, { status: { conditions } }, 'strategic').body.status.conditions
  conditions({ type: 'Ready', status: 'False' }, { type: 'Initialized', status: 'True' })
  t.strictSame(
    conditions({ type: 'Ready', status: 'True', reason: 'Done' }),
    [
      { type: 'Ready', status: 'True', reason: 'Done' },
      { type: 'Initialized', status: 'True' }
    ],
    'conditions by type'
  )
  const services = '/api/v1/namespaces/default/services'
  post(services, { metadata: { name: 's' }, spec: { ports: [{ port: 80, name: 'a', targetPort: 'web' }] } })
  const ports = { spec: { ports: [{ port: 80, name: 'b' }] } }
  t.match(patch(`${services}/s`, ports, 'strategic').body.spec.ports, [{ port: 80, name: 'b', targetPort: 'web' }])
})

t.test('custom resources have no strategic merge', async t => {
  const { post, patch } = asked()
  post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'things.ex.io' },
    spec: {
      ...{ group: 'ex.io', scope: 'Namespaced', names: { plural: 'things', kind: 'Thing' } },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }]
    }
  })
  const things = '/apis/ex.io/v1/namespaces/default/things'
  post(things, { apiVersion: 'ex.io/v1', kind: 'Thing', metadata: { name: 'a' } })
  t.match(patch(`${things}/a`, {}, 'strategic'), { code: 415, body: { reason: 'UnsupportedMediaType' } })
  t.equal(patch(`${things}/a`, { metadata: { labels: { a: 'b' } } }).code, 200)
})
