import t from 'tap'
import { type Answer, asked, causesOf } from './api-call.ts'
import { type Loose, pod, pods } from './http-rig.ts'

const classes = '/apis/scheduling.k8s.io/v1/priorityclasses'
const nodes = '/api/v1/nodes'
const success = { code: 201, body: { kind: 'Status', status: 'Success' } }
const conflict = (message: RegExp) => ({ code: 409, body: { reason: 'Conflict', message } })

const named = (priorityClassName: string, more: object = {}) => ({ priorityClassName, ...more })
const given = (said: string, computed: string) =>
  `the ${said} must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`

t.test('the priority of a pod is that of its class', async t => {
  type Want = readonly [name: string | undefined, priority: number, policy: string]
  const cases: Record<string, [spec: object, want: Want | string]> = {
    'none without a class': [{}, [undefined, 0, 'PreemptLowerPriority']],
    'that of its class': [named('high'), ['high', 100, 'PreemptLowerPriority']],
    'which may not preempt': [named('low'), ['low', -5, 'Never']],
    'every cluster has two': [
      named('system-node-critical'),
      ['system-node-critical', 2_000_001_000, 'PreemptLowerPriority']
    ],
    'the same number is no contradiction': [named('high', { priority: 100 }), ['high', 100, 'PreemptLowerPriority']],
    'an unknown class': [named('nobody'), 'no PriorityClass with name nobody was found'],
    'another number': [named('high', { priority: 101 }), given('integer value of priority (101)', '100')],
    'a number of its own': [{ priority: 5 }, given('integer value of priority (5)', '0')],
    'another policy': [
      named('high', { preemptionPolicy: 'Never' }),
      given('string value of PreemptionPolicy (Never)', 'PreemptLowerPriority')
    ],
    'a policy of its own': [
      { preemptionPolicy: 'Never' },
      given('string value of PreemptionPolicy (Never)', 'PreemptLowerPriority')
    ]
  }
  const { post } = asked()
  post(classes, { metadata: { name: 'high' }, value: 100 })
  post(classes, { metadata: { name: 'low' }, value: -5, preemptionPolicy: 'Never' })
  for (const [index, [name, [spec, want]]] of Object.entries(cases).entries()) {
    const { code, body } = post(pods, pod(`p-${index}`, spec))
    if (typeof want === 'string') {
      t.match({ code, body }, { code: 403, body: { reason: 'Forbidden' } }, name)
      t.equal(body.message, `pods "p-${index}" is forbidden: ${want}`)
    } else t.strictSame([body.spec.priorityClassName, body.spec.priority, body.spec.preemptionPolicy], want, name)
  }
})

t.test('one class may be that of all others', async t => {
  const { post, patch, remove } = asked()
  const only = /PriorityClass usual is already marked as default. Only one default can exist/
  post(classes, { metadata: { name: 'usual' }, value: 7, globalDefault: true })
  const second = post(classes, { metadata: { name: 'other' }, value: 8, globalDefault: true })
  t.match(second, { code: 403, body: { reason: 'Forbidden', message: only } })
  post(classes, { metadata: { name: 'other' }, value: 8 })
  t.match(patch(`${classes}/other`, { globalDefault: true }), { code: 403, body: { message: only } })
  t.match(post(pods, pod('a')).body.spec, { priorityClassName: 'usual', priority: 7 })
  t.match(post(pods, pod('b', { priorityClassName: 'other' })).body.spec, { priority: 8 })
  t.equal(post(pods, pod('c', { priority: 0 })).code, 403)
  t.equal(patch(`${classes}/usual`, { description: 'still' }).code, 200)
  patch(`${classes}/usual`, { globalDefault: false })
  t.match(post(pods, pod('d')).body.spec, { priorityClassName: undefined, priority: 0 })
  t.equal(remove(`${classes}/other`).code, 200, 'its pods keep their priority')
  t.match(remove(`${classes}/system-node-critical`), {
    code: 403,
    body: { message: /this is a system priority class and cannot be deleted/ }
  })
})

const binding = (name: string, node = 'n1', metadata: object = {}) => ({
  metadata: { name, ...metadata },
  target: { kind: 'Node', name: node }
})

