import t from 'tap'
import { builtIn } from '../../extender/embedded/api/built-in.ts'
import { columnsOf } from '../../extender/embedded/api-server/tables/columns-of.ts'
import { humanDuration } from '../../extender/embedded/api-server/tables/duration.ts'
import { podSummary } from '../../extender/embedded/api-server/tables/pods.ts'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { configMap, configMaps, pod, pods, rig, type Loose } from './http-rig.ts'

const table =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'
const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
const partials = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'

t.test('ages', async t => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000]
  const cases: [number, string][] = [
    ...([
      [-5 * s, '<invalid>'],
      [-0.5 * s, '0s'],
      [119 * s, '119s'],
      [2 * m, '2m'],
      [2 * m + s, '2m1s']
    ] as [number, string][]),
    ...([
      [10 * m + s, '10m'],
      [179 * m, '179m'],
      [3 * h, '3h'],
      [3 * h + m, '3h1m'],
      [8 * h + m, '8h']
    ] as [number, string][]),
    ...([
      [47 * h, '47h'],
      [49 * h, '2d1h'],
      [8 * d + h, '8d'],
      [800 * d, '2y70d'],
      [3000 * d, '8y']
    ] as [number, string][])
  ]
  for (const [ms, want] of cases) t.equal(humanDuration(ms), want, `${ms} ms`)
})

const status = (status: object, spec: object = {}, metadata: object = {}): KubeObject => {
  const { spec: usual, ...rest } = pod('p')
  return { ...rest, metadata: { name: 'p', ...metadata }, spec: { ...(usual as object), ...spec }, status }
}
const container = (state: object, more: object = {}) => ({
  name: 'main',
  ready: false,
  restartCount: 0,
  state,
  ...more
})
const init = { initContainers: [{ name: 'i', image: 'x' }] }
const sidecar = { initContainers: [{ name: 'i', image: 'x', restartPolicy: 'Always' }] }
const running = container({ running: {} }, { ready: true })

t.test('how a pod is summed up', async t => {
  const cases: Record<string, [KubeObject, status: string, ready: string, restarts?: number]> = {
    'just made': [status({ phase: 'Pending' }), 'Pending', '0/1'],
    gated: [
      status({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
      'SchedulingGated',
      '0/1'
    ],
    'being made': [
      status({ phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })] }),
      'ContainerCreating',
      '0/1'
    ],
    running: [status({ phase: 'Running', containerStatuses: [running] }), 'Running', '1/1'],
    crashing: [
      status({
        phase: 'Running',
        containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 4 })]
      }),
      'CrashLoopBackOff',
      '0/1',
      4
    ],
    done: [
      status({
        phase: 'Succeeded',
        containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } })]
      }),
      'Completed',
      '0/1'
    ],
    failed: [
      status({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 3 } })] }),
      'ExitCode:3',
      '0/1'
    ],
    killed: [
      status({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 137, signal: 9 } })] }),
      'Signal:9',
      '0/1'
    ],
    evicted: [status({ phase: 'Failed', reason: 'Evicted' }), 'Evicted', '0/1'],
    'one done, one running': [
      status(
        {
          ...{ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
          containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } }), running]
        },
        { containers: [{ name: 'main' }, { name: 'b' }] }
      ),
      'Running',
      '1/2'
    ],
    'at its first init container': [
      status({ phase: 'Pending', initContainerStatuses: [container({ running: {} }, { name: 'i' })] }, init),
      'Init:0/1',
      '0/1'
    ],
    'failing to begin': [
      status(
        {
          phase: 'Pending',
          initContainerStatuses: [container({ terminated: { exitCode: 1, reason: 'Error' } }, { name: 'i' })]
        },
        init
      ),
      'Init:Error',
      '0/1'
    ],
    'beside a sidecar': [
      status(
        {
          phase: 'Running',
          initContainerStatuses: [
            container({ running: {} }, { name: 'i', started: true, ready: true, restartCount: 2 })
          ],
          containerStatuses: [running]
        },
        sidecar
      ),
      'Running',
      '2/2',
      2
    ],
    leaving: [
      status({ phase: 'Running', containerStatuses: [running] }, {}, { deletionTimestamp: 'x' }),
      'Terminating',
      '1/1'
    ],
    lost: [status({ phase: 'Running', reason: 'NodeLost' }, {}, { deletionTimestamp: 'x' }), 'Unknown', '0/1']
  }
  for (const [name, [object, want, ready, restarts = 0]] of Object.entries(cases)) {
    const found = podSummary(object)
    t.strictSame([found.status, `${found.ready}/${found.total}`, found.restarts], [want, ready, restarts], name)
  }
})

