/**
 * What decides besides room: a gang ends whole or wholly waiting, whether muster models it (affinity to nodes, taints,
 * ports, resources) or leaves it to kube-scheduler and learns from its refusals (affinity to pods, spread, volumes,
 * devices).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { NamedPod, PodOptions } from '../control-plane/objects.ts'
import { nothingIsHeld, openLab, scenario } from './scenario.ts'
import { type Case, Pool, sideBySide } from './pools.ts'

const lab = await openLab(t, { controllerManager: true })
/** Each lesson takes some seconds. */
const patience = 60_000
const hostname = 'kubernetes.io/hostname'
const big = { memory: '1000Mi' }

interface Asked extends PodOptions {
  readonly size: number
  readonly gated?: boolean
  /** What the pods' spec says besides; of one member by its number. */
  readonly spec?: Part
  /** Of the only container. */
  readonly container?: Part
}

type Part = object | ((index: number) => object)
const at = (part: Part, index: number): object =>
  typeof part === 'function' ? (part as (index: number) => object)(index) : part

/** A gang whose pods say more than the usual ones. */
function gang(pool: Pool, name: string, { spec = {}, container = {}, gated = true, ...options }: Asked) {
  return pool.gang({ name, gated, ...options }).map((pod, index): NamedPod => {
    const base = pod['spec'] as { readonly containers: readonly object[] }
    const containers = base.containers.map(each => ({ ...each, ...at(container, index) }))
    return {
      ...pod,
      metadata: { ...pod.metadata, labels: { gang: name } },
      spec: { ...base, containers, ...at(spec, index) }
    }
  })
}

const apart = (name: string) => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: hostname, labelSelector: { matchLabels: { gang: name } } }
      ]
    }
  }
})

const near = (name: string) => ({
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: hostname, labelSelector: { matchLabels: { gang: name } } }
      ]
    }
  }
})

const spread = (name: string) => ({
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: hostname,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { gang: name } }
    }
  ]
})

/** Volumes that exist only on these nodes, and claims that are bound when the first pod comes. */
async function volumes(pool: Pool, nodes: readonly number[], claims: number): Promise<void> {
  const { client } = pool.lab.cluster
  const size = { storage: '1Gi' }
  for (const [index, node] of nodes.entries()) {
    await client.create('/api/v1/persistentvolumes', {
      metadata: { name: `${pool.namespace}-${index}` },
      spec: {
        capacity: size,
        accessModes: ['ReadWriteOnce'],
        storageClassName: pool.namespace,
        local: { path: '/none' },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: hostname, operator: 'In', values: [pool.node(node)] }] }]
          }
        }
      }
    })
  }
  await client.create('/apis/storage.k8s.io/v1/storageclasses', {
    metadata: { name: pool.namespace },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer'
  })
  for (let index = 0; index < claims; index++) {
    await client.create(`/api/v1/namespaces/${pool.namespace}/persistentvolumeclaims`, {
      metadata: { name: `claim-${index}` },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: pool.namespace, resources: { requests: size } }
    })
  }
  await available(pool, nodes.length)
}

/** Waits until kube-controller-manager has made the volumes available: before, nobody may have them. */
async function available(pool: Pool, count: number): Promise<void> {
  await pool.lab.until(`${count} volumes of ${pool.namespace} are available`, async () => {
    const { items } = await pool.lab.cluster.client.get<Volumes>('/api/v1/persistentvolumes')
    const ours = items.filter(({ metadata }) => metadata.name.startsWith(`${pool.namespace}-`))
    return ours.filter(({ status }) => status.phase === 'Available').length === count
  })
}

interface Volumes {
  readonly items: readonly {
    readonly metadata: { readonly name: string }
    readonly status: { readonly phase: string }
  }[]
}

const volume = (index: number) => ({
  volumes: [{ name: 'data', persistentVolumeClaim: { claimName: `claim-${index}` } }]
})

/** Devices on one node, and a claim for one of them each. */
async function devices(pool: Pool, count: number, claims: number): Promise<void> {
  const { client } = pool.lab.cluster
  const name = pool.namespace
  const driver = `${name}.example.com`
  await client.create('/apis/resource.k8s.io/v1/deviceclasses', {
    metadata: { name },
    spec: { selectors: [{ cel: { expression: `device.driver == '${driver}'` } }] }
  })
  await client.create('/apis/resource.k8s.io/v1/resourceslices', {
    metadata: { name },
    spec: {
      driver,
      nodeName: pool.node(1),
      pool: { name, generation: 1, resourceSliceCount: 1 },
      devices: Array.from({ length: count }, (_, index) => ({ name: `device-${index}` }))
    }
  })
  for (let index = 0; index < claims; index++) {
    await client.create(`/apis/resource.k8s.io/v1/namespaces/${name}/resourceclaims`, {
      metadata: { name: `claim-${index}` },
      spec: { devices: { requests: [{ name: 'one', exactly: { deviceClassName: name } }] } }
    })
  }
}

