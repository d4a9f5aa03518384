import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const version = '1000000'
const stamp = '2026-11-22T12:00:00Z'

/** An API server that only lists and watches: nodes and pods from pages made beforehand, nothing of all else, and no event. */
export class Collections {
  /** Monotonic milliseconds of the first request since it was set to undefined. */
  firstRequest: number | undefined
  url = ''
  readonly #items: ReadonlyMap<string, readonly string[]>
  readonly #server = createServer((from, to) => this.#answer(from, to))

  constructor(nodes: number, pods: number) {
    this.#items = new Map([
      ['/api/v1/nodes', texts(nodes, node)],
      ['/api/v1/pods', texts(pods, index => pod(index, nodes))]
    ])
  }

  get megabytes(): number {
    return [...this.#items.values()].flat().reduce((sum, item) => sum + item.length, 0) / 1e6
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #answer(from: IncomingMessage, to: ServerResponse): void {
    this.firstRequest ??= performance.now()
    const { pathname, searchParams: query } = new URL(from.url ?? '/', 'http://server')
    to.setHeader('content-type', 'application/json')
    if (pathname === '/version') return void to.end('{"major":"1","minor":"36"}')
    if (query.get('watch') === 'true') return to.flushHeaders()
    const all = this.#items.get(pathname) ?? []
    const [start, limit] = [Number(query.get('continue') ?? 0), Number(query.get('limit') ?? all.length)]
    const end = start + limit
    const next = end < all.length ? `,"continue":"${end}"` : ''
    to.end(
      `{"kind":"List","metadata":{"resourceVersion":"${version}"${next}},"items":[${all.slice(start, end).join(',')}]}`
    )
  }
}

function texts(count: number, one: (index: number) => object): readonly string[] {
  return Array.from({ length: count }, (_, index) => JSON.stringify(one(index)))
}

/** As large machines show themselves: labels, conditions, images. */
function node(index: number): object {
  const room = { cpu: '32', memory: '131072Mi', pods: '110', 'ephemeral-storage': '95Gi', 'hugepages-2Mi': '0' }
  const kinds = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready']
  return {
    metadata: {
      ...{ name: `node-${index}`, uid: `node-uid-${index}`, resourceVersion: version, creationTimestamp: stamp },
      labels: {
        'kubernetes.io/hostname': `node-${index}`,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'node.kubernetes.io/instance-type': 'large',
        'topology.kubernetes.io/region': 'r1',
        'topology.kubernetes.io/zone': `r1-${index % 3}`
      },
      managedFields: managedFields('kubelet')
    },
    spec: { podCIDR: `10.${index >> 8}.${index & 255}.0/24`, providerID: `cloud://r1/${index}` },
    status: {
      ...{ capacity: room, allocatable: room },
      conditions: kinds.map(type => ({
        ...{ type, status: type === 'Ready' ? 'True' : 'False', lastHeartbeatTime: stamp, lastTransitionTime: stamp },
        ...{ reason: `Kubelet${type}`, message: `kubelet has said so about ${type}` }
      })),
      images: Array.from({ length: 10 }, (_, at) => ({
        names: [
          `registry.example/team/image-${at}@sha256:${'0123456789abcdef'.repeat(4)}`,
          `registry.example/team/image-${at}:v1`
        ],
        sizeBytes: 123_456_789 + at
      }))
    }
  }
}

/** As a Deployment's pod looks when it runs, with all that muster throws away. */
function pod(index: number, nodes: number): object {
  const app = `app-${index % 2_000}`
  const [name, hash] = [`${app}-5d9c7f-${index}`, `5d9c7f${index % 7}`]
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-5d9c7f`, uid: `rs-uid-${index % 2_000}` }
  return {
    metadata: {
      ...{ name, namespace: `team-${index % 100}`, uid: `pod-uid-${index}`, resourceVersion: version },
      creationTimestamp: stamp,
      labels: { app, 'pod-template-hash': hash, team: `team-${index % 100}` },
      annotations: { 'kubectl.kubernetes.io/restartedAt': stamp, checksum: '0123456789abcdef'.repeat(2) },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      managedFields: managedFields('kube-controller-manager')
    },
    spec: {
      ...{
        nodeName: `node-${index % nodes}`,
        schedulerName: 'default-scheduler',
        priority: 0,
        restartPolicy: 'Always'
      },
      ...{ serviceAccountName: 'default', dnsPolicy: 'ClusterFirst', terminationGracePeriodSeconds: 30 },
      containers: [
        {
          ...{ name: 'main', image: `registry.example/team/${app}:v1`, imagePullPolicy: 'IfNotPresent' },
          env: Array.from({ length: 6 }, (_, at) => ({ name: `SETTING_${at}`, value: `value of ${app}` })),
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          resources: { requests: { cpu: '500m', memory: '512Mi' }, limits: { memory: '512Mi' } },
          volumeMounts: [{ name: 'token', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true }]
        }
      ],
      volumes: [
        { name: 'token', projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }] } }
      ],
      tolerations: ['not-ready', 'unreachable'].map(taint => ({
        ...{ key: `node.kubernetes.io/${taint}`, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }
      }))
    },
    status: {
      ...{ phase: 'Running', podIP: '10.0.0.1', hostIP: '10.0.0.2', startTime: stamp, qosClass: 'Burstable' },
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(type => ({
        ...{ type, status: 'True', lastProbeTime: null, lastTransitionTime: stamp }
      })),
      containerStatuses: [{ name: 'main', ready: true, restartCount: 0, state: { running: { startedAt: stamp } } }]
    }
  }
}

/** A third of a real object. */
function managedFields(manager: string): readonly object[] {
  const fields = ['f:metadata', 'f:spec', 'f:status'].map(part => [
    part,
    Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`f:field${at}`, { '.': {}, 'f:name': {} }]))
  ])
  const fieldsV1 = Object.fromEntries(fields) as object
  return [{ manager, operation: 'Update', apiVersion: 'v1', time: stamp, fieldsType: 'FieldsV1', fieldsV1 }]
}
