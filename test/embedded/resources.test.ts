import t from 'tap'
import { builtIn } from '../../extender/embedded/api/built-in.ts'
import { asked, causesOf } from './api-call.ts'
import { configMaps, type Loose, pods } from './http-rig.ts'

const containers = [{ name: 'main', image: 'none' }]
const template = { metadata: { labels: { a: 'b' } }, spec: { containers } }
const selector = { matchLabels: { a: 'b' } }
const core = (plural: string) => `/api/v1/namespaces/default/${plural}`
const of = (group: string, plural: string) => `/apis/${group}/v1/namespaces/default/${plural}`
const container = {
  ...{ name: 'main', image: 'none', imagePullPolicy: 'Always', resources: {} },
  ...{ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' }
}
const podSpec = {
  ...{ containers: [container], restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', securityContext: {} },
  ...{ schedulerName: 'default-scheduler', terminationGracePeriodSeconds: 30 }
}
const away = (key: string) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 })
const rolls = (rollingUpdate: object) => ({ type: 'RollingUpdate', rollingUpdate })

/** What is written, and what is made of it besides the metadata. */
const kinds: Record<string, [path: string, given: object, want: object]> = {
  Namespace: ['/api/v1/namespaces', {}, { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }],
  Node: [
    '/api/v1/nodes',
    { spec: { podCIDR: '10.1.0.0/24' }, status: { capacity: { cpu: '4' } } },
    {
      spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24'] },
      status: { capacity: { cpu: '4' }, allocatable: { cpu: '4' } }
    }
  ],
  Pod: [
    pods,
    { spec: { containers } },
    {
      spec: {
        ...{ ...podSpec, enableServiceLinks: true, priority: 0, preemptionPolicy: 'PreemptLowerPriority' },
        tolerations: [away('node.kubernetes.io/not-ready'), away('node.kubernetes.io/unreachable')]
      },
      status: { phase: 'Pending', qosClass: 'BestEffort' }
    }
  ],
  Service: [
    core('services'),
    { spec: { selector: { a: 'b' }, ports: [{ port: 80 }] } },
    {
      spec: {
        ...{ type: 'ClusterIP', sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', selector: { a: 'b' } },
        ...{
          clusterIP: /^10\.96\.\d+\.\d+$/,
          clusterIPs: [String],
          ipFamilies: ['IPv4'],
          ipFamilyPolicy: 'SingleStack'
        },
        ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }]
      },
      status: { loadBalancer: {} }
    }
  ],
  EndpointSlice: [
    of('discovery.k8s.io', 'endpointslices'),
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.2.3'] }], ports: [{ port: 80 }] },
    {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.1.2.3'], conditions: {} }],
      ports: [{ name: '', port: 80, protocol: 'TCP' }]
    }
  ],
  ReplicaSet: [
    of('apps', 'replicasets'),
    { spec: { selector, template } },
    { spec: { replicas: 1, selector, template: { ...template, spec: podSpec } }, status: { replicas: 0 } }
  ],
  Deployment: [
    of('apps', 'deployments'),
    { spec: { selector, template } },
    {
      spec: {
        ...{ replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, selector },
        template: { ...template, spec: podSpec },
        strategy: rolls({ maxSurge: '25%', maxUnavailable: '25%' })
      },
      status: {}
    }
  ],
  StatefulSet: [
    of('apps', 'statefulsets'),
    { spec: { selector, template, serviceName: 's' } },
    {
      spec: {
        ...{ replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady', selector, serviceName: 's' },
        template: { ...template, spec: podSpec },
        updateStrategy: rolls({ partition: 0 }),
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' }
      },
      status: { replicas: 0, availableReplicas: 0 }
    }
  ],
  DaemonSet: [
    of('apps', 'daemonsets'),
    { spec: { selector, template } },
    {
      spec: {
        ...{ revisionHistoryLimit: 10, selector, template: { ...template, spec: podSpec } },
        updateStrategy: rolls({ maxUnavailable: 1, maxSurge: 0 })
      },
      status: { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 }
    }
  ],
  Job: [
    of('batch', 'jobs'),
    { spec: { template: { spec: { containers, restartPolicy: 'Never' } } } },
    {
      spec: {
        ...{ parallelism: 1, completions: 1, completionMode: 'NonIndexed', backoffLimit: 6, suspend: false },
        ...{ manualSelector: false, podReplacementPolicy: 'TerminatingOrFailed' },
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': String } },
        template: {
          metadata: { labels: { 'batch.kubernetes.io/job-name': 'x', 'job-name': 'x', 'controller-uid': String } },
          spec: { ...podSpec, restartPolicy: 'Never' }
        }
      },
      status: {}
    }
  ],
  CronJob: [
    of('batch', 'cronjobs'),
    {
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { template: { spec: { containers, restartPolicy: 'OnFailure' } } } }
      }
    },
    {
      spec: {
        ...{ concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
        schedule: '* * * * *'
      },
      status: {}
    }
  ],
  ConfigMap: [
    configMaps,
    { data: { k: 'v' }, binaryData: { b: 'eA==' } },
    { data: { k: 'v' }, binaryData: { b: 'eA==' } }
  ],
  Secret: [
    core('secrets'),
    { stringData: { k: 'v' }, data: { l: 'eA==' } },
    { type: 'Opaque', data: { k: 'dg==', l: 'eA==' } }
  ],
  ServiceAccount: [core('serviceaccounts'), {}, {}],
  Lease: [
    of('coordination.k8s.io', 'leases'),
    { spec: { holderIdentity: 'me', leaseDurationSeconds: 10 } },
    { spec: { holderIdentity: 'me', leaseDurationSeconds: 10 } }
  ],
  Event: [
    core('events'),
    { involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' }, reason: 'R', message: 'm', type: 'Normal' },
    { reason: 'R', source: {}, eventTime: null, firstTimestamp: null, lastTimestamp: null, reportingComponent: '' }
  ],
  PriorityClass: [
    '/apis/scheduling.k8s.io/v1/priorityclasses',
    { value: 7 },
    { value: 7, preemptionPolicy: 'PreemptLowerPriority' }
  ],
  PodDisruptionBudget: [
    of('policy', 'poddisruptionbudgets'),
    { spec: { minAvailable: 1, selector } },
    {
      spec: { minAvailable: 1, selector },
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
    }
  ]
}

