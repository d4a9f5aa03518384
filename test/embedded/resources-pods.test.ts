import t, { type Test } from 'tap'
import { asked, causesOf } from './api-call.ts'
import { choice, invalid, key, negative, port } from './complaints.ts'
import { type Loose, pods } from './http-rig.ts'

const main = { name: 'main', image: 'none' }
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

/** What is wrong with a spec, field by field; nothing where it is made. */
type Cases = Record<string, [spec: Loose, ...want: string[]]>

function check(t: Test, path: string, cases: Cases) {
  for (const [name, [spec, ...want]] of Object.entries(cases)) {
    const answer = asked().post(path, { metadata: { name: 'x' }, spec })
    t.strictSame(causesOf(answer), want, name)
    t.equal(answer.code, want.length === 0 ? 201 : 422, JSON.stringify(answer.body))
  }
}

const pod = (more: object) => ({ containers: [main], ...more })
const one = (more: object) => ({ containers: [{ ...main, ...more }] })
const here = 'spec.containers[0]'

t.test('containers', async t => {
  check(t, pods, {
    none: [{ containers: [] }, 'spec.containers: Required value'],
    'a name and an image': [one({})],
    neither: [{ containers: [{}] }, `${here}.name: Required value`, `${here}.image: Required value`],
    'a name that is none': [one({ name: 'A' }), invalid(`${here}.name`, 'A', label)],
    'a name twice': [{ containers: [main, main] }, 'spec.containers[1].name: Duplicate value: "main"'],
    'a name of an init container too': [
      pod({ initContainers: [main] }),
      'spec.initContainers[0].name: Duplicate value: "main"'
    ],
    'an image with spaces around': [
      one({ image: ' x' }),
      invalid(`${here}.image`, ' x', 'must not have leading or trailing whitespace')
    ],
    'an unknown pull policy': [
      one({ imagePullPolicy: 'X' }),
      choice(`${here}.imagePullPolicy`, 'X', 'Always', 'IfNotPresent', 'Never')
    ],
    'a variable without a name': [one({ env: [{ value: '1' }] }), `${here}.env[0].name: Required value`],
    'a variable twice is the later one': [one({ env: ['1', '2'].map(value => ({ name: 'A', value })) })],
    'a variable of two sources': [
      one({ env: [{ name: 'A', value: '1', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      invalid(`${here}.env[0].valueFrom`, '', 'may not be specified when `value` is not empty')
    ],
    'a port that is none': [
      one({ ports: [{ containerPort: 70_000 }] }),
      invalid(`${here}.ports[0].containerPort`, 70_000, port)
    ],
    'no port': [one({ ports: [{ name: 'a' }] }), `${here}.ports[0].containerPort: Required value`],
    "a port's name twice": [
      one({ ports: [80, 81].map(containerPort => ({ containerPort, name: 'a' })) }),
      `${here}.ports[1].name: Duplicate value: "a"`
    ],
    "a port's name that is none": [
      one({ ports: [{ containerPort: 80, name: 'A_B' }] }),
      invalid(`${here}.ports[0].name`, 'A_B', 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'),
      invalid(`${here}.ports[0].name`, 'A_B', 'must contain at least one letter (a-z)')
    ],
    'a port of its node twice': [
      one({ ports: [80, 81].map(containerPort => ({ containerPort, hostPort: 80 })) }),
      `${here}.ports[1].hostPort: Duplicate value: "TCP//80"`
    ],
    'one of each protocol': [
      one({ ports: ['TCP', 'UDP'].map(protocol => ({ containerPort: 80, hostPort: 80, protocol })) })
    ],
    'a probe of nothing': [
      one({ livenessProbe: {} }),
      `${here}.livenessProbe: Required value: must specify a handler type`
    ],
    'a probe of two things': [
      one({ livenessProbe: { httpGet: { port: 80 }, exec: { command: ['a'] } } }),
      `${here}.livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type`
    ],
    'a liveness that must be seen twice': [
      one({ livenessProbe: { exec: { command: ['a'] }, successThreshold: 2 } }),
      invalid(`${here}.livenessProbe.successThreshold`, 2, 'must be 1')
    ],
    'a probe of what ends': [
      pod({ initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['a'] } } }] }),
      'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always'
    ],
    'of a sidecar': [
      pod({
        initContainers: [
          { name: 'i', image: 'x', restartPolicy: 'Always', livenessProbe: { exec: { command: ['a'] } } }
        ]
      })
    ],
    'containers for looking in come later': [
      pod({ ephemeralContainers: [{ name: 'e', image: 'x' }] }),
      'spec.ephemeralContainers: Forbidden: cannot be set on create'
    ]
  })
})

const mounts = (...volumeMounts: object[]) => ({ ...one({ volumeMounts }), volumes: [{ name: 'v' }, { name: 'w' }] })

t.test('volumes', async t => {
  check(t, pods, {
    'a volume without a source is an empty one': [pod({ volumes: [{ name: 'v' }] })],
    'a volume of two sources': [
      pod({ volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }] }),
      'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'
    ],
    'a volume twice': [pod({ volumes: [{ name: 'v' }, { name: 'v' }] }), 'spec.volumes[1].name: Duplicate value: "v"'],
    'a mount of no volume': [mounts({ name: 'x', mountPath: '/x' }), `${here}.volumeMounts[0].name: Not found: "x"`],
    'a mount nowhere': [mounts({ name: 'v' }), `${here}.volumeMounts[0].mountPath: Required value`],
    'two mounts in one place': [
      mounts({ name: 'v', mountPath: '/x' }, { name: 'w', mountPath: '/x' }),
      invalid(`${here}.volumeMounts[1].mountPath`, '/x', 'must be unique')
    ]
  })
})

