import t from 'tap'
import type { LabelSelector } from '../../extender/embedded/kinds.ts'
import { selects } from '../../extender/embedded/selectors.ts'
import { asked } from './api-call.ts'
import { configMaps, type Loose, pod, pods } from './http-rig.ts'

const names = (body: Loose): string => body.items.map(({ metadata }: Loose) => metadata.name).join(' ')

t.test('label selectors, as queries spell them', async t => {
  const { post, get } = asked()
  const labels: Record<string, Record<string, string>> = {
    a: { app: 'web', tier: 'front', n: '5' },
    b: { app: 'web', tier: 'back', n: '10' },
    c: { app: 'db', n: '' },
    d: {},
    e: { app: '', n: 'x', f: '1.5', 'ex.io/k': 'v' },
    f: { app: 'in' }
  }
  for (const [name, own] of Object.entries(labels)) post(configMaps, { metadata: { name, labels: own } })
  const cases: Record<string, string> = {
    '': 'a b c d e f',
    ' ': 'a b c d e f',
    'app=web': 'a b',
    'app==web': 'a b',
    'app = web': 'a b',
    'app!=web': 'c d e f',
    app: 'a b c e f',
    '!app': 'd',
    '! app': 'd',
    'app=': 'e',
    'app!=': 'a b c d f',
    'app=,f': 'e',
    'app in (web,db)': 'a b c',
    'app in ( web )': 'a b',
    'app in (web,web)': 'a b',
    'app\tin\t(web)': 'a b',
    'app in ()': 'e',
    'app in (,)': 'e',
    'app in (web,)': 'a b e',
    'app notin (web,db)': 'd e f',
    'app notin ()': 'a b c d f',
    'app=in': 'f',
    'app in (in,notin)': 'f',
    in: '',
    'tier=front,app=web': 'a',
    'app=web,app=db': '',
    '!app,tier': '',
    'n>5': 'b',
    'n<10': 'a',
    'n>4,n<6': 'a',
    'n > 05': 'b',
    'f>1': '',
    'ex.io/k=v': 'e',
    'ex.io/k': 'e'
  }
  for (const [selector, want] of Object.entries(cases)) {
    const { code, body } = get(`${configMaps}?labelSelector=${encodeURIComponent(selector)}`)
    t.strictSame([code, code === 200 && names(body)], [200, want], `"${selector}"`)
  }
})

t.test('label selectors that are none', async t => {
  const { get } = asked()
  const cases: Record<string, RegExp> = {
    ',': /found ',', expected: /,
    ',app': /found ',', expected: /,
    'app,': /found '', expected: identifier after ','/,
    'app=web,,tier': /found ','/,
    'app web': /found 'web', expected: in, notin, =, ==, !=, gt, lt/,
    'app=a b': /found 'b', expected: ',' or 'end of string'/,
    'app in web': /found 'web',? expected: '\('/,
    'app in (web': /found '', expected: ',' or '\)'/,
    'app in (a b)': /found 'b', expected: ',' or '\)'/,
    'app=web)': /found '\)'/,
    'app notin': /found '',? expected: '\('/,
    'app gt 5': /found 'gt'/,
    'app===web': /found '='/,
    'app=!web': /found '!'/,
    'app=web=db': /found '='/,
    '=web': /found '='/,
    '!': /found ''/,
    '!app=web': /found '='/,
    '(app)': /found '\('/,
    '-app': /Invalid value: "-app"/,
    '$=app': /Invalid value: "\$"/,
    'x/y/z=a': /Invalid value: "x\/y\/z"/,
    '/x=a': /Invalid value: "\/x"/,
    'a/=b': /Invalid value: "a\/"/,
    'app=$': /Invalid value: "\$"/,
    'app=-x': /Invalid value: "-x"/,
    [`app in (${'x'.repeat(64)})`]: /Invalid value: "x+"/,
    'n>x': /for 'Gt', 'Lt' operators, the value must be an integer/,
    'n>1.5': /for 'Gt', 'Lt' operators, the value must be an integer/,
    'n>': /for 'Gt', 'Lt' operators, the value must be an integer/,
    'n>-1': /Invalid value: "-1"/
  }
  for (const [selector, message] of Object.entries(cases))
    t.match(
      get(`${configMaps}?labelSelector=${encodeURIComponent(selector)}`),
      { code: 400, body: { reason: 'BadRequest', message } },
      `"${selector}"`
    )
})

