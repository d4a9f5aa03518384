/**
 * The scenarios of the integration tests of scheduler-plugins' coscheduling (CS) and of the native PodGroups (NV), with
 * the same outcomes, on a node of 300 units of memory.
 *
 * Each is run twice: with its pods created before the schedulers start, and while they run.
 */
import t from 'tap'
import type { NamedPod, PodOptions } from '../control-plane/objects.ts'
import { openLab } from './scenario.ts'
import { type Case, interleaved, type Pool, sideBySide } from './pools.ts'

const lab = await openLab(t)
const room = [{ memory: '300Mi' }]
const nativeLabel = 'scheduling.x-k8s.io/pod-group'
const lightweight = 'pod-group.scheduling.sigs.k8s.io'

/** So many members of so many units of memory. */
const gangOf =
  (gated: boolean) =>
  (pool: Pool, name: string, size: number, units: number, options: PodOptions & { minMember?: number } = {}) =>
    pool.gang({ name, size, gated, memory: `${units}Mi`, ...options })

/** Fills part of the first node before anything else is asked for. */
async function block(pool: Pool, units: number): Promise<void> {
  const pod = pool.pod('blocker', { memory: `${units}Mi` })
  await pool.create({ ...pod, spec: { ...(pod['spec'] as object), nodeName: pool.node(0) } })
}

const resources = (memory: string) => ({ annotations: { 'muster.dev/min-resources': JSON.stringify({ memory }) } })
const inTurn = (...lists: readonly (readonly NamedPod[])[]) => lists.flat()
const succeeded = { status: { phase: 'Succeeded' } }

function cosched(gated: boolean): readonly Case[] {
  const gang = gangOf(gated)
  const two = (name: string, annotate: (memory: string) => PodOptions, arrange: typeof interleaved): Case => ({
    name,
    nodes: room,
    create: pool =>
      pool.create(
        ...arrange(gang(pool, 'pg1', 3, 50, annotate('150Mi')), gang(pool, 'pg2', 4, 100, annotate('400Mi')))
      ),
    settle: pool => pool.binds('pg1', 3),
    waits: () => ({ pg2: 'waiting' })
  })
  const ranked = (name: string, arrange: typeof interleaved): Case => ({
    name,
    nodes: room,
    async create(pool) {
      const middle = gang(pool, 'pg1', 3, 100, { priorityClassName: 'middle' })
      const high = gang(pool, 'pg2', 3, 50, { priorityClassName: 'high' })
      await pool.create(...(pool.running ? arrange(high, middle) : arrange(middle, high)))
    },
    settle: pool => pool.binds('pg2', 3),
    waits: () => ({ pg1: 'waiting' })
  })
  return [
    two('CS-1 equal priority, one after the other: the first runs', () => ({}), inTurn),
    two('CS-2 equal priority, interleaved: the first runs', () => ({}), interleaved),
    {
      name: 'CS-3 3 pods of a gang of 4, and ordinary pods: only those run',
      nodes: room,
      create: pool =>
        pool.create(
          ...gang(pool, 'pg1', 3, 50, { minMember: 4 }),
          ...[0, 1, 2].map(index => pool.pod(`single-${index}`, { memory: '100Mi' }))
        ),
      settle: pool => pool.binds('single', 3),
      waits: () => ({ pg1: 'forming' })
    },
    ranked('CS-4 the higher priority runs, one after the other', inTurn),
    ranked('CS-5 the higher priority runs, interleaved', interleaved),
    {
      name: 'CS-6 ordinary pods of higher priority run',
      nodes: room,
      async create(pool) {
        const singles = [0, 1, 2].map(index =>
          pool.pod(`single-${index}`, { memory: '100Mi', priorityClassName: 'high' })
        )
        const middle = gang(pool, 'pg1', 3, 100, { priorityClassName: 'middle' })
        await pool.create(...(pool.running ? inTurn(singles, middle) : inTurn(middle, singles)))
      },
      settle: pool => pool.binds('single', 3),
      waits: () => ({ pg1: 'waiting' })
    },
    {
      name: 'CS-7 three gangs interleaved, room for one: the first runs',
      nodes: room,
      create: pool => pool.create(...interleaved(...['pg1', 'pg2', 'pg3'].map(name => gang(pool, name, 3, 100)))),
      settle: pool => pool.binds('pg1', 3),
      waits: () => ({ pg2: 'waiting', pg3: 'waiting' })
    },
    two('CS-8 with min-resources, one after the other', resources, inTurn),
    two('CS-9 with min-resources, interleaved', resources, interleaved),
    {
      name: 'CS-8 and CS-9: a gang that asks for more than the cluster has is refused early, though its pods fit',
      nodes: room,
      create: pool => pool.create(...gang(pool, 'pg1', 3, 50, resources('400Ti'))),
      settle: pool =>
        pool.lab.until(`${pool.namespace}/pg1 is told that it asks for too much`, async () =>
          /min-resources|minResources/.test(String((await pool.view('pg1'))?.['reason']))
        ),
      finish: (pool, t) => pool.nothing(t, 'pg1')
    },
    {
      name: 'CS-10 a completed member does not count',
      nodes: room,
      async create(pool) {
        const [done, ...others] = gang(pool, 'pg1', 6, 20)
        await pool.create(done!)
        await pool.lab.cluster.client.patch(
          `/api/v1/namespaces/${pool.namespace}/pods/${done?.metadata.name}/status`,
          succeeded
        )
        await pool.create(...others)
      },
      waits: () => ({ pg1: 'forming' })
    },
    {
      name: 'CS-10 a completed member that has run does not count, in a dialect that says so',
      nodes: room,
      async create(pool) {
        const labels = { [`${lightweight}/name`]: 'pg1', [`${lightweight}/min-available`]: '6' }
        const gates = gated ? ['muster.dev/gang'] : []
        const done = pool.pod('done', { labels })
        await pool.create({ ...done, spec: { ...(done['spec'] as object), nodeName: pool.node(0) } })
        const running = () => pool.lab.podsIn(pool.namespace).some(pod => pod.status.phase === 'Running')
        await pool.lab.waitFor('the first member runs', running)
        await pool.lab.cluster.client.patch(`/api/v1/namespaces/${pool.namespace}/pods/done/status`, succeeded)
        const others = Array.from({ length: 5 }, (_, index) => pool.pod(`pg1-${index}`, { labels, gates }))
        await pool.create(...others)
      },
      waits: () => ({ pg1: 'forming' })
    },
    {
      name: 'CS-11 a gang that fits passes one before it that does not',
      nodes: [{ cpu: '8' }],
      create: pool => pool.create(...gang(pool, 'pg1', 6, 1, { cpu: '4' }), ...gang(pool, 'pg2', 1, 1, { cpu: '2' })),
      settle: pool => pool.binds('pg2', 1),
      waits: () => ({ pg1: 'waiting' })
    }
  ]
}

