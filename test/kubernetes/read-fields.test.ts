import t from 'tap'
import type { Json } from '../../extender/json.ts'
import { type Fields, FieldTable, Shared } from '../../extender/kubernetes/fields.ts'
import { ListReader } from '../../extender/kubernetes/list-reader.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { controllerFields, nodeFields, podFields } from '../../extender/kubernetes/read-fields.ts'

/** The object, and the path of each field of it that is looked at; lists have no part in the path. */
function watched<T extends object>(object: T, seen: Set<string>, path = ''): T {
  return new Proxy(object, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof name !== 'string' || !Object.hasOwn(target, name)) return value
      const here = Array.isArray(target) ? path : `${path}.${name}`
      seen.add(here)
      return typeof value === 'object' && value !== null ? watched(value, seen, here) : value
    }
  })
}

function covers(fields: Fields, path: string): boolean {
  let part: Fields | 'whole' = fields
  for (const name of path.split('.').filter(each => each !== '')) {
    if (part === 'whole') return true
    const next: Fields[string] | undefined = Object.hasOwn(part, name) ? part[name] : undefined
    if (next === undefined) return false
    part = next instanceof Shared ? next.part : next
  }
  return true
}

/** As a list shows it. */
function listed(json: Json, fields: Fields): Json {
  const reader = new ListReader({ fields: new FieldTable(fields) })
  const body = JSON.stringify({ metadata: { resourceVersion: '1' }, items: [json] })
  return [...reader.push(Buffer.from(body)), ...reader.end().items][0] as Json
}

const term = { matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }], matchFields: [] }
const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } }
const containers = [
  {
    ...{ name: 'c', image: 'i', command: ['x'], env: [{ name: 'e' }], resources, volumeMounts: [{ name: 'v' }] },
    ports: [{ containerPort: 80, hostPort: 8080, hostIP: '10.0.0.1', protocol: 'TCP' }]
  }
]
const statuses = [{ name: 'c', image: 'i', ready: true, resources, allocatedResources: { cpu: '3' }, state: {} }]
const metadata = {
  ...{ namespace: 'ns', name: 'n', uid: 'u', resourceVersion: '5', generation: 3 },
  ...{ creationTimestamp: '2026-01-01T00:00:00Z', deletionTimestamp: '2026-01-02T00:00:00Z' },
  ...{ labels: { app: 'a' }, annotations: { 'muster.dev/gang': 'g', other: 'o' } },
  ownerReferences: [{ apiVersion: 'v1', kind: 'Job', name: 'j', uid: 'ju', controller: true }],
  managedFields: [{ manager: 'm', fieldsV1: { 'f:metadata': {} } }]
}
const pod = {
  metadata,
  spec: {
    ...{ schedulerName: 'muster', nodeName: 'node', priority: 3, preemptionPolicy: 'Never', hostname: 'h' },
    ...{ terminationGracePeriodSeconds: 5, schedulingGates: [{ name: 'g' }], restartPolicy: 'Never' },
    ...{ schedulingGroup: { podGroupName: 'p' }, workloadRef: { name: 'w' }, nodeSelector: { zone: 'z' } },
    tolerations: [{ key: 'k', operator: 'Exists', value: 'v', effect: 'NoExecute', tolerationSeconds: 3 }],
    affinity: {
      nodeAffinity: { [required]: { nodeSelectorTerms: [term] } },
      podAffinity: { [required]: [{ topologyKey: 'k' }] },
      podAntiAffinity: { [required]: [{ topologyKey: 'k' }] }
    },
    topologySpreadConstraints: [{ whenUnsatisfiable: 'DoNotSchedule', maxSkew: 1 }],
    volumes: [
      { name: 'v', emptyDir: { medium: 'Memory' } },
      { name: 'w', persistentVolumeClaim: { claimName: 'c' } }
    ],
    ...{ resources, overhead: { cpu: '1' }, resourceClaims: [{ name: 'gpu' }], containers },
    initContainers: containers.map(each => ({ ...each, restartPolicy: 'Always' }))
  },
  status: {
    ...{ phase: 'Running', startTime: '2026-01-01T00:00:01Z', nominatedNodeName: 'other', podIP: '10.0.0.2' },
    conditions: [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no', lastProbeTime: null },
      { type: 'PodResizePending', status: 'True', reason: 'Infeasible', message: 'no', lastProbeTime: null }
    ],
    ...{ resize: 'Deferred', resources, allocatedResources: { cpu: '4' } },
    ...{ containerStatuses: statuses, initContainerStatuses: statuses }
  }
}
const node = {
  metadata,
  spec: {
    podCIDR: '10.0.0.0/24',
    unschedulable: true,
    taints: [{ key: 'k', value: 'v', effect: 'e', timeAdded: 't' }]
  },
  status: {
    ...{ capacity: { cpu: '5' }, allocatable: { cpu: '4', memory: '1Gi' }, images: [{ names: ['i'], sizeBytes: 1 }] },
    conditions: [{ type: 'Ready', status: 'False', reason: 'r', message: 'm', lastHeartbeatTime: 't' }]
  }
}
const job = { metadata, spec: { replicas: 1, parallelism: 2, completions: 3, template: { spec: pod.spec } } }

const projector = (): Projector => new Projector({ keepAnnotation: key => key.startsWith('muster.dev/') })
const kinds: Record<string, { json: Json; fields: Fields; project: () => (json: Json) => unknown }> = {
  'a pod': { json: pod, fields: podFields, project: () => projector().pod },
  'a pod without a node': {
    json: { ...pod, spec: { ...pod.spec, nodeName: undefined, affinity: undefined, topologySpreadConstraints: null } },
    fields: podFields,
    project: () => projector().pod
  },
  'a pod on its way': {
    json: { metadata, spec: { containers }, status: {} },
    fields: podFields,
    project: () => projector().pod
  },
  'a node': { json: node, fields: nodeFields, project: () => projector().node },
  'a Job': { json: job, fields: controllerFields, project: () => projector().controller('Job') },
  'a StatefulSet': { json: job, fields: controllerFields, project: () => projector().controller('StatefulSet') }
}
for (const [name, { json, fields, project }] of Object.entries(kinds)) {
  t.test(`of ${name} a list reads all that is looked at, and it looks the same`, async t => {
    const seen = new Set<string>()
    const want = project()(watched(json, seen))
    t.ok(seen.size > 3)
    t.strictSame(
      [...seen].filter(path => !covers(fields, path)),
      []
    )
    t.strictSame(project()(listed(json, fields)), want)
    t.match(listed(json, fields), { metadata: { namespace: 'ns', name: 'n', uid: 'u', resourceVersion: '5' } })
    t.notOk(JSON.stringify(listed(json, fields)).includes('managedFields'))
  })
}