const device = (index: number) => ({ resourceClaims: [{ name: 'one', resourceClaimName: `claim-${index}` }] })

/** What muster leaves to kube-scheduler. */
function inTree(gated: boolean): readonly Case[] {
  const cases: readonly Case[] = [
    {
      name: 'one member a node by anti-affinity, with nodes enough: bound, one a node',
      nodes: [big, big, big],
      create: pool => pool.create(...gang(pool, 'pods', { size: 3, gated, spec: apart('pods') })),
      settle: pool => pool.binds('pods', 3, patience),
      finish: async (pool, t) => t.equal(new Set(pool.nodesOf('pods')).size, 3, 'three nodes')
    },
    {
      name: 'one member a node by anti-affinity, with a node too few: waits',
      nodes: [big, big],
      create: pool => pool.create(...gang(pool, 'pods', { size: 3, gated, spec: apart('pods') })),
      waits: () => ({ pods: 'waiting' })
    },
    {
      name: 'affinity to a pod: bound beside it',
      nodes: [big, big],
      async create(pool) {
        const [anchor] = gang(pool, 'anchor', { size: 1, gated: false, spec: { nodeName: pool.node(1) } })
        await pool.create(anchor!)
        await pool.create(...gang(pool, 'pods', { size: 2, gated, spec: near('anchor') }))
      },
      settle: pool => pool.binds('pods', 2, patience),
      finish: async (pool, t) => t.strictSame(pool.nodesOf('pods'), [pool.node(1), pool.node(1)])
    },
    {
      name: 'affinity to a pod that there is not: waits',
      nodes: [big, big],
      create: pool => pool.create(...gang(pool, 'pods', { size: 2, gated, spec: near('anchor') })),
      waits: () => ({ pods: 'waiting' })
    },
    {
      name: 'spread over nodes: bound, two a node',
      nodes: [big, big],
      create: pool => pool.create(...gang(pool, 'pods', { size: 4, gated, spec: spread('pods') })),
      settle: pool => pool.binds('pods', 4, patience),
      finish: async (pool, t) =>
        t.strictSame(
          pool.nodesOf('pods').toSorted(),
          [0, 0, 1, 1].map(index => pool.node(index))
        )
    },
    {
      name: 'spread over nodes of which one is too small: waits',
      nodes: [big, { ...big, slots: 1 }],
      create: pool => pool.create(...gang(pool, 'pods', { size: 4, gated, spec: spread('pods') })),
      waits: () => ({ pods: 'waiting' })
    },
    {
      // Which claim got which volume is kube-scheduler's, and stays when a plan is withdrawn: best effort.
      name: 'volumes on some nodes only: bound there, or wholly waiting',
      nodes: [big, big, big],
      async create(pool) {
        await volumes(pool, [1, 2], 2)
        await pool.create(...gang(pool, 'pods', { size: 2, gated, spec: volume }))
      },
      settle: pool => pool.binds('pods', 2, 20_000).catch(() => {}),
      finish: async (pool, t) => {
        const on = pool.nodesOf('pods').toSorted().join()
        t.ok(on === '' || on === `${pool.node(1)},${pool.node(2)}`, on)
      }
    },
    {
      name: 'a volume too few: waits',
      nodes: [big, big],
      async create(pool) {
        await volumes(pool, [1], 2)
        await pool.create(...gang(pool, 'pods', { size: 2, gated, spec: volume }))
      },
      waits: () => ({ pods: 'waiting' })
    },
    {
      name: 'devices on one node: bound there',
      nodes: [big, big],
      async create(pool) {
        await devices(pool, 2, 2)
        await pool.create(...gang(pool, 'pods', { size: 2, gated, spec: device }))
      },
      settle: pool => pool.binds('pods', 2, patience),
      finish: async (pool, t) => t.strictSame(pool.nodesOf('pods'), [pool.node(1), pool.node(1)])
    },
    {
      name: 'a device too few: waits',
      nodes: [big, big],
      async create(pool) {
        await devices(pool, 1, 2)
        await pool.create(...gang(pool, 'pods', { size: 2, gated, spec: device }))
      },
      waits: () => ({ pods: 'waiting' })
    }
  ]
  return cases.map(each => ({ ...each, name: `${each.name} (${gated ? 'gated' : 'ungated'})` }))
}

