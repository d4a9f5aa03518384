import t from 'tap'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { controllers, kubelet, usualNodes } from '../../extender/embedded/parts.ts'
import { configMap, configMaps, pod, pods, rig, type Loose } from './http-rig.ts'

const names = (answer: { body: Loose }) => answer.body.items.map((item: Loose) => item.metadata.name)
/** A refusal. */
const status = (code: number, reason: string, message?: RegExp) => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, ...(message && { message }) }
})

t.test('create, read, replace, patch and delete', async t => {
  const { ask, get } = await rig(t)
  const made = await ask('POST', configMaps, configMap('a', { k: 'v' }))
  t.equal(made.status, 201)
  t.match(made.body, {
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'default', uid: String },
    data: { k: 'v' }
  })
  t.equal((await get(`${configMaps}/a`)).body.metadata.uid, made.body.metadata.uid)

  const put = await ask('PUT', `${configMaps}/a`, { ...made.body, data: { k: 'w' } })
  t.match(put, { status: 200, body: { data: { k: 'w' } } })
  const stale = await ask('PUT', `${configMaps}/a`, { ...made.body, data: { k: 'x' } })
  t.match(stale, { status: 409, body: { kind: 'Status', status: 'Failure', reason: 'Conflict', code: 409 } })
  const again = await ask('POST', configMaps, configMap('a'))
  t.match(again.body, {
    ...{ status: 'Failure', reason: 'AlreadyExists', code: 409, message: 'configmaps "a" already exists' },
    details: { name: 'a', kind: 'configmaps' }
  })

  const patches: Record<string, [type: string, body: object | string, want: object]> = {
    merge: ['application/merge-patch+json', { data: { k: null, m: '1' } }, { m: '1' }],
    json: ['application/json-patch+json', [{ op: 'add', path: '/data/j', value: '2' }], { m: '1', j: '2' }],
    strategic: ['application/strategic-merge-patch+json', { data: { s: '3' } }, { m: '1', j: '2', s: '3' }],
    apply: ['application/apply-patch+yaml', 'apiVersion: v1\nkind: ConfigMap\ndata: {y: "4"}\n', { y: '4' }]
  }
  for (const [name, [type, body, want]] of Object.entries(patches)) {
    const answer = await ask('PATCH', `${configMaps}/a?fieldManager=test`, body, { type })
    t.match(answer, { status: 200, body: { data: want } }, name)
  }
  const gone = await ask('DELETE', `${configMaps}/a`)
  t.match(gone.body, { kind: 'Status', status: 'Success', details: { name: 'a', uid: made.body.metadata.uid } })
  t.match(await get(`${configMaps}/a`), {
    status: 404,
    body: { reason: 'NotFound', message: 'configmaps "a" not found', details: { name: 'a', kind: 'configmaps' } }
  })
})

t.test('apply makes what is not there', async t => {
  const { ask } = await rig(t)
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {a: b}\n'
  const type = 'application/apply-patch+yaml'
  t.equal((await ask('PATCH', `${configMaps}/new?fieldManager=me`, yaml, { type })).status, 201)
  t.equal((await ask('PATCH', `${configMaps}/new?fieldManager=me`, yaml, { type })).status, 200)
  t.match(await ask('PATCH', `${configMaps}/new`, yaml, { type }), { status: 422, body: { reason: 'Invalid' } })
})

t.test('lists: pages, selectors, all namespaces, exact versions', async t => {
  const { ask, get, cluster } = await rig(t)
  await ask('POST', '/api/v1/namespaces', { metadata: { name: 'other' } })
  for (const name of ['a', 'b', 'c', 'd', 'e']) await ask('POST', pods, pod(name))
  await ask('POST', '/api/v1/namespaces/other/pods', pod('z'))

  const first = await get(`${pods}?limit=2`)
  t.match(first.body, { kind: 'PodList', apiVersion: 'v1', metadata: { remainingItemCount: 3, continue: String } })
  await ask('DELETE', `${pods}/d?gracePeriodSeconds=0`)
  const second = await get(`${pods}?limit=3&continue=${encodeURIComponent(first.body.metadata.continue)}`)
  t.strictSame(
    [names(first), names(second)],
    [
      ['a', 'b'],
      ['c', 'd', 'e']
    ],
    'pages show one state'
  )
  t.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion)
  t.strictSame(names(await get('/api/v1/pods')), ['a', 'b', 'c', 'e', 'z'])
  t.strictSame(names(await get(`${pods}?labelSelector=app%20in%20(a,b)`)), ['a', 'b'])
  t.strictSame(names(await get('/api/v1/pods?fieldSelector=metadata.namespace%3Dother')), ['z'])
  t.match(await get(`${pods}?labelSelector=a%20b`), { status: 400, body: { reason: 'BadRequest' } })
  t.match(await get(`${pods}?limit=many`), { status: 400 })
  const old = await get(`${pods}?resourceVersion=${first.body.metadata.resourceVersion}&resourceVersionMatch=Exact`)
  t.strictSame(names(old), ['a', 'b', 'c', 'd', 'e'])
  const ahead = Number(cluster.client.resourceVersion) + 100
  t.match(await get(`${pods}?resourceVersion=${ahead}`), {
    status: 504,
    body: { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }
  })
  t.match(await ask('DELETE', `${pods}?labelSelector=app%3Da`), {
    status: 200,
    body: { items: [{ metadata: { name: 'a' } }] }
  })
  t.strictSame(names(await get(pods)), ['b', 'c', 'e'])
})

