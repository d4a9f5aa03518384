import t, { type Test } from 'tap'
import { asked, causesOf } from './api-call.ts'
import { choice, invalid, key, negative, port } from './complaints.ts'
import { configMaps, type Loose } from './http-rig.ts'

const core = (plural: string) => `/api/v1/namespaces/default/${plural}`
const of = (group: string, plural: string) => `/apis/${group}/v1/namespaces/default/${plural}`
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

/** What is wrong with an object, field by field; nothing where it is made. */
type Cases = Record<string, [given: Loose, ...want: string[]]>

function check(t: Test, path: string, cases: Cases) {
  for (const [name, [given, ...want]] of Object.entries(cases)) {
    const answer = asked().post(path, { metadata: { name: 'x' }, ...given })
    t.strictSame(causesOf(answer), want, name)
    t.equal(answer.code, want.length === 0 ? 201 : 422, JSON.stringify(answer.body))
    if (want.length > 0) t.equal(answer.body.reason, 'Invalid')
  }
}

const elsewhere = (value: string) => invalid('involvedObject.namespace', value, 'does not match event.namespace')
const meta = (more: object) => ({ metadata: { name: 'x', ...more } })

t.test('metadata', async t => {
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }
  const owners = 'metadata.ownerReferences'
  check(t, configMaps, {
    'a name in upper case': [meta({ name: 'A_B' }), invalid('metadata.name', 'A_B', subdomain)],
    'a name with dots': [meta({ name: 'a.b' })],
    'a name that is too long': [
      meta({ name: 'a'.repeat(254) }),
      invalid('metadata.name', 'a'.repeat(254), 'must be no more than 253 characters')
    ],
    'a key with a space': [meta({ labels: { 'a b': 'c' } }), invalid('metadata.labels', 'a b', `name part ${key}`)],
    'a value with a space': [
      meta({ labels: { a: 'c d' } }),
      invalid(
        'metadata.labels',
        'c d',
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
      )
    ],
    'a value that is too long': [
      meta({ labels: { a: 'x'.repeat(64) } }),
      invalid('metadata.labels', 'x'.repeat(64), 'must be no more than 63 bytes')
    ],
    'a key that is too long': [
      meta({ labels: { ['k'.repeat(64)]: '' } }),
      invalid('metadata.labels', 'k'.repeat(64), 'name part must be no more than 63 bytes')
    ],
    'a prefix that is no domain': [
      meta({ labels: { 'A_b/c': '' } }),
      invalid('metadata.labels', 'A_b/c', `prefix part ${subdomain}`)
    ],
    'two slashes': [
      meta({ labels: { 'a/b/c': '' } }),
      invalid(
        'metadata.labels',
        'a/b/c',
        `a valid label key ${key} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`
      )
    ],
    'no prefix': [meta({ labels: { '/a': '' } }), invalid('metadata.labels', '/a', 'prefix part must be non-empty')],
    'no name': [
      meta({ labels: { 'a/': '' } }),
      invalid('metadata.labels', 'a/', 'name part must be non-empty'),
      invalid('metadata.labels', 'a/', `name part ${key}`)
    ],
    'annotations may have any text': [meta({ annotations: { 'A.B/c': 'any text, of any length' } })],
    'an annotation with a space': [
      meta({ annotations: { 'a b': '' } }),
      invalid('metadata.annotations', 'a b', `name part ${key}`)
    ],
    'more than 256 KiB of them': [
      meta({ annotations: { a: 'x'.repeat(262_144) } }),
      'metadata.annotations: Too long: may not be more than 262144 bytes'
    ],
    'a finalizer of nobody': [
      meta({ finalizers: ['nope'] }),
      invalid('metadata.finalizers[0]', 'nope', 'name is neither a standard finalizer name nor is it fully qualified')
    ],
    'two ways to go': [
      meta({ finalizers: ['orphan', 'foregroundDeletion'] }),
      invalid(
        'metadata.finalizers',
        ['orphan', 'foregroundDeletion'],
        'finalizer orphan and foregroundDeletion cannot be both set'
      )
    ],
    'an owner without a uid': [
      meta({ ownerReferences: [{ ...owner, uid: '' }] }),
      invalid(`${owners}.uid`, '', 'must not be empty')
    ],
    'an owner of no version': [
      meta({ ownerReferences: [{ ...owner, apiVersion: 'a/b/c' }] }),
      invalid(`${owners}.apiVersion`, 'a/b/c', 'version must not be empty')
    ],
    'an Event owns nothing': [
      meta({ ownerReferences: [{ ...owner, kind: 'Event' }] }),
      invalid(owners, { ...owner, kind: 'Event' }, '/v1, Kind=Event is disallowed from being an owner')
    ],
    'two controllers': [
      meta({ ownerReferences: ['u', 'v'].map(uid => ({ ...owner, uid, controller: true })) }),
      invalid(
        owners,
        ['u', 'v'].map(uid => ({ ...owner, uid, controller: true })),
        'Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/p'
      )
    ]
  })
  check(t, '/api/v1/namespaces', {
    'no dots in a namespace': [meta({ name: 'a.b' }), invalid('metadata.name', 'a.b', 'must not contain dots')]
  })
})