const asks = (requests: object, limits?: object) => one({ resources: { requests, ...(limits && { limits }) } })
const requests = `${here}.resources.requests`

t.test('resources', async t => {
  check(t, pods, {
    'more than the limit': [
      asks({ cpu: '2' }, { cpu: '1' }),
      invalid(requests, '2', 'must be less than or equal to cpu limit of 1')
    ],
    'less than nothing': [asks({ cpu: '-1' }), invalid(`${requests}[cpu]`, '-1', negative)],
    'of what nobody knows': [
      asks({ foo: '1' }),
      invalid(`${requests}[foo]`, 'foo', 'must be a standard resource type or fully qualified'),
      invalid(`${requests}[foo]`, 'foo', 'must be a standard resource for containers')
    ],
    'devices are asked for as a limit': [
      asks({ 'x.io/gpu': '1' }),
      `${here}.resources.limits: Required value: Limit must be set for non overcommitable resources`
    ],
    'just as many': [
      asks({ 'x.io/gpu': '1' }, { 'x.io/gpu': '2' }),
      invalid(requests, '1', 'must be equal to x.io/gpu limit of 2')
    ],
    'and whole ones': [
      one({ resources: { limits: { 'x.io/gpu': '0.5' } } }),
      invalid(`${here}.resources.limits[x.io/gpu]`, '500m', 'must be an integer'),
      invalid(`${requests}[x.io/gpu]`, '500m', 'must be an integer')
    ]
  })
  const { post } = asked()
  const made = (name: string, resources: object) => {
    const { spec, status } = post(pods, { metadata: { name }, ...{ spec: one({ resources }) } }).body
    return [spec.containers[0].resources, status.qosClass]
  }
  const written = { cpu: '0.5', memory: '1.5Gi', 'ephemeral-storage': 1_000_000 }
  const shown = { cpu: '500m', memory: '1536Mi', 'ephemeral-storage': '1M' }
  t.strictSame(
    made('a', { limits: written }),
    [{ limits: shown, requests: shown }, 'Guaranteed'],
    'a limit is asked for'
  )
  t.strictSame(made('b', { requests: { cpu: '1000m' } }), [{ requests: { cpu: '1' } }, 'Burstable'])
  t.strictSame(made('c', { requests: { cpu: '0' } }), [{ requests: { cpu: '0' } }, 'BestEffort'], 'nothing is nothing')
})

const affinity = (kind: string, value: object) => pod({ affinity: { [kind]: value } })
const must = 'requiredDuringSchedulingIgnoredDuringExecution'
const may = 'preferredDuringSchedulingIgnoredDuringExecution'
const terms = `spec.affinity.nodeAffinity.${must}.nodeSelectorTerms`
const expression = (operator: string, ...values: string[]) =>
  affinity('nodeAffinity', {
    [must]: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator, values }] }] }
  })
const first = `${terms}[0].matchExpressions[0]`
const spread = (more: object) =>
  pod({
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {}, ...more }
    ]
  })
const constraint = 'spec.topologySpreadConstraints[0]'
const tolerates = (toleration: object) => pod({ tolerations: [toleration] })
const toleration = 'spec.tolerations[0]'