t.test('a pod is bound once', async t => {
  const { post, get, patch } = asked()
  const zone = { 'topology.kubernetes.io/zone': 'z1', 'topology.kubernetes.io/region': 'r1' }
  post(nodes, { metadata: { name: 'n1', labels: { ...zone, 'kubernetes.io/hostname': 'n1' } } })
  const { metadata } = post(pods, pod('p')).body
  patch(`${pods}/p/status`, { status: { nominatedNodeName: 'n2' } })
  t.match(post(`${pods}/p/binding`, binding('p', 'n1', { uid: 'other' })), conflict(/UID in precondition: other/))
  const bind = binding('p', 'n1', { uid: metadata.uid, annotations: { by: 'me' }, labels: { l: 'm' } })
  t.match(post(`${pods}/p/binding`, bind), success)
  const { body } = get(`${pods}/p`)
  t.match(body.metadata, { annotations: { by: 'me' }, labels: { app: 'p', l: 'm', ...zone }, generation: 1 })
  t.notOk('kubernetes.io/hostname' in body.metadata.labels, 'of the node, only where it is')
  t.match(body, {
    spec: { nodeName: 'n1' },
    status: { nominatedNodeName: undefined, conditions: [{ type: 'PodScheduled', status: 'True' }] }
  })
  t.match(
    post(`${pods}/p/binding`, binding('p')),
    conflict(/pods\/binding "p": pod p is already assigned to node "n1"$/)
  )
  t.strictSame(causesOf(patch(`${pods}/p/status`, { status: { nominatedNodeName: 'n2' } })), [
    'status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node'
  ])
})

t.test('which pods are bound, and which not', async t => {
  const cases: Record<string, [given: object, want: object]> = {
    'to a node that nobody knows': [pod('p'), success],
    'one behind gates': [
      pod('p', { schedulingGates: [{ name: 'a/b' }] }),
      conflict(/pod p has non-empty .spec.schedulingGates$/)
    ],
    'one that has a node': [pod('p', { nodeName: 'n2' }), conflict(/pod p is already assigned to node "n2"$/)],
    'one that leaves': [
      { ...pod('p'), metadata: { name: 'p', finalizers: ['a/b'] } },
      conflict(/pod p is being deleted, cannot be assigned to a host$/)
    ],
    'one that is not there': [pod('q'), { code: 404, body: { message: 'pods "p" not found' } }]
  }
  for (const [name, [given, want]] of Object.entries(cases)) {
    const { post, remove } = asked()
    post(pods, given)
    if (name.includes('leaves')) remove(`${pods}/p`)
    t.match(post(`${pods}/p/binding`, binding('p')), want, name)
  }
  const { post, get } = asked()
  post(nodes, { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } } })
  t.match(post(pods, pod('own', { nodeName: 'n1' })).body.metadata.labels, { 'topology.kubernetes.io/zone': 'z1' })
  post(pods, pod('p'))
  t.match(post(`${pods}/p/binding`, binding('p', '')), { code: 500 }, 'to no node')
  t.match(post(`${pods}/p/binding?dryRun=All`, binding('p')), success)
  t.equal(get(`${pods}/p`).body.spec.nodeName, undefined, 'a dry run binds nothing')
})

t.test('a gated pod says so', async t => {
  const { post, patch } = asked()
  const gated = { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }
  t.match(post(pods, pod('p', { schedulingGates: [{ name: 'a/b' }] })).body.status, { conditions: [gated] })
  const status = (change: object) => patch(`${pods}/p/status`, { status: change })
  t.match(status({ podIP: '10.1.2.3' }).body.status, { podIPs: [{ ip: '10.1.2.3' }] }, 'one address is a list of one')
  t.match(status({ podIP: '10.1.2.4' }).body.status, { podIPs: [{ ip: '10.1.2.4' }] })
  t.strictSame(causesOf(status({ podIP: 'abc' })), [
    'status.podIPs[0]: Invalid value: "abc": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
  ])
  t.strictSame(causesOf(status({ qosClass: 'Guaranteed' })), [
    'status.qosClass: Invalid value: "Guaranteed": field is immutable'
  ])
  const owners = [{ apiVersion: 'v1', kind: 'Pod', name: 'o', uid: 'u' }]
  const owned = patch(`${pods}/p/status`, { metadata: { ownerReferences: owners, labels: { l: 'm' } } }).body.metadata
  t.match(owned, { ownerReferences: undefined, labels: { l: 'm' } }, 'who owns it is not for a kubelet to say')
})

const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const eviction = (name: string, deleteOptions?: object) => ({
  ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } },
  ...(deleteOptions && { deleteOptions })
})
const budget = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { minAvailable: 2, selector: { matchLabels: { app: 'web' } }, ...spec }
})
const counts = { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 }