const nodeAffinity = (term: object) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } }
})
const label = (key: string, operator: string, ...values: readonly string[]) => ({
  key,
  operator,
  ...(values.length > 0 && { values })
})

/** Of each operator an expression that the first node meets, and one that it does not. */
const operators = {
  in: [label('rank', 'In', '4', '5'), label('rank', 'In', '4')],
  notin: [label('rank', 'NotIn', '4'), label('rank', 'NotIn', '4', '5')],
  exists: [label('rank', 'Exists'), label('none', 'Exists')],
  absent: [label('none', 'DoesNotExist'), label('rank', 'DoesNotExist')],
  gt: [label('rank', 'Gt', '4'), label('rank', 'Gt', '5')],
  lt: [label('rank', 'Lt', '6'), label('rank', 'Lt', '5')]
} as const

const memory = (amount: string) => ({ requests: { memory: `${amount}Mi` } })
const initContainer = (name: string, amount: string, rest: object = {}) => ({
  ...{ name, image: 'none', resources: memory(amount) },
  ...rest
})
const sidecar = { restartPolicy: 'Always' }
const requests = (amounts: Readonly<Record<string, string>>) => ({
  resources: { requests: amounts, limits: amounts }
})
const port = (hostPort: number, hostIP?: string) => ({
  ports: [{ containerPort: 80, hostPort, ...(hostIP && { hostIP }) }]
})

const field = (node: string): object => nodeAffinity({ matchFields: [label('metadata.name', 'In', node)] })

/**
 * A case of one gang that fits and then one that does not. Its name comes later as well: where muster sees both at once,
 * their age in whole seconds need not tell them apart.
 */
function fitting(name: string, nodes: Case['nodes'], fits: Asked, fails: Asked): Case {
  return {
    name,
    nodes,
    async create(pool) {
      await pool.create(...gang(pool, 'fits', fits))
      await pool.create(...gang(pool, 'waits', fails))
    },
    settle: pool => pool.binds('fits', fits.size),
    waits: () => ({ waits: 'waiting' })
  }
}