function native(gated: boolean): readonly Case[] {
  const gang = gangOf(gated)
  const pair = (name: string, order: readonly [string, string]): Case => ({
    name,
    nodes: room,
    create: pool => pool.create(...interleaved(...order.map(each => gang(pool, each, 3, 100)))),
    settle: pool =>
      pool.lab.waitFor(`${pool.namespace}: one is whole`, () => pool.bound('pg1') + pool.bound('pg2') === 3),
    async finish(pool, t) {
      const [winner, loser] = pool.bound('pg1') === 3 ? ['pg1', 'pg2'] : ['pg2', 'pg1']
      t.equal(pool.bound(winner), 3, `${winner} runs`)
      // Both may be complete in one and the same second, where age does not tell which is first: then the name does.
      if (order[0] === 'pg1') t.equal(winner, 'pg1', 'the first')
      t.equal((await pool.view(loser))?.state, 'waiting')
      await pool.nothing(t, loser)
    }
  })
  return [
    {
      name: 'NV-1 a gang with room is scheduled',
      nodes: room,
      create: pool => pool.create(...gang(pool, 'pg1', 3, 100)),
      settle: pool => pool.binds('pg1', 3),
      async finish(pool, t) {
        const conditions = pool.pods('pg1').flatMap(pod => pod.status.conditions ?? [])
        const scheduled = conditions.filter(({ type, status }) => type === 'PodScheduled' && status === 'True')
        t.equal(scheduled.length, 3, 'the pods say so')
        t.equal((await pool.view('pg1'))?.state, 'running', 'and muster does')
      }
    },
    {
      name: 'NV-2 a gang below its quorum waits for the last member',
      nodes: room,
      create: pool => pool.create(...gang(pool, 'pg1', 3, 100).slice(0, 2)),
      waits: () => ({ pg1: 'forming' }),
      async finish(pool) {
        await pool.create(...gang(pool, 'pg1', 3, 100).slice(2))
        await pool.binds('pg1', 3)
      }
    },
    podGroupCase(gated),
    {
      name: 'NV-4 four members, a minimum of 3, room for 3: the fourth follows when the blocker leaves',
      nodes: [{ memory: '400Mi' }],
      async create(pool) {
        await block(pool, 100)
        await pool.create(...gang(pool, 'pg1', 4, 100, { minMember: 3 }))
      },
      settle: pool => pool.binds('pg1', 3),
      async finish(pool, t) {
        t.equal(pool.bound('pg1'), 3, 'one still waits')
        await pool.lab.deletePod(pool.namespace, 'blocker')
        await pool.binds('pg1', 4)
      }
    },
    pair('NV-5 two gangs compete, the first is whole, the other waits', ['pg1', 'pg2']),
    pair('NV-5 the other way round', ['pg2', 'pg1']),
    {
      name: 'NV-6 a member added to an unschedulable gang',
      nodes: room,
      create: pool =>
        pool.create(
          ...gang(pool, 'pg1', 2, 100, { minMember: 3 }),
          ...gang(pool, 'pg1', 3, 200, { minMember: 3 }).slice(2)
        ),
      waits: () => ({ pg1: 'waiting' }),
      async finish(pool, t) {
        await pool.create(...gang(pool, 'pg1', 4, 100, { minMember: 3 }).slice(3))
        await pool.binds('pg1', 3)
        const waiting = pool.pods('pg1').filter(pod => !pod.spec.nodeName)
        t.strictSame(
          waiting.map(pod => pod.metadata.name),
          ['pg1-2'],
          'the one that does not fit still waits'
        )
      }
    },
    {
      name: 'NV-6 a member added to a scheduled gang',
      nodes: room,
      create: pool => pool.create(...gang(pool, 'pg1', 2, 100)),
      settle: pool => pool.binds('pg1', 2),
      async finish(pool) {
        await pool.create(...gang(pool, 'pg1', 3, 100, { minMember: 2 }).slice(2))
        await pool.binds('pg1', 3)
      }
    },
    {
      name: 'NV-7 one member behind a foreign gate holds the gang back',
      nodes: room,
      async create(pool) {
        const [first] = gang(pool, 'pg1', 1, 100, { minMember: 3, gates: ['example.com/foreign'] })
        await pool.create(first!, ...gang(pool, 'pg1', 3, 100).slice(1))
      },
      waits: () => ({ pg1: 'forming' }),
      async finish(pool) {
        await pool.lab.cluster.client.patch(`/api/v1/namespaces/${pool.namespace}/pods/pg1-0`, {
          spec: { schedulingGates: gated ? [{ name: 'muster.dev/gang' }] : [] }
        })
        await pool.binds('pg1', 3)
      }
    }
  ]
}