/** Of these, a PUT makes what is not there. */
const makes = { Service: true, Lease: true, Event: true }

t.test('every kind is made with its defaults, read, listed, and deleted', async t => {
  for (const [kind, [path, given, want]] of Object.entries(kinds)) {
    const { api, get, post, put, remove } = asked()
    const resource = builtIn.find(each => each.kind === kind)!
    const here = resource.namespaced ? { namespace: 'default' } : {}
    const made = post(path, { metadata: { name: 'x' }, ...given })
    t.match(
      made,
      { code: 201, body: { kind, metadata: { name: 'x', uid: String, ...here }, ...want }, warnings: undefined },
      `${kind} is made`
    )
    t.strictSame(get(`${path}/x`), { code: 200, body: made.body })
    t.ok(get(path).body.items.includes(made.body), 'it is in its list')
    const details = { name: 'x', kind: resource.plural, ...(resource.group && { group: resource.group }) }
    const message = (said: string, name = 'x') => `${resource.id} "${name}" ${said}`
    t.match(post(path, { metadata: { name: 'x' }, ...given }), {
      code: 409,
      body: { reason: 'AlreadyExists', message: message('already exists'), details }
    })
    const { resourceVersion } = api
    t.equal(put(`${path}/x`, made.body).body, made.body, 'what it is already changes nothing')
    t.equal(api.resourceVersion, resourceVersion)
    t.equal(remove(`${path}/x`, { propagationPolicy: 'Background' }).code, 200)
    if (kind === 'Namespace') continue
    t.match(get(`${path}/x`), { code: 404, body: { reason: 'NotFound', message: message('not found'), details } })
    t.equal(remove(`${path}/x`).code, 404)
    t.equal(put(`${path}/nobody`, { ...made.body, metadata: { name: 'nobody' } }).code, kind in makes ? 201 : 404)
  }
})