t.test('data', async t => {
  const rule =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
  check(t, configMaps, {
    'a key that is no name of a file': [{ data: { 'a b': '' } }, invalid('data[a b]', 'a b', rule)],
    'a key that goes up': [{ data: { '..': '' } }, invalid('data[..]', '..', "must not be '..'")],
    'a key twice': [
      { data: { a: '' }, binaryData: { a: 'eA==' } },
      invalid('data[a]', 'a', 'duplicate of key present in binaryData')
    ],
    'a megabyte is all': [{ data: { a: 'x'.repeat(1024 * 1024) } }],
    'more than that': [{ data: { a: 'x'.repeat(1024 * 1024 + 1) } }, '[]: Too long: may not be more than 1048576 bytes']
  })
  check(t, core('secrets'), {
    'a key of a Secret': [{ stringData: { 'a b': '' } }, invalid('data[a b]', 'a b', rule)],
    'a certificate': [{ type: 'kubernetes.io/tls' }, 'data[tls.crt]: Required value', 'data[tls.key]: Required value'],
    'a password alone': [{ type: 'kubernetes.io/basic-auth', stringData: { password: 'x' } }]
  })
  for (const [data, at] of Object.entries({ '%%%': 0, abc: 0, 'abcd=': 4 }))
    t.match(asked().post(core('secrets'), { metadata: { name: 'x' }, data: { a: data } }), {
      code: 400,
      body: { message: `Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte ${at}` }
    })
})

const spec = (more: object = {}) => ({ spec: { ports: [{ port: 80 }], ...more } })
const slice = (more: object) => ({ addressType: 'IPv4', endpoints: [], ...more })