t.test('a list as a table, with metadata, objects or nothing beside the cells', async t => {
  const { ask, get } = await rig(t)
  await ask('POST', pods, pod('a'))
  await ask('POST', configMaps, configMap('c', { x: 'y' }))
  const { body } = await get(pods, table)
  t.match(body, { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: String } })
  const headers = body.columnDefinitions.map(({ name, priority }: Loose) => `${name}${priority === 0 ? '' : '*'}`)
  t.strictSame(headers.join(' '), 'Name Ready Status Restarts Age IP* Node* Nominated Node* Readiness Gates*')
  t.strictSame(body.rows[0].cells.slice(0, 4), ['a', '0/1', 'Pending', '0'])
  t.match(body.rows[0].object, { kind: 'PartialObjectMetadata', metadata: { name: 'a' } })
  t.match((await get(`${pods}?includeObject=Object`, table)).body.rows[0].object, { kind: 'Pod', spec: {} })
  t.equal((await get(`${pods}?includeObject=None`, table)).body.rows[0].object, null)
  t.strictSame((await get(`${configMaps}/c`, table)).body.rows[0].cells.slice(0, 2), ['c', 1], 'one object too')
  t.match((await get(`${configMaps}/c`, partial)).body, { kind: 'PartialObjectMetadata', metadata: { name: 'c' } })
  t.match((await get(configMaps, partials)).body, {
    kind: 'PartialObjectMetadataList',
    items: [{ metadata: { name: 'c' } }]
  })
  t.notOk('data' in (await get(configMaps, partials)).body.items[0])
})

t.test('a watch of tables has its headers once', async t => {
  const { ask, watch } = await rig(t)
  const watched = await watch(`${pods}?watch=1`, table)
  await ask('POST', pods, pod('a'))
  await ask('POST', pods, pod('b'))
  await watched.until('both', events => events.length === 2)
  const [first, second] = watched.events
  t.match(first, { type: 'ADDED', object: { kind: 'Table', rows: [{ cells: ['a'] }] } })
  t.ok(first.object.columnDefinitions.length > 0)
  t.notOk(second.object.columnDefinitions)
})

t.test('every resource has columns that survive an empty object', async t => {
  for (const resource of builtIn) {
    const { kind } = resource
    for (const column of columnsOf(resource, 'v1')) {
      const cell = column.cell({ apiVersion: 'v1', kind, metadata: { name: 'x' } }, 0)
      t.ok(cell === null || ['string', 'number', 'boolean'].includes(typeof cell), `${kind} ${column.name}`)
    }
  }
})