/** NV-3 needs the custom resource; while the schedulers run, it is installed only after they have started. */
function podGroupCase(gated: boolean): Case {
  return {
    name: 'NV-3 pods, then their PodGroup, then room',
    nodes: room,
    async create(pool) {
      await block(pool, 100)
      const gates = gated ? ['muster.dev/gang'] : []
      const options = { labels: { [nativeLabel]: 'pg1' }, gates, memory: '100Mi' }
      await pool.create(...[0, 1, 2].map(index => pool.pod(`pg1-${index}`, options)))
    },
    async settle(pool) {
      await pool.reaches('pg1', 'forming')
      await installPodGroups()
      await pool.lab.cluster.client.create(`${podGroups}/namespaces/${pool.namespace}/podgroups`, {
        apiVersion: 'scheduling.x-k8s.io/v1alpha1',
        kind: 'PodGroup',
        metadata: { name: 'pg1' },
        spec: { minMember: 3 }
      })
    },
    waits: () => ({ pg1: 'waiting' }),
    async finish(pool) {
      await pool.lab.deletePod(pool.namespace, 'blocker')
      await pool.binds('pg1', 3)
    }
  }
}

const podGroups = '/apis/scheduling.x-k8s.io/v1alpha1'
let installed: Promise<void> | undefined

/** Installs the PodGroups of scheduler-plugins, once, and waits until the API server serves them. */
async function installPodGroups(): Promise<void> {
  installed ??= install()
  await installed
}

async function install(): Promise<void> {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  await lab?.cluster.client.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'podgroups.scheduling.x-k8s.io',
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/scheduler-plugins/pull/50' }
    },
    spec: {
      group: 'scheduling.x-k8s.io',
      scope: 'Namespaced',
      names: { plural: 'podgroups', singular: 'podgroup', kind: 'PodGroup', listKind: 'PodGroupList' },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: schema }
        }
      ]
    }
  })
  await lab?.until('PodGroups are served', async () => {
    await lab.cluster.client.get(`${podGroups}/podgroups`)
    return true
  })
}

if (lab) {
  for (const [name, value] of Object.entries({ high: 1000, middle: 500 })) {
    const metadata = { name }
    await lab.cluster.client.create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata, value })
  }

  const cases = [true, false].flatMap(gated =>
    [...cosched(gated), ...native(gated)].map(each => ({
      ...each,
      name: `${each.name} (${gated ? 'gated' : 'ungated'})`
    }))
  )
  sideBySide(t, lab, ['pods created while the schedulers run', { started: true }], cases)
  sideBySide(t, lab, ['pods created before the schedulers start', { started: false }], cases)
}
