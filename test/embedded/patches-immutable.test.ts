import t, { type Test } from 'tap'
import { type Answer, asked, causesOf } from './api-call.ts'
import { configMap, configMaps, type Loose, pod, pods } from './http-rig.ts'

const rule =
  'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'
const forbidden = `spec: ${rule}`
const main = { name: 'main', image: 'none' }
const tolerates = (key: string, more: object = {}) => ({ key, operator: 'Exists', effect: 'NoSchedule', ...more })
const first = (answer: Answer): string => causesOf(answer)[0]?.split('\n')[0] ?? String(answer.code)

/** What a change of an object is answered: 200, or the first thing that is wrong. */
type Cases = Record<string, [patch: Loose, want: string | number, type?: 'strategic' | 'json']>

function check(t: Test, path: string, made: object, cases: Cases) {
  for (const [name, [patch, want, type = 'merge']] of Object.entries(cases)) {
    const { post, patch: ask, get } = asked()
    post('/api/v1/nodes', { metadata: { name: 'n' } })
    const { code, body } = post(path, made)
    t.equal(code, 201, JSON.stringify(body))
    const answer = ask(`${path}/${body.metadata.name}`, patch, type)
    t.equal(first(answer), String(want), name)
    if (answer.code !== 200) t.strictSame(get(`${path}/${body.metadata.name}`).body, body, 'and nothing is changed')
  }
}

const spec = (spec: object) => ({ spec })
const added = (path: string, value: object) => [{ op: 'add', path, value }]

t.test('of a pod, hardly anything changes', async t => {
  const given = {
    ...{ containers: [main], initContainers: [{ ...main, name: 'init' }], activeDeadlineSeconds: 100 },
    tolerations: [tolerates('x', { effect: 'NoExecute', tolerationSeconds: 9 })]
  }
  check(t, pods, pod('p', given), {
    'an image': [spec({ containers: [{ name: 'main', image: 'new' }] }), 200, 'strategic'],
    'an image of an init container': [spec({ initContainers: [{ name: 'init', image: 'new' }] }), 200, 'strategic'],
    'to no image': [
      spec({ containers: [{ name: 'main', image: '' }] }),
      'spec.containers[0].image: Required value',
      'strategic'
    ],
    'a shorter deadline': [spec({ activeDeadlineSeconds: 50 }), 200],
    'a longer deadline': [
      spec({ activeDeadlineSeconds: 200 }),
      'spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value'
    ],
    'no deadline': [
      spec({ activeDeadlineSeconds: null }),
      'spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value'
    ],
    'a toleration more': [added('/spec/tolerations/-', tolerates('y')), 200, 'json'],
    'a toleration less': [
      [{ op: 'remove', path: '/spec/tolerations/0' }],
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
      'json'
    ],
    'how long a toleration lasts': [
      [{ op: 'replace', path: '/spec/tolerations/0/tolerationSeconds', value: 3 }],
      200,
      'json'
    ],
    'a container more': [
      spec({ containers: [{ name: 'more', image: 'x' }] }),
      'spec.containers: Forbidden: pod updates may not add or remove containers',
      'strategic'
    ],
    'a gate, which it had not': [
      spec({ schedulingGates: [{ name: 'a/b' }] }),
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a/b'"
    ],
    'the name of a container': [spec({ containers: [{ name: 'other', image: 'none' }] }), forbidden],
    'its environment': [spec({ containers: [{ name: 'main', env: [{ name: 'A' }] }] }), forbidden, 'strategic'],
    'its resources': [
      spec({ containers: [{ name: 'main', resources: { requests: { cpu: '1' } } }] }),
      forbidden,
      'strategic'
    ],
    'its node': [spec({ nodeName: 'n' }), forbidden],
    'what nodes it wants': [spec({ nodeSelector: { a: 'b' } }), forbidden],
    'its affinity': [spec({ affinity: { podAffinity: {} } }), forbidden],
    'its restarts': [spec({ restartPolicy: 'Never' }), forbidden],
    'its scheduler': [spec({ schedulerName: 'other' }), forbidden],
    'its priority': [spec({ priority: 1 }), forbidden],
    'its grace': [spec({ terminationGracePeriodSeconds: 1 }), forbidden],
    'its labels': [{ metadata: { labels: { a: 'b' } } }, 200],
    'its status, which is written elsewhere': [{ status: { phase: 'Running' } }, 200]
  })
  const { post, put } = asked()
  post(pods, pod('p'))
  const replaced = put(`${pods}/p`, pod('p', { containers: [{ ...main, image: 'new' }] }))
  t.match(replaced, { code: 200, body: { spec: { priority: 0, preemptionPolicy: 'PreemptLowerPriority' } } })
})