t.test('where pods may run', async t => {
  check(t, pods, {
    'a selector of no label': [
      pod({ nodeSelector: { 'a b': 'c' } }),
      invalid('spec.nodeSelector', 'a b', `name part ${key}`)
    ],
    'no alternative at all': [
      affinity('nodeAffinity', { [must]: { nodeSelectorTerms: [] } }),
      `${terms}: Required value: must have at least one node selector term`
    ],
    'one of none': [
      expression('In'),
      `${first}.values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`
    ],
    'more than one of two': [
      expression('Gt', '1', '2'),
      `${first}.values: Required value: must be specified single value when \`operator\` is 'Lt' or 'Gt'`
    ],
    'an unknown operator': [
      expression('Near', 'b'),
      invalid(`${first}.operator`, 'Near', 'not a valid selector operator')
    ],
    'a preference of no weight': [
      affinity('nodeAffinity', { [may]: [{ weight: 0, preference: {} }] }),
      invalid(`spec.affinity.nodeAffinity.${may}[0].weight`, 0, 'must be in the range 1-100')
    ],
    'beside other pods, but of what': [
      affinity('podAntiAffinity', { [must]: [{ topologyKey: 'a b', labelSelector: {} }] }),
      invalid(`spec.affinity.podAntiAffinity.${must}[0].topologyKey`, 'a b', `name part ${key}`)
    ],
    'spread over zones': [spread({})],
    'spread without a skew': [spread({ maxSkew: 0 }), invalid(`${constraint}.maxSkew`, 0, 'must be greater than zero')],
    'spread over nothing': [spread({ topologyKey: '' }), `${constraint}.topologyKey: Required value: can not be empty`],
    'spread, or else': [
      spread({ whenUnsatisfiable: 'Maybe' }),
      choice(`${constraint}.whenUnsatisfiable`, 'Maybe', 'DoNotSchedule', 'ScheduleAnyway')
    ],
    'tolerates anything': [tolerates({ operator: 'Exists' })],
    'tolerates nothing in particular': [
      tolerates({ value: 'x' }),
      invalid(
        `${toleration}.operator`,
        '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"'
      )
    ],
    'tolerates any value, and one': [
      tolerates({ key: 'a', operator: 'Exists', value: 'x' }),
      invalid(`${toleration}.operator`, 'x', "value must be empty when `operator` is 'Exists'")
    ],
    'tolerates by what': [
      tolerates({ key: 'a', operator: 'Gt', value: '5' }),
      choice(`${toleration}.operator`, 'Gt', 'Equal', 'Exists', 'Lt', 'Gt')
    ],
    'tolerates what': [
      tolerates({ key: 'a', effect: 'No' }),
      choice(`${toleration}.effect`, 'No', 'NoSchedule', 'PreferNoSchedule', 'NoExecute')
    ],
    'tolerates for a while what does not evict': [
      tolerates({ key: 'a', effect: 'NoSchedule', tolerationSeconds: 3 }),
      invalid(`${toleration}.effect`, 'NoSchedule', "effect must be 'NoExecute' when `tolerationSeconds` is set")
    ],
    'a gate that is none': [
      pod({ schedulingGates: [{ name: 'a b' }] }),
      invalid('spec.schedulingGates[0]', 'a b', `name part ${key}`)
    ],
    'a gate twice': [
      pod({ schedulingGates: [{ name: 'a/b' }, { name: 'a/b' }] }),
      'spec.schedulingGates[1]: Duplicate value: "a/b"'
    ],
    'a gate, and a node already': [
      pod({ schedulingGates: [{ name: 'a/b' }], nodeName: 'n' }),
      'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared'
    ]
  })
})

t.test('the rest of a pod spec', async t => {
  check(t, pods, {
    'how it is restarted': [
      pod({ restartPolicy: 'Sometimes' }),
      choice('spec.restartPolicy', 'Sometimes', 'Always', 'OnFailure', 'Never')
    ],
    'how it finds names': [
      pod({ dnsPolicy: 'X' }),
      choice('spec.dnsPolicy', 'X', 'ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None')
    ],
    'when it must be done': [
      pod({ activeDeadlineSeconds: 0 }),
      invalid('spec.activeDeadlineSeconds', 0, 'must be between 1 and 2147483647, inclusive')
    ],
    'what it is called': [pod({ hostname: 'A_B' }), invalid('spec.hostname', 'A_B', label)],
    'no text is none': [pod({ schedulerName: '', restartPolicy: '', nodeName: '' })]
  })
  const { post } = asked()
  const images = ['x', 'x:latest', 'x:1', 'r:5000/x', 'x@sha256:abc']
  const containers = images.map((image, index) => ({ name: `c-${index}`, image }))
  const made = post(pods, { metadata: { name: 'x' }, spec: { containers, terminationGracePeriodSeconds: -5 } }).body
    .spec
  t.strictSame(
    made.containers.map(({ imagePullPolicy }: Loose) => imagePullPolicy),
    ['Always', 'Always', 'IfNotPresent', 'Always', 'IfNotPresent']
  )
  t.equal(made.terminationGracePeriodSeconds, 1)
})