/** Three pods of one application, and their budget where there is one. */
function running(status: object | undefined, spec: object = {}, ready = 'True') {
  const asking = asked()
  const { post, patch } = asking
  for (const name of ['a', 'b', 'c']) {
    post(pods, { ...pod(name, { nodeName: 'n' }), metadata: { name, labels: { app: 'web' } } })
    patch(`${pods}/${name}/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] } })
  }
  if (status === undefined) return asking
  post(budgets, budget('web', spec))
  patch(`${budgets}/web/status`, { status })
  return asking
}

const refused = (cause: string) => ({
  code: 429,
  body: {
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: { causes: [{ reason: 'DisruptionBudget', message: cause }] }
  }
})

t.test('an eviction needs room in the budget of its pod', async t => {
  const needs = (want: number, has: number) =>
    refused(`The disruption budget web needs ${want} healthy pods and has ${has} currently`)
  type Case = [status: object | undefined, want: object, spec?: object, ready?: string]
  const cases: Record<string, Case> = {
    'without a budget': [undefined, success],
    'as long as there is room': [counts, success],
    'when there is none': [{ ...counts, disruptionsAllowed: 0, currentHealthy: 2 }, needs(2, 2)],
    'when there is none for the moment': [
      { ...counts, disruptionsAllowed: 0 },
      refused('The disruption budget web does not allow evicting pods currently')
    ],
    'when nobody has counted yet': [
      { ...counts, observedGeneration: 0 },
      refused('The disruption budget web is still being processed by the server.')
    ],
    'of one that is not ready, when enough others are': [{ ...counts, disruptionsAllowed: 0 }, success, {}, 'False'],
    'of one that is not ready, when not': [
      { ...counts, disruptionsAllowed: 0, currentHealthy: 1 },
      needs(2, 1),
      {},
      'False'
    ],
    'of one that is not ready, always': [
      { ...counts, disruptionsAllowed: 0, currentHealthy: 1 },
      success,
      { unhealthyPodEvictionPolicy: 'AlwaysAllow' },
      'False'
    ],
    'of a budget for others': [
      { ...counts, disruptionsAllowed: 0 },
      success,
      { selector: { matchLabels: { app: 'db' } } }
    ]
  }
  for (const [name, [status, want, spec, ready]] of Object.entries(cases)) {
    const { post, get } = running(status, spec, ready)
    const answer = post(`${pods}/a/eviction`, eviction('a'))
    t.match(answer, want, name)
    const { metadata } = get(`${pods}/a`).body
    t.equal(metadata.deletionTimestamp !== undefined, answer.code === 201)
  }
})

t.test('what an eviction leaves behind', async t => {
  const { post, get, api } = running(counts)
  const before = api.resourceVersion
  t.match(post(`${pods}/a/eviction?dryRun=All`, eviction('a')), success)
  t.equal(api.resourceVersion, before, 'a dry run nothing')
  t.match(post(`${pods}/a/eviction`, eviction('a', { gracePeriodSeconds: 5 })), success)
  const target = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' }
  const { metadata, status } = get(`${pods}/a`).body
  t.match(metadata, { deletionGracePeriodSeconds: 5 })
  t.match(
    status.conditions.find(({ type }: Loose) => type === target.type),
    target,
    'the pod says why it goes'
  )
  const { status: charged } = get(`${budgets}/web`).body
  t.match(charged, {
    disruptionsAllowed: 0,
    disruptedPods: { a: String },
    conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' }]
  })
  t.match(post(`${pods}/a/eviction`, eviction('a')), success, 'what leaves already costs nothing')
  t.match(post(`${pods}/b/eviction`, eviction('b')), { code: 429 })
  t.match(post(`${pods}/nobody/eviction`, eviction('nobody')), { code: 404 })
})

t.test('an eviction may be meant for one pod only', async t => {
  const { post, get } = running(counts)
  const { uid } = get(`${pods}/b`).body.metadata
  const other = eviction('b', { preconditions: { uid: 'other' } })
  t.match(running(counts).post(`${pods}/b/eviction`, other), { code: 409, body: { reason: 'Conflict' } })
  t.match(post(`${pods}/b/eviction`, eviction('b', { preconditions: { uid } })), success)
})

t.test('what an eviction costs nothing for, and what it cannot tell', async t => {
  const none = { ...counts, disruptionsAllowed: 0 }
  for (const phase of ['Pending', 'Succeeded', 'Failed']) {
    const { post, patch } = running(none)
    patch(`${pods}/a/status`, { status: { phase } })
    t.match(post(`${pods}/a/eviction`, eviction('a')), success, `one that is ${phase}`)
  }
  const { post, get } = running(counts)
  post(budgets, budget('all', { selector: {} }))
  const two: Answer = post(`${pods}/a/eviction`, eviction('a'))
  t.match(two, {
    code: 500,
    body: {
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
    }
  })
  t.notOk(get(`${pods}/a`).body.metadata.deletionTimestamp)
})