const one = (operator: string, ...values: string[]) => ({ matchExpressions: [{ key: 'app', operator, values }] })
const other = (operator: string, ...values: string[]) => ({ matchExpressions: [{ key: 'no', operator, values }] })

t.test('label selectors, as objects hold them', async t => {
  const labels = { app: 'web', n: '5' }
  const cases: Record<string, [selector: LabelSelector | undefined, want: boolean]> = {
    'none selects nothing': [undefined, false],
    'an empty one selects everything': [{}, true],
    'a label that is there': [{ matchLabels: { app: 'web' } }, true],
    'a label that is another': [{ matchLabels: { app: 'db' } }, false],
    'all of them': [{ matchLabels: { app: 'web', n: '6' } }, false],
    'one of some': [one('In', 'db', 'web'), true],
    'none of some': [one('NotIn', 'db'), true],
    'none of some, and it is one': [one('NotIn', 'db', 'web'), false],
    'there at all': [one('Exists'), true],
    'not there': [one('DoesNotExist'), false],
    'what is missing is none of some': [other('NotIn', 'a'), true],
    'what is missing is not one of some': [other('In', 'a'), false],
    'both parts': [{ matchLabels: { n: '5' }, ...one('In', 'db') }, false],
    'an operator that nobody knows': [one('Near', 'web'), false],
    'a key of every object': [{ matchLabels: { toString: 'x' } }, false]
  }
  for (const [name, [selector, want]] of Object.entries(cases)) t.equal(selects(selector, labels), want, name)
})

const fieldCases: Record<string, Record<string, string>> = {
  [pods]: {
    '': 'p1 p2 p3',
    'metadata.name=p1': 'p1',
    'metadata.name==p1': 'p1',
    'metadata.name!=p1': 'p2 p3',
    'metadata.namespace=default': 'p1 p2 p3',
    'metadata.namespace=other': '',
    'spec.nodeName=n1': 'p1',
    'spec.nodeName=': 'p2 p3',
    'spec.nodeName!=': 'p1',
    'spec.restartPolicy=Never': 'p2',
    'spec.schedulerName=other': 'p2',
    'spec.serviceAccountName=me': 'p2',
    'spec.hostNetwork=true': 'p3',
    'spec.hostNetwork=false': 'p1 p2',
    'status.phase=Pending': 'p1 p2 p3',
    'status.phase!=Pending': '',
    'status.phase=Pending,status.phase=Running': '',
    'status.podIP=': 'p1 p2 p3',
    'status.nominatedNodeName=': 'p1 p2 p3',
    'spec.nodeName=n1,metadata.name=p1': 'p1',
    'spec.nodeName=n1,metadata.name=p2': '',
    'metadata.name=p1,': 'p1',
    ',': 'p1 p2 p3',
    'metadata.name=a\\,b': '',
    'metadata.name!=a\\=b\\\\': 'p1 p2 p3'
  },
  '/api/v1/nodes': {
    'spec.unschedulable=true': 'n1',
    'spec.unschedulable=false': 'n2',
    'metadata.name=n2': 'n2'
  },
  '/api/v1/namespaces/default/events': {
    'involvedObject.name=p1': 'e1',
    'involvedObject.kind=Pod,reason=Failed': 'e2',
    'type=Warning': 'e2',
    'source=kubelet': 'e1',
    'reportingComponent=': 'e1 e2'
  },
  '/apis/events.k8s.io/v1/namespaces/default/events': {
    'regarding.name=p1': 'e1',
    'reportingController=': 'e1 e2',
    'reason=Failed': 'e2'
  },
  '/api/v1/namespaces/default/secrets': { 'type=Opaque': 's', 'type!=Opaque': '' },
  '/api/v1/namespaces/default/services': { 'spec.type=ClusterIP': 'h', 'spec.clusterIP=None': 'h' },
  '/apis/batch/v1/namespaces/default/jobs': { 'status.successful=0': 'j', 'status.successful=1': '' },
  '/api/v1/namespaces': { 'status.phase=Active,metadata.name=default': 'default', 'status.phase=Terminating': '' }
}