t.test('services, and where they lead', async t => {
  const ip = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
  check(t, core('services'), {
    'no ports': [spec({ ports: [] }), 'spec.ports: Required value'],
    'none are needed without an address': [spec({ ports: [], clusterIP: 'None' })],
    'nor for another name': [{ spec: { type: 'ExternalName', externalName: 'example.com' } }],
    'which must be told': [{ spec: { type: 'ExternalName' } }, 'spec.externalName: Required value'],
    'ports without names': [
      spec({ ports: [{ port: 80 }, { port: 81 }] }),
      'spec.ports[0].name: Required value',
      'spec.ports[1].name: Required value'
    ],
    'the same name twice': [
      spec({ ports: [80, 81].map(port => ({ port, name: 'a' })) }),
      'spec.ports[1].name: Duplicate value: "a"'
    ],
    'the same port twice': [
      spec({ ports: ['a', 'b'].map(name => ({ port: 80, name })) }),
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'
    ],
    'no port': [
      spec({ ports: [{ port: 0 }] }),
      invalid('spec.ports[0].port', 0, port),
      invalid('spec.ports[0].targetPort', 0, port)
    ],
    'an unknown protocol': [
      spec({ ports: [{ port: 80, protocol: 'ABC' }] }),
      choice('spec.ports[0].protocol', 'ABC', 'SCTP', 'TCP', 'UDP')
    ],
    'a port of nodes that it has not': [
      spec({ ports: [{ port: 80, nodePort: 30001 }] }),
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
    ],
    'a port that nodes have not': [
      spec({ type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
      invalid(
        'spec.ports[0].nodePort',
        80,
        'provided port is not in the valid range. The range of valid ports is 30000-32767'
      )
    ],
    'an address that is none': [spec({ clusterIP: 'abc' }), invalid('spec.clusterIPs[0]', 'abc', ip)],
    'an unknown type': [
      spec({ type: 'X' }),
      choice('spec.type', 'X', 'ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort')
    ],
    'an unknown affinity': [spec({ sessionAffinity: 'X' }), choice('spec.sessionAffinity', 'X', 'ClientIP', 'None')],
    'a selector that is none': [spec({ selector: { 'a b': '' } }), invalid('spec.selector', 'a b', `name part ${key}`)]
  })
  check(t, of('discovery.k8s.io', 'endpointslices'), {
    'no type of addresses': [slice({ addressType: '' }), 'addressType: Required value'],
    'an unknown type of addresses': [
      slice({ addressType: 'IPv5' }),
      choice('addressType', 'IPv5', 'FQDN', 'IPv4', 'IPv6')
    ],
    'no address': [
      slice({ endpoints: [{ addresses: [] }] }),
      'endpoints[0].addresses: Required value: must contain at least 1 address'
    ],
    'what is no address': [
      slice({ endpoints: [{ addresses: ['abc'] }] }),
      invalid('endpoints[0].addresses[0]', 'abc', ip)
    ]
  })
})

const given = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { type: 'NodePort', ports: [{ port: 80 }], ...more }
})

t.test('node ports and addresses are of one service', async t => {
  const { post, put, patch } = asked()
  const services = core('services')
  const { clusterIP, ports } = post(services, given('a')).body.spec
  const [{ nodePort }] = ports
  t.ok(nodePort >= 30_000 && nodePort < 32_768)
  t.strictSame(put(`${services}/a`, given('a')).body.spec.ports, ports, 'it keeps its port')
  t.strictSame(causesOf(post(services, given('b', { clusterIP }))), [
    invalid('spec.clusterIPs', [clusterIP], `failed to allocate IP ${clusterIP}: provided IP is already allocated`)
  ])
  t.strictSame(causesOf(post(services, given('b', { ports: [{ port: 80, nodePort }] }))), [
    invalid('spec.ports[0].nodePort', nodePort, 'provided port is already allocated')
  ])
  const inside = patch(`${services}/a`, { spec: { type: 'ClusterIP' } }).body.spec
  t.strictSame(
    [inside.ports, inside.externalTrafficPolicy],
    [[{ port: 80, targetPort: 80, protocol: 'TCP' }], undefined]
  )
  const named = patch(`${services}/a`, { spec: { type: 'ExternalName', externalName: 'example.com' } }).body.spec
  t.strictSame([named.clusterIP, named.clusterIPs, named.ipFamilies], [undefined, undefined, undefined])
  t.match(patch(`${services}/a`, { spec: { type: 'ClusterIP', externalName: null } }).body.spec, { clusterIP: String })
})

const taint = (...taints: object[]) => ({ spec: { taints } })
const budget = (more: object) => ({ spec: { selector: {}, ...more } })
const about = (namespace?: string) => ({ involvedObject: { kind: 'Pod', namespace, name: 'p' } })