t.test('discovery, old and new, says the same', async t => {
  const { get, cluster } = await rig(t)
  const modern = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
  const names = new Map<string, Set<string>>()
  for (const path of ['/api', '/apis']) {
    const { body, headers } = await get(path, modern)
    t.equal(headers['content-type'], 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList')
    for (const { metadata, versions } of body.items)
      for (const { version, resources } of versions) {
        const key = metadata.name === '' ? `api/${version}` : `apis/${metadata.name}/${version}`
        const all = resources.flatMap(({ resource, subresources = [] }: Loose) => [
          resource,
          ...subresources.map(({ subresource }: Loose) => `${resource}/${subresource}`)
        ])
        names.set(key, new Set(all))
      }
  }
  for (const [path, want] of names) {
    const { body } = await get(`/${path}`)
    t.strictSame(new Set(body.resources.map((each: Loose) => each.name)), want, path)
  }
  const { body: groups } = await get('/apis')
  t.strictSame(
    new Set(groups.groups.map((each: Loose) => each.name)),
    new Set([...names.keys()].filter(key => key !== 'api/v1').map(key => key.split('/')[1]))
  )
  t.match((await get('/apis/apps')).body, { kind: 'APIGroup', preferredVersion: { groupVersion: 'apps/v1' } })
  t.match(
    (await get('/api/v1')).body.resources.find((each: Loose) => each.name === 'pods'),
    { shortNames: ['po'], categories: ['all'] }
  )
  t.match((await get('/version')).body, { major: '1', minor: '36' })
  for (const path of ['/livez', '/readyz', '/healthz', '/readyz/ping']) t.equal((await get(path)).body, 'ok')
  t.equal((await get('/apis/nope.io')).status, 404)
  t.equal((await get('/openapi/v2')).status, 404)
  t.ok([...cluster.client.resources].length > 20)
})

t.test('OpenAPI: every reference resolves, and what kubectl looks for is there', async t => {
  const { get } = await rig(t)
  const index = (await get('/openapi/v3')).body.paths
  for (const [path, { serverRelativeURL }] of Object.entries<Loose>(index)) {
    const { body } = await get(serverRelativeURL)
    const refs = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, ref]) => ref!)
    t.strictSame(
      refs.filter(ref => !(ref in body.components.schemas)),
      [],
      path
    )
    const patches = Object.values<Loose>(body.paths).flatMap(({ patch }) => patch ?? [])
    t.ok(patches.length > 0)
    for (const { parameters, 'x-kubernetes-group-version-kind': gvk } of patches)
      t.ok(gvk.kind && parameters.some(({ name }: Loose) => name === 'fieldValidation'), `${path} ${gvk.kind}`)
  }
  const { body } = await get('/openapi/v3/apis/apps/v1')
  const deployment = Object.values<Loose>(body.components.schemas).find(
    each => each['x-kubernetes-group-version-kind']?.[0].kind === 'Deployment'
  )
  t.match(deployment, {
    description: /declarative updates/,
    properties: { spec: { allOf: [{ $ref: /DeploymentSpec/ }] } }
  })
})

const column = (name: string, type: string, jsonPath: string, more = {}) => ({ name, type, jsonPath, ...more })

t.test('custom resources: discovery, columns, OpenAPI, subresources', async t => {
  const { ask, get } = await rig(t)
  const version = {
    ...{
      name: 'v1',
      served: true,
      storage: true,
      subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } }
    },
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
        }
      }
    },
    additionalPrinterColumns: [
      column('N', 'integer', '.spec.n'),
      column('Ready', 'string', '.status.conditions[?(@.type=="Ready")].status', { priority: 1 }),
      column('First', 'string', '.spec.list[0].name'),
      column('Odd', 'string', '.spec.list[?(@.a>1)]'),
      column('Age', 'date', '.metadata.creationTimestamp')
    ]
  }
  const made = await ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'things.example.io' },
    spec: {
      group: 'example.io',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', shortNames: ['th'] },
      versions: [version]
    }
  })
  t.equal(made.status, 201, JSON.stringify(made.body))
  const things = '/apis/example.io/v1/namespaces/default/things'
  const spec = { n: 3, list: [{ name: 'one' }] }
  t.equal((await ask('POST', things, { metadata: { name: 'a' }, spec })).status, 201)
  const { body } = await get(things, table)
  t.strictSame(
    body.columnDefinitions.map((each: Loose) => each.name),
    ['Name', 'N', 'Ready', 'First', 'Odd', 'Age']
  )
  t.strictSame(body.rows[0].cells.slice(0, 5), ['a', 3, null, 'one', null])
  t.match((await get('/apis/example.io/v1')).body.resources, [
    { name: 'things', shortNames: ['th'] },
    { name: 'things/status' },
    { name: 'things/scale', group: 'autoscaling' }
  ])
  t.match((await get(`${things}/a/scale`)).body.spec, { replicas: 3 })
  const document = (await get('/openapi/v3/apis/example.io/v1')).body
  t.match(document.components.schemas['example.io.v1.Thing'], { properties: { metadata: { allOf: [{}] } } })
})