t.test('what is asked wrongly is refused, and said in one sentence', async t => {
  const { ask, get } = await rig(t)
  await ask('POST', configMaps, configMap('a'))
  const huge = configMap('big', { k: 'x'.repeat(3 * 1024 * 1024) })
  const cases: Record<string, [() => Promise<object>, object]> = {
    'an unknown path': [() => get('/nope'), status(404, 'NotFound')],
    'an unknown resource': [() => get('/api/v1/nopes'), status(404, 'NotFound', /could not find/)],
    'an unknown version': [() => get('/apis/apps/v9/deployments'), status(404, 'NotFound')],
    'a namespace for what has none': [() => get('/api/v1/namespaces/default/nodes'), status(404, 'NotFound')],
    'a method that does not fit': [() => ask('PUT', configMaps, configMap('a')), status(405, 'MethodNotAllowed')],
    'creating without a namespace': [() => ask('POST', '/api/v1/pods', pod('p')), status(405, 'MethodNotAllowed')],
    'broken JSON': [() => ask('POST', configMaps, '{"a'), status(400, 'BadRequest', /JSON/)],
    'broken YAML': [() => ask('POST', configMaps, 'a: [', { type: 'application/yaml' }), status(400, 'BadRequest')],
    'no object': [() => ask('POST', configMaps, '[]'), status(400, 'BadRequest', /no JSON object/)],
    'no body at all': [() => ask('POST', configMaps), status(400, 'BadRequest')],
    'another kind': [
      () => ask('POST', configMaps, pod('p')),
      status(400, 'BadRequest', /cannot be handled as a ConfigMap/)
    ],
    'another name': [
      () => ask('PUT', `${configMaps}/a`, configMap('b')),
      status(400, 'BadRequest', /the name of the object \(b\) does not match the name on the URL \(a\)/)
    ],
    'another namespace': [
      () => ask('POST', configMaps, { metadata: { name: 'n', namespace: 'other' } }),
      status(400, 'BadRequest', /namespace of the provided object does not match/)
    ],
    'a namespace that is not there': [
      () => ask('POST', '/api/v1/namespaces/gone/configmaps', configMap('x')),
      status(404, 'NotFound', /namespaces "gone" not found/)
    ],
    'too large': [() => ask('POST', configMaps, huge), status(413, 'RequestEntityTooLarge')],
    'an unknown kind of patch': [() => ask('PATCH', `${configMaps}/a`, {}), status(415, 'UnsupportedMediaType')],
    'an unknown kind of body': [
      () => ask('POST', configMaps, 'x', { type: 'text/csv' }),
      status(415, 'UnsupportedMediaType', /text\/csv/)
    ],
    'only protobuf': [() => get(pods, 'application/vnd.kubernetes.protobuf'), status(406, 'NotAcceptable')],
    'a dry run of something': [() => ask('POST', `${configMaps}?dryRun=Some`, configMap('x')), status(422, 'Invalid')],
    'a broken escape': [() => get('/api/v1/namespaces/%zz/pods'), status(400, 'BadRequest')],
    'what is not served': [
      () => ask('POST', `${pods}/p/exec`),
      status(501, 'NotImplemented', /does not serve pods\/exec/)
    ],
    'a part that does not exist': [() => get(`${configMaps}/a/status`), status(404, 'NotFound')],
    'a token of nobody': [
      () => ask('GET', pods, undefined, { headers: { authorization: 'Bearer nonsense' } }),
      status(401, 'Unauthorized')
    ],
    'a stale precondition': [
      () => ask('DELETE', `${configMaps}/a`, { preconditions: { uid: 'other' } }),
      status(409, 'Conflict', /UID in/)
    ]
  }
  for (const [name, [act, want]] of Object.entries(cases)) t.match(await act(), want, name)
  t.equal((await get(configMaps)).body.items.length, 1, 'and nothing was changed')
})