const template = (labels: object, more: object = {}) => ({ metadata: { labels }, spec: pod(more) })
const selector = { matchLabels: { a: 'b' } }
const workload = (more: object) => ({ selector, template: template({ a: 'b' }), ...more })
const roll = (strategy: object) => workload({ strategy })
const labels = (value: unknown) =>
  invalid('spec.template.metadata.labels', value, '`selector` does not match template `labels`')
const rolling = 'spec.strategy.rollingUpdate'

const ending = (labels: object, more: object = {}) => template(labels, { restartPolicy: 'Never', ...more })
const job = (more: object, pod: object = {}) => ({ template: ending({}, pod), ...more })

t.test('workloads', async t => {
  check(t, '/apis/apps/v1/namespaces/default/deployments', {
    'no selector': [workload({ selector: undefined }), 'spec.selector: Required value', labels({ a: 'b' })],
    'a selector of everything': [
      workload({ selector: {} }),
      invalid('spec.selector', {}, 'empty selector is invalid for deployment')
    ],
    'a selector of other pods': [workload({ selector: { matchLabels: { x: 'y' } } }), labels({ a: 'b' })],
    'labels that are none': [
      workload({ template: template({ a: 'b', 'c d': 'e' }) }),
      invalid('spec.template.labels', 'c d', `name part ${key}`)
    ],
    'pods that end': [
      workload({ template: template({ a: 'b' }, { restartPolicy: 'Never' }) }),
      choice('spec.template.spec.restartPolicy', 'Never', 'Always')
    ],
    'pods that must': [
      workload({ template: template({ a: 'b' }, { activeDeadlineSeconds: 5 }) }),
      'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported'
    ],
    'fewer than none': [workload({ replicas: -1 }), invalid('spec.replicas', -1, negative)],
    'a deadline before it is ready': [
      workload({ progressDeadlineSeconds: 5, minReadySeconds: 5 }),
      invalid('spec.progressDeadlineSeconds', 5, 'must be greater than minReadySeconds')
    ],
    'all at once, in steps': [
      roll({ type: 'Recreate', rollingUpdate: {} }),
      `${rolling}: Forbidden: may not be specified when strategy \`type\` is 'Recreate'`
    ],
    'never getting on': [
      roll({ rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } }),
      invalid(`${rolling}.maxUnavailable`, '0%', 'may not be 0 when `maxSurge` is 0')
    ],
    'more than all': [
      roll({ rollingUpdate: { maxUnavailable: '101%' } }),
      invalid(`${rolling}.maxUnavailable`, '101%', 'must not be greater than 100%')
    ]
  })
  check(t, '/apis/apps/v1/namespaces/default/daemonsets', {
    'two on a node': [
      workload({ updateStrategy: { rollingUpdate: { maxSurge: 1 } } }),
      invalid('spec.updateStrategy.rollingUpdate.maxSurge', 1, 'may not be set when maxUnavailable is non-zero')
    ]
  })
  check(t, '/apis/batch/v1/namespaces/default/jobs', {
    'a Job that never ends': [
      job({}, { restartPolicy: 'Always' }),
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    ],
    'numbers of how many': [
      job({ completionMode: 'Indexed', parallelism: 2 }),
      'spec.completions: Required value: when completion mode is Indexed'
    ],
    'an unknown mode': [
      job({ completionMode: 'Some' }),
      choice('spec.completionMode', 'Some', 'NonIndexed', 'Indexed')
    ],
    'less than nothing': [
      job({ parallelism: -1, backoffLimit: -1 }),
      invalid('spec.parallelism', -1, negative),
      invalid('spec.backoffLimit', -1, negative)
    ],
    'a selector of its own': [job({ manualSelector: true, selector, template: ending({ a: 'b' }) })],
    'of other pods': [job({ manualSelector: true, selector }), labels({})],
    'but none': [job({ manualSelector: true }), 'spec.selector: Required value', labels({})]
  })
})