t.test('what is changed is counted, as a generation', async t => {
  const { post, patch } = asked()
  const generations = (path: string, change: object, sub = '') => {
    const { metadata } = patch(`${path}/x${sub}`, change).body
    return metadata.generation
  }
  const change = { Pod: { spec: { activeDeadlineSeconds: 5 } }, Job: { spec: { parallelism: 2 } } } as Loose
  for (const kind of ['Pod', 'ReplicaSet', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job']) {
    const [path, given] = kinds[kind]!
    t.equal(post(path, { metadata: { name: 'x' }, ...given }).body.metadata.generation, 1)
    t.equal(generations(path, { metadata: { labels: { l: 'm' } } }), 1, `labels of a ${kind} do not count`)
    t.equal(generations(path, { status: { observedGeneration: 1 } }, '/status'), 1, 'nor does its status')
    const spec = change[kind] ?? { spec: { minReadySeconds: 3 } }
    t.equal(generations(path, spec), 2, 'its spec does')
    t.equal(generations(path, spec), 2, 'once')
  }
  t.equal(
    generations(kinds['Deployment']![0], { metadata: { annotations: { a: 'b' } } }),
    3,
    'of a Deployment, notes too'
  )
  const [classes, given] = kinds['PriorityClass']!
  t.equal(post(classes, { metadata: { name: 'x' }, ...given }).body.metadata.generation, 1)
  t.equal(generations(classes, { description: 'd' }), 1)
  t.equal(post(configMaps, { metadata: { name: 'x' } }).body.metadata.generation, undefined, 'others are not counted')
})

t.test('the status is written apart from the rest', async t => {
  const parts: Record<string, [status: object, spec: object]> = {
    Pod: [{ phase: 'Running' }, { activeDeadlineSeconds: 5 }],
    Node: [{ capacity: { cpu: '8' } }, { unschedulable: true }],
    Service: [{ conditions: [] }, { selector: { z: 'z' } }],
    ReplicaSet: [{ replicas: 3, readyReplicas: 1 }, { replicas: 3 }],
    Deployment: [{ replicas: 3, readyReplicas: 1 }, { replicas: 3 }],
    StatefulSet: [{ replicas: 3, readyReplicas: 1 }, { replicas: 3 }],
    DaemonSet: [{ numberReady: 1 }, { minReadySeconds: 3 }],
    Job: [{ active: 1 }, { parallelism: 3 }],
    PodDisruptionBudget: [{ currentHealthy: 3 }, { minAvailable: 2 }]
  }
  for (const [kind, [status, spec]] of Object.entries(parts)) {
    const { get, post, patch, put } = asked()
    const [path, given] = kinds[kind]!
    const made = post(path, { metadata: { name: 'x' }, ...given }).body
    const labels = { from: 'status' }
    const first = patch(`${path}/x/status`, { status, spec, metadata: { labels } }).body
    t.match(first.status, kind === 'Service' ? {} : status, `the status of a ${kind}`)
    t.strictSame(first.spec, made.spec, 'and nothing else')
    t.match(get(`${path}/x/status`).body, first)
    const second = patch(`${path}/x`, { status: { conditions: [{ type: 'Odd', status: 'True' }] }, spec }).body
    t.match(second.spec, spec, 'its spec')
    t.strictSame(second.status, first.status, 'and nothing else')
    const { resourceVersion } = second.metadata
    const third = put(`${path}/x/status`, { ...made, metadata: { name: 'x', resourceVersion } }).body
    t.strictSame([third.spec, third.status], [second.spec, made.status], 'a PUT likewise')
  }
  const { post, patch } = asked()
  post(configMaps, { metadata: { name: 'x' } })
  t.equal(patch(`${configMaps}/x/status`, { status: {} }).code, 404, 'a ConfigMap has none')
})

t.test('what is scaled', async t => {
  for (const kind of ['Deployment', 'ReplicaSet', 'StatefulSet']) {
    const { api, get, post, patch, put } = asked()
    const [path, given] = kinds[kind]!
    const { resourceVersion, uid } = post(path, { metadata: { name: 'x' }, ...given }).body.metadata
    patch(`${path}/x/status`, { status: { replicas: 1 } })
    const scale = get(`${path}/x/scale`).body
    t.match(scale, {
      ...{ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'x', namespace: 'default', uid } },
      ...{ spec: { replicas: 1 }, status: { replicas: 1, selector: 'a=b' } }
    })
    t.match(patch(`${path}/x/scale`, { spec: { replicas: 5 } }).body.spec, { replicas: 5 }, kind)
    t.match(put(`${path}/x/scale`, { metadata: { name: 'x' }, spec: { replicas: 7 } }).body.spec, { replicas: 7 })
    t.match(get(`${path}/x`).body, { spec: { replicas: 7 }, metadata: { generation: 3 } })
    const old = { metadata: { name: 'x', resourceVersion }, spec: { replicas: 9 } }
    t.match(put(`${path}/x/scale`, old), { code: 409, body: { reason: 'Conflict' } })
    t.strictSame(causesOf(patch(`${path}/x/scale`, { spec: { replicas: -1 } })), [
      'spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    ])
    const before = api.resourceVersion
    t.match(patch(`${path}/x/scale?dryRun=All`, { spec: { replicas: 9 } }).body.spec, { replicas: 9 })
    t.equal(api.resourceVersion, before, 'a dry run writes nothing')
    t.equal(get(`${path}/nobody/scale`).code, 404)
  }
  const { get, post } = asked()
  post(kinds['Job']![0], { metadata: { name: 'x' }, ...kinds['Job']![1] })
  t.equal(get(`${kinds['Job']![0]}/x/scale`).code, 404, 'a Job has no scale')
})

t.test('a namespace that leaves takes nothing more in, and goes when it is empty', async t => {
  const { get, post, patch, put, remove } = asked()
  const labels = { 'kubernetes.io/metadata.name': 'team' }
  t.match(post('/api/v1/namespaces', { metadata: { name: 'team' } }).body.metadata, { labels })
  const relabelled = patch('/api/v1/namespaces/team', { metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } } })
  t.match(relabelled.body.metadata, { labels }, 'its name is on it')
  patch('/api/v1/namespaces/team', { spec: { finalizers: ['x.io/y'] } })
  const maps = '/api/v1/namespaces/team/configmaps'
  post(maps, { metadata: { name: 'a' } })
  t.match(remove('/api/v1/namespaces/team'), { code: 200 })
  const leaving = get('/api/v1/namespaces/team').body
  t.match(leaving, { metadata: { deletionTimestamp: String }, status: { phase: 'Terminating' } })
  t.strictSame(leaving.spec.finalizers, ['kubernetes'], 'what holds it is not for everybody to change')
  t.match(post(maps, { metadata: { name: 'b' } }), {
    code: 403,
    body: {
      reason: 'Forbidden',
      message:
        'configmaps "b" is forbidden: unable to create new content in namespace team because it is being terminated',
      details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] }
    }
  })
  t.equal(patch(`${maps}/a`, { data: { k: 'v' } }).code, 200, 'what is there can be changed')
  t.equal(put('/api/v1/namespaces/team/finalize', { metadata: { name: 'team' }, spec: {} }).code, 200)
  t.equal(get('/api/v1/namespaces/team').code, 404)
  t.match(post(maps, { metadata: { name: 'b' } }), { code: 404, body: { message: 'namespaces "team" not found' } })
  for (const name of ['default', 'kube-system', 'kube-public'])
    t.match(remove(`/api/v1/namespaces/${name}`), {
      code: 403,
      body: { message: `namespaces "${name}" is forbidden: this namespace may not be deleted` }
    })
  t.strictSame(causesOf(patch('/api/v1/namespaces/default/status', { status: { phase: 'Terminating' } })), [
    'status.Phase: Invalid value: "Terminating": may only be \'Active\' if `deletionTimestamp` is empty'
  ])
})

t.test('an Event is one of both groups', async t => {
  const { get, post } = asked()
  const about = { kind: 'Pod', namespace: 'default', name: 'p' }
  const who = { reportingController: 'me', reportingInstance: 'me-1', action: 'Acting' }
  const given = { regarding: about, reason: 'R', note: 'm', type: 'Normal', eventTime: '2026-01-02T03:04:05.000000Z' }
  const old = core('events')
  const young = of('events.k8s.io', 'events')
  t.match(post(young, { metadata: { name: 'n' }, ...given, ...who }), {
    code: 201,
    body: { note: 'm', regarding: about }
  })
  t.match(get(`${old}/n`).body, { apiVersion: 'v1', message: 'm', involvedObject: about, reportingComponent: 'me' })
  post(old, { metadata: { name: 'o' }, involvedObject: about, message: 'm', count: 3, source: { component: 'c' } })
  t.match(get(`${young}/o`).body, {
    ...{ apiVersion: 'events.k8s.io/v1', note: 'm', regarding: about },
    ...{ deprecatedCount: 3, deprecatedSource: { component: 'c' } }
  })
  t.equal(get(old).body.items.length, 2)
})
