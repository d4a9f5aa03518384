import t, { type Test } from 'tap'
import { CustomResources } from '../../extender/kubernetes/custom-resources.ts'
import type { Json } from '../../extender/json.ts'
import { State } from '../../extender/state.ts'
import { fakeApiServer, type FakeApiServer, type Reply } from './fake-api-server.ts'
import { type Parts, parts } from './parts.ts'

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const coscheduling = '/apis/scheduling.x-k8s.io/v1alpha1/podgroups'
const ignore = (): void => {}
const key = 'scheduling.x-k8s.io/ns/g'

function crd(api: string, version: string, { established = 'True', served = true } = {}): Json {
  return {
    metadata: { name: `podgroups.${api}`, uid: `crd-${api}`, resourceVersion: `1${established}${served}` },
    spec: { group: api, versions: [{ name: version, served, schema: { long: 'x'.repeat(1_000) } }] },
    status: { conditions: [{ type: 'Established', status: established }] }
  }
}

function group(name: string, spec: Json, version = '5'): Json {
  return { metadata: { name, namespace: 'ns', uid: `u-${name}`, resourceVersion: version }, spec }
}

type Rig = Parts & {
  readonly state: State
  readonly resources: CustomResources
  readonly server: FakeApiServer
  readonly changed: string[]
  /** What lists answer: objects, or a status. */
  readonly lists: Map<string, readonly Json[] | number>
  readonly open: Map<string, Reply>
}

async function rig(t: Test, lists: Record<string, readonly Json[] | number>): Promise<Rig> {
  const answers = new Map(Object.entries(lists))
  const open = new Map<string, Reply>()
  const server = await fakeApiServer(t, (received, reply) => {
    const answer = answers.get(received.path)
    if (received.query.has('watch')) open.set(received.path, reply.watch())
    else if (typeof answer === 'object') reply.list('9', answer)
    else reply.status(answer ?? 404)
  })
  const given = parts(t, server.url)
  const state = new State()
  const changed: string[] = []
  state.subscribe({
    ...{ podChanged: ignore, nodeChanged: ignore, controllerChanged: ignore },
    podGroupChanged: one => void changed.push(one)
  })
  const resources = new CustomResources({ ...given, state })
  t.teardown(() => resources.stop())
  return { ...given, state, resources, server, changed, lists: answers, open }
}

t.test('PodGroups of a CRD that is there are listed before it is ready, and followed', async t => {
  const { resources, state, clock, open, changed } = await rig(t, {
    [crds]: [crd('scheduling.x-k8s.io', 'v1alpha1'), { metadata: { name: 'other.example.com', uid: 'o' } }],
    [coscheduling]: [
      group('g', { minMember: 3, minResources: { cpu: '2', memory: '1Gi' }, scheduleTimeoutSeconds: 10 })
    ]
  })
  t.notOk(resources.synced)
  await resources.start()
  t.ok(resources.synced)
  t.strictSame(state.facts.podGroup(key), {
    ...{ api: 'scheduling.x-k8s.io', namespace: 'ns', name: 'g' },
    ...{ roles: new Map(), minMember: 3, timeoutMs: 10_000 },
    minResources: new Map([
      ['cpu', 2000],
      ['memory', 1024 ** 3]
    ])
  })
  await clock.settled(() => open.has(coscheduling))
  open.get(coscheduling)!.event('MODIFIED', group('g', { minMember: 4 }, '6'))
  await clock.settled(() => state.facts.podGroup(key)?.minMember === 4)
  open.get(coscheduling)!.event('DELETED', group('g', { minMember: 4 }, '7'))
  await clock.settled(() => state.facts.podGroup(key) === undefined)
  t.strictSame(changed, [key, key, key])
})