const about = (name: string) => ({ kind: 'Pod', namespace: 'default', name })

t.test('field selectors', async t => {
  const { post, get } = asked()
  post('/api/v1/nodes', { metadata: { name: 'n1' }, spec: { unschedulable: true } })
  post('/api/v1/nodes', { metadata: { name: 'n2' } })
  post(pods, pod('p1', { nodeName: 'n1' }))
  post(pods, pod('p2', { restartPolicy: 'Never', schedulerName: 'other', serviceAccountName: 'me' }))
  post(pods, pod('p3', { hostNetwork: true }))
  const events = '/api/v1/namespaces/default/events'
  const source = { component: 'kubelet' }
  post(events, { metadata: { name: 'e1' }, involvedObject: about('p1'), type: 'Normal', reason: 'Pulled', source })
  post(events, { metadata: { name: 'e2' }, involvedObject: about('p2'), type: 'Warning', reason: 'Failed' })
  post('/api/v1/namespaces/default/secrets', { metadata: { name: 's' } })
  post('/api/v1/namespaces/default/services', { metadata: { name: 'h' }, spec: { clusterIP: 'None' } })
  post('/apis/batch/v1/namespaces/default/jobs', {
    metadata: { name: 'j' },
    spec: { template: { spec: { containers: [{ name: 'main', image: 'none' }], restartPolicy: 'Never' } } }
  })
  for (const [path, cases] of Object.entries(fieldCases))
    for (const [selector, want] of Object.entries(cases)) {
      const { code, body } = get(`${path}?fieldSelector=${encodeURIComponent(selector)}`)
      t.strictSame([code, code === 200 && names(body)], [200, want], `${path.split('/').at(-1)}: "${selector}"`)
    }
})

t.test('fields that cannot be selected by, and field selectors that are none', async t => {
  const { get } = asked()
  const unknown = /is not a known field selector: only "metadata.name", "metadata.namespace"/
  const cases: Record<string, [selector: string, message: RegExp][]> = {
    [pods]: [
      ['spec.unknown=x', /field label not supported: spec.unknown/],
      ['metadata.uid=x', /field label not supported: metadata.uid/],
      ['metadata.name', /invalid selector: 'metadata.name'; can't understand 'metadata.name'/],
      ['metadata.name in (p1)', /can't understand/],
      ['=x', /field label not supported: /],
      [' metadata.name = p1', /field label not supported: {2}metadata.name /],
      ['metadata.name=p1=p2', /invalid field selector/],
      ['metadata.name=a\\x', /invalid field selector/],
      ['metadata.name=a\\', /invalid field selector/]
    ],
    [configMaps]: [['data.x=1', unknown]],
    '/api/v1/namespaces': [['name=default', /field label not supported: name/]],
    '/api/v1/nodes': [
      ['metadata.namespace=', /field label not supported: metadata.namespace/],
      ['spec.podCIDR=x', /field label not supported/]
    ],
    '/apis/apps/v1/namespaces/default/replicasets': [['status.replicas=0', unknown]],
    '/apis/events.k8s.io/v1/namespaces/default/events': [['involvedObject.name=p1', /field label not supported/]]
  }
  for (const [path, refused] of Object.entries(cases))
    for (const [selector, message] of refused)
      t.match(
        get(`${path}?fieldSelector=${encodeURIComponent(selector)}`),
        { code: 400, body: { reason: 'BadRequest', message } },
        `${path.split('/').at(-1)}: "${selector}"`
      )
})