const required = (...matchExpressions: object[]) => ({
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } }
})
const key = (key: string) => ({ key, operator: 'Exists' })
const terms = '/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms'
const widened = (text: string) =>
  `spec.nodeSelector: Invalid value: ${text}: only additions to spec.nodeSelector are allowed (no mutations or deletions)`
const fixedTerms = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'

t.test('a gated pod may be placed more narrowly, never more widely', async t => {
  const gates = [{ name: 'a/b' }, { name: 'c' }]
  check(t, pods, pod('p', { schedulingGates: gates, nodeSelector: { x: 'y' }, affinity: required(key('a')) }), {
    'one gate less': [spec({ schedulingGates: [{ name: 'c', $patch: 'delete' }] }), 200, 'strategic'],
    'no gates': [spec({ schedulingGates: null }), 200],
    'another gate': [
      spec({ schedulingGates: [{ name: 'd' }] }),
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'd'"
    ],
    'a label more': [spec({ nodeSelector: { z: '1' } }), 200],
    'a label less': [spec({ nodeSelector: null }), widened('{}')],
    'another label': [spec({ nodeSelector: { x: 'z' } }), widened('{"x":"z"}')],
    'an expression more': [added(`${terms}/0/matchExpressions/-`, key('b')), 200, 'json'],
    'a preference': [
      spec({
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: { matchExpressions: [key('b')] } }
            ]
          }
        }
      }),
      200
    ],
    'an affinity to pods': [
      spec({
        affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } }
      }),
      forbidden
    ],
    'its node': [spec({ nodeName: 'n' }), forbidden]
  })
  const { post, patch } = asked()
  post(pods, pod('p', { schedulingGates: gates, affinity: required(key('a')) }))
  const alternative = patch(`${pods}/p`, added(`${terms}/-`, { matchExpressions: [key('b')] }), 'json')
  t.match(alternative, { code: 422, body: { message: new RegExp(fixedTerms) } })
  t.match(patch(`${pods}/p`, spec({ affinity: null })), { code: 422, body: { message: new RegExp(fixedTerms) } })
  t.match(patch(`${pods}/p`, spec({ schedulingGates: null })).body.spec.schedulingGates, undefined)
  t.equal(first(patch(`${pods}/p`, spec({ nodeSelector: { z: '1' } }))), forbidden, 'without gates as any other')
})

const template = (labels: object, more: object = {}) => ({
  metadata: { labels },
  spec: { containers: [main], ...more }
})
const selector = { matchLabels: { a: 'b' } }
const workload = (more: object = {}) => ({
  metadata: { name: 'w' },
  spec: { selector, template: template({ a: 'b', c: 'd' }), ...more }
})
const apps = (plural: string) => `/apis/apps/v1/namespaces/default/${plural}`
const other = { selector: { matchLabels: { c: 'd' } } }
const immutable = (field: string, value: unknown) =>
  `${field}: Invalid value: ${JSON.stringify(value)}: field is immutable`

t.test('what a workload selects does not change', async t => {
  for (const plural of ['replicasets', 'deployments', 'daemonsets'])
    check(t, apps(plural), workload(), {
      [`the selector of ${plural}`]: [
        spec({ selector: { matchLabels: { a: null, c: 'd' } } }),
        immutable('spec.selector', other.selector)
      ],
      [`the template of ${plural}`]: [spec({ template: { metadata: { labels: { e: 'f' } } } }), 200]
    })
  const frozen =
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
  check(t, apps('statefulsets'), workload({ serviceName: 's' }), {
    'the selector of statefulsets': [spec({ selector: { matchLabels: { a: null, c: 'd' } } }), frozen],
    'their service': [spec({ serviceName: 'x' }), frozen],
    'their order': [spec({ podManagementPolicy: 'Parallel' }), frozen],
    'their replicas': [spec({ replicas: 3 }), 200],
    'their updates': [spec({ updateStrategy: { rollingUpdate: { partition: 2 } } }), 200]
  })
})

const job = (more: object = {}) => ({
  metadata: { name: 'j' },
  spec: { template: template({}, { restartPolicy: 'Never' }), ...more }
})
const starts = (field: string) => new RegExp(`^${field}: Invalid value: .*: field is immutable$`)