/** What muster models. */
const modelled: readonly Case[] = [
  {
    name: 'node affinity: every operator',
    nodes: [{ ...big, labels: { rank: '5' } }],
    async create(pool) {
      for (const [name, [met, unmet]] of Object.entries(operators)) {
        const spec = (expression: object) => nodeAffinity({ matchExpressions: [expression] })
        await pool.create(...gang(pool, `${name}-yes`, { size: 2, spec: spec(met) }))
        await pool.create(...gang(pool, `${name}-no`, { size: 2, gated: false, spec: spec(unmet) }))
      }
    },
    async settle(pool) {
      for (const name of Object.keys(operators)) await pool.binds(`${name}-yes`, 2)
    },
    waits: () => Object.fromEntries(Object.keys(operators).map(name => [`${name}-no`, 'waiting']))
  },
  {
    name: 'node affinity by field',
    nodes: [big, big],
    async create(pool) {
      await pool.create(...gang(pool, 'fits', { size: 2, spec: field(pool.node(1)) }))
      await pool.create(...gang(pool, 'fails', { size: 2, spec: field('no-such-node') }))
    },
    settle: pool => pool.binds('fits', 2),
    waits: () => ({ fails: 'waiting' }),
    finish: async (pool, t) => t.strictSame(pool.nodesOf('fits'), [pool.node(1), pool.node(1)])
  },
  {
    name: 'taints of every effect, tolerations of both operators',
    nodes: [
      { ...big, slots: 2, labels: { n: '0' }, taints: [{ key: 'for', value: 'us', effect: 'NoSchedule' }] },
      { ...big, slots: 2, labels: { n: '1' }, taints: [{ key: 'for', value: 'us', effect: 'NoExecute' }] },
      { ...big, slots: 2, labels: { n: '2' }, taints: [{ key: 'for', value: 'us', effect: 'PreferNoSchedule' }] }
    ],
    async create(pool) {
      const equal = { key: 'for', operator: 'Equal', value: 'us', effect: 'NoSchedule' }
      await pool.create(...gang(pool, 'equal', { size: 2, nodeSelector: { n: '0' }, tolerations: [equal] }))
      await pool.create(
        ...gang(pool, 'exists', {
          size: 2,
          nodeSelector: { n: '1' },
          tolerations: [{ key: 'for', operator: 'Exists' }]
        })
      )
      await pool.create(...gang(pool, 'soft', { size: 2, gated: false }))
      const wrong = { ...equal, value: 'them' }
      await pool.create(...gang(pool, 'wrong', { size: 2, gated: false, tolerations: [wrong] }))
      await pool.create(...gang(pool, 'effect', { size: 2, nodeSelector: { n: '1' }, tolerations: [equal] }))
    },
    async settle(pool) {
      for (const name of ['equal', 'exists', 'soft']) await pool.binds(name, 2)
    },
    waits: () => ({ wrong: 'waiting', effect: 'waiting' }),
    finish: async (pool, t) => t.strictSame(pool.nodesOf('soft'), [pool.node(2), pool.node(2)])
  },
  fitting(
    'host ports',
    [big, big],
    { size: 2, container: port(8080) },
    { size: 3, gated: false, container: port(9090) }
  ),
  fitting(
    'host ports of two addresses',
    [big],
    { size: 2, container: (index: number) => port(8080, `127.0.0.${index + 1}`) },
    { size: 2, container: (index: number) => port(9090, index === 0 ? '127.0.0.1' : '0.0.0.0') }
  ),
  fitting(
    'extended resources',
    [{ ...big, resources: { 'example.com/device': '4' } }],
    { size: 2, gated: false, container: requests({ 'example.com/device': '2' }) },
    { size: 2, container: requests({ 'example.com/device': '3' }) }
  ),
  fitting(
    'ephemeral storage',
    [big],
    { size: 2, container: requests({ 'ephemeral-storage': '20Gi' }) },
    { size: 2, gated: false, container: requests({ 'ephemeral-storage': '51Gi' }) }
  ),
  fitting('number of pods', [{ ...big, slots: 4 }], { size: 3 }, { size: 2 }),
  fitting(
    'pod overhead',
    [{ memory: '500Mi' }],
    { size: 2, memory: '50Mi', spec: { runtimeClassName: 'heavy' } },
    { size: 2, memory: '50Mi', gated: false, spec: { runtimeClassName: 'heavy' } }
  ),
  fitting(
    'init containers',
    [{ memory: '500Mi' }],
    { size: 2, memory: '50Mi', spec: { initContainers: [initContainer('init', '150')] } },
    { size: 2, memory: '50Mi', spec: { initContainers: [initContainer('init', '150')] } }
  ),
  fitting(
    'sidecars',
    [{ memory: '500Mi' }],
    { size: 2, memory: '50Mi', gated: false, spec: { initContainers: [initContainer('side', '100', sidecar)] } },
    {
      size: 1,
      memory: '50Mi',
      spec: { initContainers: [initContainer('side', '100', sidecar), initContainer('init', '150')] }
    }
  ),
  {
    name: 'a cordoned node: waits until it is uncordoned',
    nodes: [{ slots: 1 }, { slots: 1 }],
    async create(pool) {
      await cordon(pool, true)
      await pool.create(...gang(pool, 'pods', { size: 2 }))
    },
    waits: () => ({ pods: 'waiting' }),
    async finish(pool) {
      await cordon(pool, false)
      await pool.binds('pods', 2)
    }
  }
]

async function cordon(pool: Pool, unschedulable: boolean): Promise<void> {
  await pool.lab.cluster.client.patch(`/api/v1/nodes/${pool.node(1)}`, { spec: { unschedulable } })
}

if (lab) {
  // Its own role has next to nothing of what its controllers need: they have accounts of their own elsewhere.
  await lab.cluster.client.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'controllers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:kube-controller-manager' }]
  })
  await lab.cluster.client.create('/apis/node.k8s.io/v1/runtimeclasses', {
    metadata: { name: 'heavy' },
    handler: 'heavy',
    overhead: { podFixed: { memory: '100Mi' } }
  })
  sideBySide(t, lab, ['constraints that muster models', {}], modelled)
  sideBySide(t, lab, ['constraints that are left to kube-scheduler', {}], [...inTree(true), ...inTree(false)])

  scenario(t, lab, ['a node that is not ready: the gang waits until it is'], async (t, ns) => {
    const pool = new Pool(lab, `${ns}-pool`, true)
    await pool.open([{ slots: 1 }, { slots: 1 }])
    await lab.createNodes(`${ns}-last`, 1)
    // It would make the node ready again at once; for the time of the case nobody misses its heartbeats.
    const kwok = lab.cluster.processes.find(each => each.spec.name === 'kwok')
    kwok?.pause()
    try {
      const ready = { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'a test' }
      const path = `/api/v1/nodes/${pool.node(1)}/status`
      await lab.cluster.client.patch(path, { status: { conditions: [ready] } }, 'strategic')
      await pool.create(...gang(pool, 'pods', { size: 2 }))
      await pool.reaches('pods', 'waiting')
      await sleep(10_000)
      await pool.nothing(t, 'pods')
    } finally {
      kwok?.resume()
    }
    await pool.binds('pods', 2)
    await nothingIsHeld(lab)
  })
}