t.test('nodes, leases, budgets, classes, events', async t => {
  const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
  check(t, '/api/v1/nodes', {
    'a taint without an effect': [taint({ key: 'a' }), 'metadata.taints[0].effect: Required value'],
    'a taint of an unknown effect': [
      taint({ key: 'a', effect: 'No' }),
      choice('metadata.taints[0].effect', 'No', ...effects)
    ],
    'a taint of no key': [
      taint({ key: 'a b', effect: 'NoSchedule' }),
      invalid('metadata.taints[0].key', 'a b', `name part ${key}`)
    ],
    'a taint twice': [
      taint(...['x', 'y'].map(value => ({ key: 'a', value, effect: 'NoSchedule' }))),
      'metadata.taints[1]: Duplicate value: {"key":"a","value":"y","effect":"NoSchedule"}: taints must be unique by key and effect pair'
    ],
    'two effects of a key': [taint({ key: 'a', effect: 'NoSchedule' }, { key: 'a', effect: 'NoExecute' })],
    'less than nothing': [
      { status: { capacity: { cpu: '-1' }, allocatable: { cpu: '0' } } },
      invalid('status.capacity.cpu', '-1', negative)
    ]
  })
  check(t, of('coordination.k8s.io', 'leases'), {
    'a lease for no time': [
      { spec: { leaseDurationSeconds: 0 } },
      invalid('spec.leaseDurationSeconds', 0, 'must be greater than 0')
    ],
    'fewer than no transitions': [{ spec: { leaseTransitions: -1 } }, invalid('spec.leaseTransitions', -1, negative)]
  })
  const percent =
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
  const one = (operator: string, ...values: string[]) =>
    budget({ selector: { matchExpressions: [{ key: 'a', operator, values }] } })
  const expression = 'spec.selector.matchExpressions[0]'
  check(t, of('policy', 'poddisruptionbudgets'), {
    'a number or a part': [budget({ minAvailable: '50%' })],
    'neither is all': [budget({})],
    'not both': [
      budget({ minAvailable: 1, maxUnavailable: 1 }),
      invalid(
        'spec',
        { selector: {}, minAvailable: 1, maxUnavailable: 1 },
        'minAvailable and maxUnavailable cannot be both set'
      )
    ],
    'half of what': [budget({ minAvailable: 'half' }), invalid('spec.minAvailable', 'half', percent)],
    'more than all': [
      budget({ maxUnavailable: '110%' }),
      invalid('spec.maxUnavailable', '110%', 'must not be greater than 100%')
    ],
    'less than none': [budget({ minAvailable: -1 }), invalid('spec.minAvailable', -1, negative)],
    'an unknown policy': [
      budget({ unhealthyPodEvictionPolicy: 'X' }),
      choice('spec.unhealthyPodEvictionPolicy', 'X', 'AlwaysAllow', 'IfHealthyBudget')
    ],
    'an unknown operator': [
      one('Near', 'x'),
      invalid(`${expression}.operator`, 'Near', 'not a valid selector operator')
    ],
    'one of none': [
      one('In'),
      `${expression}.values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`
    ],
    'there, and one of some': [
      one('Exists', 'x'),
      `${expression}.values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`
    ]
  })
  const system = "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: "
  check(t, '/apis/scheduling.k8s.io/v1/priorityclasses', {
    'more than users may have': [
      { value: 1_000_000_001 },
      'value: Forbidden: maximum allowed value of a user defined priority is 1000000000'
    ],
    'less than nothing is fine': [{ value: -5 }],
    'a name of the system': [
      { metadata: { name: 'system-x' }, value: 5 },
      `metadata.name: ${system}system-x is not a known system priority class`
    ],
    'an unknown policy': [
      { value: 5, preemptionPolicy: 'Maybe' },
      choice('preemptionPolicy', 'Maybe', 'PreemptLowerPriority', 'Never')
    ]
  })
  check(t, core('events'), {
    'of what has no namespace': [about()],
    'of another namespace': [about('other'), elsewhere('other')],
    'at a time, of nobody': [
      { ...about('default'), eventTime: '2026-01-02T03:04:05.000000Z' },
      'reportingComponent: Required value',
      invalid('reportingComponent', '', 'name part must be non-empty'),
      invalid('reportingComponent', '', `name part ${key}`),
      'reportingInstance: Required value',
      'action: Required value',
      'reason: Required value'
    ]
  })
  check(t, of('events.k8s.io', 'events'), {
    'without a time': [{ regarding: about('default').involvedObject, type: 'Normal' }, 'eventTime: Required value']
  })
})