t.test('dry runs leave nothing behind', async t => {
  const { ask, get } = await rig(t)
  await ask('POST', configMaps, configMap('a', { k: 'v' }))
  t.equal((await ask('POST', `${configMaps}?dryRun=All`, configMap('b'))).status, 201)
  const type = 'application/merge-patch+json'
  const patched = await ask('PATCH', `${configMaps}/a?dryRun=All`, { data: { k: 'w' } }, { type })
  t.equal(patched.body.data.k, 'w')
  t.equal((await ask('DELETE', `${configMaps}/a`, { dryRun: ['All'] })).status, 200)
  const left = await get(configMaps)
  t.match(left.body.items, [{ metadata: { name: 'a' }, data: { k: 'v' } }])
  t.equal(left.body.items.length, 1)
})

t.test('binding, status, scale, eviction', async t => {
  const { ask, get } = await rig(t)
  const node = { metadata: { name: 'n1' }, status: { allocatable: { pods: '10' } } }
  await ask('POST', '/api/v1/nodes', node)
  const { body: made } = await ask('POST', pods, pod('p'))
  const bind = (name: string, uid?: string) =>
    ask('POST', `${pods}/${name}/binding`, {
      ...{ apiVersion: 'v1', kind: 'Binding', target: { apiVersion: 'v1', kind: 'Node', name: 'n1' } },
      metadata: { name, annotations: { by: 'test' }, ...(uid && { uid }) }
    })
  t.match(await bind('p', 'other'), { status: 409, body: { reason: 'Conflict' } })
  t.match(await bind('p', made.metadata.uid), { status: 201, body: { kind: 'Status', status: 'Success', code: 201 } })
  t.match(await bind('p'), { status: 409, body: { message: /already assigned to node "n1"/ } })
  t.match(await bind('nobody'), { status: 404, body: { reason: 'NotFound' } })
  t.match((await get(`${pods}/p`)).body, { spec: { nodeName: 'n1' }, metadata: { annotations: { by: 'test' } } })
  await ask('POST', pods, pod('old'))
  const { body: old } = await ask('POST', '/api/v1/namespaces/default/bindings', {
    ...{ metadata: { name: 'old' }, target: { kind: 'Node', name: 'n1' } }
  })
  t.equal(old.status, 'Success', 'the old collection binds as well')
  t.match(await ask('POST', `${pods}/p/binding`, { metadata: { name: 'p' }, target: {} }), { status: 422 })

  const { body: current } = await get(`${pods}/p`)
  const status = { ...current, status: { phase: 'Running' }, spec: { ...current.spec, priority: 9 } }
  t.match(await ask('PUT', `${pods}/p/status`, status), { status: 200, body: { status: { phase: 'Running' } } })
  t.notOk((await get(`${pods}/p`)).body.spec.priority === 9, 'a write of the status writes nothing else')

  const deployments = '/apis/apps/v1/namespaces/default/deployments'
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'none' }] } }
  const spec = { replicas: 2, selector: { matchLabels: { a: 'b' } }, template }
  await ask('POST', deployments, { metadata: { name: 'd' }, spec })
  t.match((await get(`${deployments}/d/scale`)).body, {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 2 }
  })
  const type = 'application/merge-patch+json'
  const scaled = await ask('PATCH', `${deployments}/d/scale`, { spec: { replicas: 5 } }, { type })
  t.match(scaled.body, { kind: 'Scale', spec: { replicas: 5 } })
  const put = await ask('PUT', `${deployments}/d/scale`, { ...scaled.body, spec: { replicas: 7 } })
  t.match(put.body, { spec: { replicas: 7 } })
  t.equal((await get(`${deployments}/d`)).body.spec.replicas, 7)

  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } }
  t.equal((await ask('POST', `${pods}/p/eviction?dryRun=All`, eviction)).status, 201)
  t.notOk((await get(`${pods}/p`)).body.metadata.deletionTimestamp)
  t.match(await ask('POST', `${pods}/p/eviction`, eviction), { status: 201, body: { status: 'Success' } })
  t.ok((await get(`${pods}/p`)).body.metadata.deletionTimestamp)
})