t.test('a Job is changed as long as it rests', async t => {
  const jobs = '/apis/batch/v1/namespaces/default/jobs'
  const place = spec({ template: { spec: { nodeSelector: { a: 'b' }, schedulingGates: [{ name: 'a/b' }] } } })
  const image = spec({ template: { spec: { containers: [{ name: 'main', image: 'new' }] } } })
  const amount = [added('/spec/template/spec/containers/0/resources', { requests: { cpu: '1' } }), 200, 'json'] as const
  check(t, jobs, job({ completions: 3 }), {
    'how many at a time': [spec({ parallelism: 3 }), 200],
    'how many in all': [spec({ completions: 5 }), immutable('spec.completions', 5)],
    'how often it may fail': [spec({ backoffLimit: 3 }), 200],
    'that it waits': [spec({ suspend: true }), 200]
  })
  check(t, jobs, job({ completions: 3, parallelism: 3, completionMode: 'Indexed' }), {
    'both together': [spec({ completions: 5, parallelism: 5 }), 200],
    'only how many in all': [
      spec({ completions: 5 }),
      'spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism'
    ],
    'its mode': [spec({ completionMode: 'NonIndexed' }), immutable('spec.completionMode', 'NonIndexed')]
  })
  check(t, jobs, job({ suspend: true }), { 'where its pods may run': [place, 200], 'what they ask for': [...amount] })
  const { post, patch } = asked()
  post(jobs, job({ suspend: true }))
  t.match(first(patch(`${jobs}/j`, image, 'strategic')), starts('spec.template.spec'), 'what they are')
  patch(`${jobs}/j`, spec({ suspend: false }))
  t.match(first(patch(`${jobs}/j`, place)), starts('spec.template'), 'and nothing once it runs')
})

const ip = (...ips: string[]) => `spec.clusterIPs[0]: Invalid value: ${JSON.stringify(ips)}: may not change once set`
const said = (field: string) => `node updates may not change ${field} except from "" to valid`

t.test('other things that stay', async t => {
  const services = '/api/v1/namespaces/default/services'
  const given = { clusterIP: '10.96.0.50', ports: [{ port: 80 }] }
  check(
    t,
    services,
    { metadata: { name: 's' }, spec: given },
    {
      "a Service's address": [spec({ clusterIP: '10.96.0.51' }), ip('10.96.0.51')],
      'the list of them': [spec({ clusterIPs: ['10.96.0.51'], clusterIP: '10.96.0.51' }), ip('10.96.0.51')],
      'to none': [spec({ clusterIP: 'None' }), ip('None')],
      'an address that is not named stays': [spec({ clusterIP: null, clusterIPs: null }), 200],
      'its ports change': [spec({ ports: [{ port: 81 }] }), 200]
    }
  )
  check(
    t,
    '/api/v1/nodes',
    { metadata: { name: 'm' }, spec: { providerID: 'x', podCIDR: '10.1.0.0/24' } },
    {
      'who a Node is': [spec({ providerID: 'y' }), `spec.providerID: Forbidden: ${said('providerID')}`],
      'the addresses of its pods': [
        spec({ podCIDR: '10.2.0.0/24', podCIDRs: ['10.2.0.0/24'] }),
        `spec.podCIDRs: Forbidden: ${said('podCIDR')}`
      ],
      'that it takes no pods': [spec({ unschedulable: true }), 200]
    }
  )
  const frozen = 'Forbidden: field is immutable when `immutable` is set'
  check(
    t,
    configMaps,
    { ...configMap('c', { a: '1' }), immutable: true },
    {
      'immutable data': [{ data: { a: '2' } }, `data: ${frozen}`],
      'that it is immutable': [{ immutable: null }, `immutable: ${frozen}`],
      'its labels': [{ metadata: { labels: { a: 'b' } } }, 200]
    }
  )
  check(
    t,
    '/api/v1/namespaces/default/secrets',
    { metadata: { name: 's' } },
    {
      'the type of a Secret': [{ type: 'Other' }, immutable('type', 'Other')]
    }
  )
  check(
    t,
    '/apis/scheduling.k8s.io/v1/priorityclasses',
    { metadata: { name: 'high' }, value: 7 },
    {
      'the value of a PriorityClass': [{ value: 8 }, 'value: Forbidden: may not be changed in an update.'],
      'whether it preempts': [{ preemptionPolicy: 'Never' }, immutable('preemptionPolicy', 'Never')],
      'what it is for': [{ description: 'x' }, 200]
    }
  )
  check(
    t,
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
    { metadata: { name: 'e' }, addressType: 'IPv4', endpoints: [] },
    { 'the type of addresses': [{ addressType: 'IPv6' }, immutable('addressType', 'IPv6')] }
  )
})