t.test('a CRD that comes later is found, and one that goes takes its PodGroups along', async t => {
  const { resources, state, clock, open, lists, metric } = await rig(t, { [crds]: [] })
  await resources.start()
  t.ok(resources.synced, 'nothing to wait for')
  await clock.settled(() => open.has(crds))
  open.get(crds)!.event('ADDED', crd('scheduling.x-k8s.io', 'v1alpha1', { established: 'False' }))
  lists.set(coscheduling, [group('g', { minMember: 2 })])
  open.get(crds)!.event('MODIFIED', crd('scheduling.x-k8s.io', 'v1alpha1'))
  await clock.until(() => state.facts.podGroup(key)?.minMember === 2)
  await clock.settled(() => open.has(coscheduling))
  open.get(crds)!.event('DELETED', crd('scheduling.x-k8s.io', 'v1alpha1'))
  await clock.settled(() => state.facts.podGroup(key) === undefined)
  t.equal(await metric('muster_cache_synced{resource="podgroups.scheduling.x-k8s.io"}'), 0)
  clock.advance(60_000)
  t.equal(await metric('muster_cache_staleness_seconds{resource="podgroups.scheduling.x-k8s.io"}'), 0)
  open.delete(coscheduling)
  lists.set(coscheduling, [group('g', { minMember: 7 }, '8')])
  open.get(crds)!.event('ADDED', crd('scheduling.x-k8s.io', 'v1alpha1'))
  await clock.until(() => state.facts.podGroup(key)?.minMember === 7)
  t.pass('and found again')
})

t.test('a version that we do not know is left alone', async t => {
  const { resources, server } = await rig(t, {
    [crds]: [crd('scheduling.x-k8s.io', 'v2'), crd('scheduling.volcano.sh', 'v1beta1', { served: false })]
  })
  await resources.start()
  t.notOk(server.requests.some(request => request.path !== crds))
})

for (const status of [403, 404]) {
  t.test(`without CRDs (${status}) it goes on, says so once, and asks again`, async t => {
    const { resources, state, clock, log, lists, server } = await rig(t, { [crds]: status })
    await resources.start()
    t.ok(resources.synced)
    await clock.until(() => server.requests.length >= 3, 10_000)
    t.strictSame(log.lines, [`warn cannot read customresourcedefinitions (${status}); going on without`])
    lists.set(crds, [crd('scheduling.x-k8s.io', 'v1alpha1')])
    lists.set(coscheduling, [group('g', { minMember: 2 })])
    await clock.until(() => state.facts.podGroup(key) !== undefined, 10_000)
  })
}

t.test('PodGroups that may not be read keep nobody waiting either', async t => {
  const { resources, log } = await rig(t, { [crds]: [crd('scheduling.x-k8s.io', 'v1alpha1')], [coscheduling]: 403 })
  await resources.start()
  t.ok(resources.synced)
  t.match(log.lines.at(-1), /cannot read podgroups\.scheduling\.x-k8s\.io \(403\)/)
})

t.test('an API server that does not answer is waited for', async t => {
  const { resources, clock, lists } = await rig(t, { [crds]: 503 })
  const ready = resources.start()
  await clock.until(() => clock.pending > 0, 0)
  t.notOk(resources.synced)
  lists.set(crds, [])
  await clock.until(() => resources.synced)
  await ready
})

t.test('what the kinds of PodGroups say', async t => {
  const cases = {
    'Volcano: tasks count where minMember is their sum or more': {
      api: 'scheduling.volcano.sh',
      version: 'v1beta1',
      spec: { minMember: 3, minTaskMember: { ps: 1, worker: 2 } },
      want: {
        minMember: 3,
        roles: new Map([
          ['ps', 1],
          ['worker', 2]
        ])
      }
    },
    'Volcano: and do not where it is less': {
      api: 'scheduling.volcano.sh',
      version: 'v1beta1',
      spec: { minMember: 2, minTaskMember: { ps: 1, worker: 2 } },
      want: { minMember: 2, roles: new Map() }
    },
    'KAI: the subgroups that have none below them': {
      api: 'scheduling.run.ai',
      version: 'v2alpha2',
      spec: {
        minMember: 3,
        subGroups: [
          { name: 'all' },
          { name: 'a', parent: 'all', minMember: 1 },
          { name: 'b', parent: 'all', minMember: 2 }
        ]
      },
      want: {
        minMember: 3,
        roles: new Map([
          ['a', 1],
          ['b', 2]
        ])
      }
    },
    'nonsense reads as nothing': {
      api: 'scheduling.sigs.k8s.io',
      version: 'v1alpha1',
      spec: { minMember: '3', scheduleTimeoutSeconds: -1, minResources: { cpu: 'much' } },
      want: { minMember: undefined, roles: new Map(), timeoutMs: undefined, minResources: undefined }
    }
  }
  for (const [name, { api, version, spec, want }] of Object.entries(cases)) {
    const { resources, state } = await rig(t, {
      [crds]: [crd(api, version)],
      [`/apis/${api}/${version}/podgroups`]: [group('g', spec)]
    })
    await resources.start()
    t.match(state.facts.podGroup(`${api}/ns/g`), want, name)
    await resources.stop()
  }
})