t.test('logs come from the kubelet', async t => {
  const lines = Array.from({ length: 5 }, (_, index) => ({ at: 1000 * index, text: `line ${index}` }))
  const said: { at: number; text: string }[] = [...lines]
  const { ask, get, cluster } = await rig(t, { parts: [() => ({ stop() {}, logs: () => said })] })
  await ask('POST', pods, pod('p', { nodeName: 'n1' }))
  await ask(
    'POST',
    pods,
    pod('two', {
      nodeName: 'n1',
      containers: [
        { name: 'a', image: 'x' },
        { name: 'b', image: 'x' }
      ]
    })
  )
  await ask('POST', pods, pod('unbound'))
  t.equal((await get(`${pods}/p/log`)).body, lines.map(line => `${line.text}\n`).join(''))
  t.equal((await get(`${pods}/p/log?tailLines=2`)).body, 'line 3\nline 4\n')
  t.equal((await get(`${pods}/p/log?tailLines=1&timestamps=true`)).body, '1970-01-01T00:00:04.000Z line 4\n')
  t.equal((await get(`${pods}/p/log?limitBytes=6`)).body, 'line 0')
  t.equal((await get(`${pods}/p/log?sinceSeconds=1`)).body, '')
  t.match(await get(`${pods}/two/log`), { status: 400, body: { message: /choose one of: \[a b\]/ } })
  t.match(await get(`${pods}/two/log?container=c`), { status: 400, body: { message: /container c is not valid/ } })
  t.match(await get(`${pods}/unbound/log`), { status: 400, body: { message: /does not have a host/ } })
  t.match(await get(`${pods}/nobody/log`), { status: 404 })
  const following = get(`${pods}/p/log?follow=true&tailLines=1`)
  setTimeout(() => {
    said.push({ at: 9000, text: 'the end' })
    cluster.client.patch({ resource: 'pods', name: 'p' }, { status: { phase: 'Succeeded' } }, { subresource: 'status' })
  }, 150)
  t.equal((await following).body, 'line 4\nthe end\n', 'a log that is followed ends with its container')
})

t.test('who did what', async t => {
  const { ask, get, cluster } = await rig(t)
  const kubeconfig = JSON.parse(cluster.kubeconfigFor('alice', ['dev']))
  const { token } = kubeconfig.users[0].user
  const headers = { authorization: `Bearer ${token}` }
  await ask('POST', configMaps, configMap('a'), { headers })
  await ask('DELETE', `${configMaps}/a`, undefined, { headers: { ...headers, 'impersonate-user': 'bob' } })
  await get(configMaps)
  const entries = cluster.audit.map(({ user, verb, resource, name, code }) => [user, verb, resource, name, code])
  t.strictSame(entries, [
    ['alice', 'create', 'configmaps', '', 201],
    ['bob', 'delete', 'configmaps', 'a', 200],
    ['system:anonymous', 'list', 'configmaps', '', 200]
  ])
  const review = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const whoami = await ask('POST', review, {}, { headers })
  t.match(whoami, {
    status: 201,
    body: {
      kind: 'SelfSubjectReview',
      status: { userInfo: { username: 'alice', groups: ['dev', 'system:authenticated'] } }
    }
  })
  const access = await ask('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { spec: {} })
  t.match(access.body.status, { allowed: true })
  const tokens = '/apis/authentication.k8s.io/v1/tokenreviews'
  t.match((await ask('POST', tokens, { spec: { token } })).body.status, {
    authenticated: true,
    user: { username: 'alice' }
  })
  t.match((await ask('POST', tokens, { spec: { token: 'x' } })).body.status, { authenticated: false })
  t.equal((await get(review)).status, 405)
})

t.test('with controllers and a kubelet, a deployment runs', async t => {
  const { ask, get, watch } = await rig(t, { parts: [controllers, kubelet(usualNodes(2), [simulatedRuntime()])] })
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'none' }] }
  }
  const spec = { replicas: 2, selector: { matchLabels: { a: 'b' } }, template }
  const deployments = '/apis/apps/v1/namespaces/default/deployments'
  await ask('POST', deployments, { metadata: { name: 'd' }, spec })
  const seen = await watch(`${deployments}?watch=1`)
  await seen.until('two are available', events => events.some(event => event.object.status?.availableReplicas === 2))
  seen.close()
  t.match((await get(pods)).body.items, [{ status: { phase: 'Running' } }, { status: { phase: 'Running' } }])
})
