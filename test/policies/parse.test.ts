import * as fc from 'fast-check'
import t from 'tap'
import { parseDuration, parseInteger } from '../../policies/parse.ts'
import { amountOf, milliValue, parseQuantity, value } from '../../policies/quantity.ts'
import { type PodLike, requestsOf } from '../../policies/requests.ts'

/** What k8s.io/apimachinery 0.36.3 answers: text, MilliValue, Value. */
const quantities: readonly (readonly [string, number, number])[] = [
  ['0', 0, 0],
  ['1', 1000, 1],
  ['1.5', 1500, 2],
  ['100m', 100, 1],
  ['0.1m', 1, 1],
  ['1n', 1, 1],
  ['1u', 1, 1],
  ['1500u', 2, 1],
  ['1k', 1000000, 1000],
  ['1M', 1000000000, 1000000],
  ['1G', 1000000000000, 1000000000],
  ['1T', 1000000000000000, 1000000000000],
  ['1Ki', 1024000, 1024],
  ['1.5Ki', 1536000, 1536],
  ['.5Ki', 512000, 512],
  ['1Mi', 1048576000, 1048576],
  ['1.1Gi', 1181116006400, 1181116007],
  ['1Ti', 1099511627776000, 1099511627776],
  ['1e3', 1000000, 1000],
  ['1E3', 1000000, 1000],
  ['1e-3', 1, 1],
  ['1e+3', 1000000, 1000],
  ['1E-9', 1, 1],
  ['1e-10', 1, 1],
  ['1e-30', 1, 1],
  ['-1', -1000, -1],
  ['-1.5', -1500, -2],
  ['-1m', -1, -1],
  ['-0.5m', -1, -1],
  ['-.5Ki', -512000, -512],
  ['+1', 1000, 1],
  ['+', 0, 0],
  ['-', 0, 0],
  ['.', 0, 0],
  ['-.', 0, 0],
  ['.5', 500, 1],
  ['5.', 5000, 5],
  ['5.Gi', 5368709120000, 5368709120],
  ['k', 0, 0],
  ['Ki', 0, 0],
  ['.Ki', 0, 0],
  ['m', 0, 0],
  ['e3', 0, 0],
  ['E', 0, 0],
  ['00001', 1000, 1],
  ['0001.5000', 1500, 2],
  ['000', 0, 0],
  ['0.0000000001', 1, 1],
  ['1.0000000001', 1001, 2],
  ['0.9999999999', 1000, 1],
  ['0e100', 0, 0],
  ['0.5e1', 5000, 5],
  ['1.25e1', 12500, 13],
  ['0Ki', 0, 0],
  ['0m', 0, 0],
  ['1e03', 1000000, 1000],
  ['1E+3', 1000000, 1000],
  ['3.999999999999999999999Gi', 4294967296000, 4294967296],
  ['0.000000000000000001Ki', 1, 1]
]
/** What it refuses. */
const malformed = [
  'e',
  '1e',
  '1Ee',
  '1ee3',
  '1m3',
  '1i',
  '1K',
  '1ki',
  '1mi',
  '1 ',
  ' 1',
  '1.2.3',
  '1..2',
  '0x10',
  '1_000',
  '٣',
  'NaN',
  'Infinity',
  '',
  '1.5e',
  '1e+',
  '1e-',
  '1-1',
  '1m-1',
  '1+3',
  '1Ki3',
  '1e3e3',
  '1Gi1',
  '1e1.5'
]

t.test('reads quantities as upstream does', async t => {
  const read = quantities.map(([text]) => {
    const nanos = parseQuantity(text)
    return nanos === undefined ? [text] : [text, milliValue(nanos), value(nanos)]
  })
  t.strictSame(read, quantities)
  t.strictSame(
    malformed.filter(text => parseQuantity(text) !== undefined),
    []
  )
})

t.test('cuts down what is too large instead of wrapping around', async t => {
  for (const text of ['8Ei', '10E', '1e100', '1e2147483647', '1e9000000000000000000', '9'.repeat(4000)]) {
    t.equal(value(parseQuantity(text) ?? 0n), 2 ** 63, text.slice(0, 20))
  }
  t.equal(parseQuantity('1e-9000000000000000000'), 1n)
  t.equal(parseQuantity(`0.${'0'.repeat(4000)}1`), 1n)
  t.equal(parseQuantity('1'.repeat(5000)), undefined)
  t.equal(parseQuantity('1e99999999999999999999'), undefined)
})

t.test('reads amounts as JSON carries them', async t => {
  t.equal(amountOf('cpu', '1500m'), 1500)
  t.equal(amountOf('cpu', 2), 2000)
  t.equal(amountOf('memory', '1500m'), 2)
  for (const hostile of [undefined, null, {}, [], true, Number.NaN, 'x']) t.equal(amountOf('cpu', hostile), undefined)
})

const container = (cpu: unknown, more: object = {}) => ({ name: 'c', resources: { requests: { cpu } }, ...more })
const sidecar = (cpu: unknown) => container(cpu, { name: 's', restartPolicy: 'Always' })
const status = (cpu: string, allocated?: string) => ({
  name: 'c',
  resources: { requests: { cpu } },
  ...(allocated ? { allocatedResources: { cpu: allocated } } : {})
})
const resized = (spec: object, more: object = {}): PodLike => ({
  spec: { nodeName: 'n', containers: [container('1')], ...spec },
  status: { containerStatuses: [status('2', '3')], ...more }
})

const pods: Record<string, { readonly pod: PodLike; readonly want: object }> = {
  'nothing asked for': { pod: {}, want: {} },
  'a limit without a request': {
    pod: { spec: { containers: [{ resources: { limits: { cpu: '1' } } } as object] } },
    want: {}
  },
  'containers add up': { pod: { spec: { containers: [container('1'), container('250m')] } }, want: { cpu: 1250 } },
  'sums are rounded once': { pod: { spec: { containers: [container('500u'), container('500u')] } }, want: { cpu: 1 } },
  'zero is left out': { pod: { spec: { containers: [container('0')] } }, want: {} },
  'a negative amount is left out': { pod: { spec: { containers: [container('-1')] } }, want: {} },
  'the largest init container counts': {
    pod: { spec: { containers: [container('1')], initContainers: [container('2'), container('3')] } },
    want: { cpu: 3000 }
  },
  'an init container below the containers does not': {
    pod: { spec: { containers: [container('1'), container('1')], initContainers: [container('1')] } },
    want: { cpu: 2000 }
  },
  'a sidecar adds to the containers': {
    pod: { spec: { containers: [container('1')], initContainers: [sidecar('2')] } },
    want: { cpu: 3000 }
  },
  'an init container runs with the sidecars before it': {
    pod: { spec: { containers: [container('1')], initContainers: [sidecar('1'), container('3'), sidecar('1')] } },
    want: { cpu: 4000 }
  },
  'overhead comes on top': {
    pod: { spec: { containers: [container('1')], overhead: { cpu: '100m', memory: '1Ki' } } },
    want: { cpu: 1100, memory: 1024 }
  },
  'pod-level requests take the place of the containers': {
    pod: {
      spec: {
        containers: [container('1')],
        resources: { requests: { cpu: '5', 'example.com/x': '7' } },
        overhead: { cpu: '1' }
      }
    },
    want: { cpu: 6000 }
  },
  'extended and other resources, as the scheduler knows them': {
    pod: {
      spec: {
        containers: [
          {
            resources: {
              requests: {
                'z/gpu': '2',
                'a/gpu': 1,
                'hugepages-2Mi': '4Mi',
                'ephemeral-storage': '1k',
                storage: '1',
                'requests.x/y': '1',
                pods: '9'
              }
            }
          }
        ]
      }
    },
    want: { 'ephemeral-storage': 1000, 'a/gpu': 1, 'hugepages-2Mi': 4194304, 'z/gpu': 2 }
  },
  'a resize that is on its way counts as the largest': { pod: resized({}), want: { cpu: 3000 } },
  'a resize to less counts until it is done': { pod: resized({ containers: [container('1')] }), want: { cpu: 3000 } },
  'an infeasible resize does not count': {
    pod: resized(
      { containers: [container('9')] },
      { conditions: [{ type: 'PodResizePending', reason: 'Infeasible' }] }
    ),
    want: { cpu: 3000 }
  },
  'a deferred resize counts': {
    pod: resized({ containers: [container('9')] }, { conditions: [{ type: 'PodResizePending', reason: 'Deferred' }] }),
    want: { cpu: 9000 }
  },
  'a resize of the pod itself': {
    pod: resized(
      { resources: { requests: { cpu: '1' } } },
      { resources: { requests: { cpu: '4' } }, allocatedResources: { cpu: '2' } }
    ),
    want: { cpu: 4000 }
  },
  'without a node the status does not count': { pod: resized({ nodeName: '' }), want: { cpu: 1000 } }
}
for (const [name, { pod, want }] of Object.entries(pods)) {
  t.test(name, async t => t.strictSame([...requestsOf(pod)], Object.entries({ pods: 1, ...want })))
}

t.test('no pod is too odd to be read', async () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (a, b, c) => {
      const shapes = [{ spec: a, status: b }, { spec: { containers: a, initContainers: b, overhead: c } }]
      const more = [
        { spec: { containers: [a, container(b)], resources: { requests: c } } },
        { spec: { nodeName: a }, status: { conditions: b } }
      ]
      return [...shapes, ...more].every(each => requestsOf(each as PodLike).get('pods') === 1)
    }),
    { seed: 7, numRuns: 300 }
  )
})

t.test('no text is too odd to be read', async () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[0-9.+-]{0,9}[eEinumkKMGTPhsµ]{0,3}[0-9.+-]{0,5}$/)
  )
  fc.assert(
    fc.property(texts, text => {
      const nanos = parseQuantity(text)
      const duration = parseDuration(text)
      const integer = parseInteger(text)
      return (
        (nanos === undefined || (value(nanos) >= -(2 ** 63) && value(nanos) <= 2 ** 63)) &&
        (duration === undefined || Number.isFinite(duration)) &&
        (integer === undefined || (Number.isInteger(integer) && Math.abs(integer) <= 2 ** 31))
      )
    }),
    { seed: 7, numRuns: 2000 }
  )
})

t.test('integers are strict decimal', async t => {
  const want: Record<string, number | undefined> = {
    '0': 0,
    '-0': 0,
    '7': 7,
    '-7': -7,
    '007': 7,
    '2147483648': 2147483647,
    '-99999999999999999999': -2147483648
  }
  for (const text of ['９', '0x10', ' 1', '1 ', '1\n', '1e3', '+1', '', '-', '1.0', '--1', 'NaN', '١'])
    want[text] = undefined
  for (const [text, integer] of Object.entries(want)) t.equal(parseInteger(text), integer, JSON.stringify(text))
})

t.test('durations are those of Go', async t => {
  const want: Record<string, number | undefined> = {
    '90s': 90_000,
    '1h30m': 5_400_000,
    '1.5h': 5_400_000,
    '300ms': 300,
    '0': 0,
    '-1s': -1000,
    '+1s': 1000,
    '.5s': 500,
    '1.s': 1000,
    '1m1m': 120_000,
    '1500us': 1.5,
    '1µs': 0.001,
    '2562047h': 2562047 * 3_600_000
  }
  for (const text of [
    '',
    '1',
    's',
    '.s',
    '1 s',
    ' 1s',
    '1s ',
    '1d',
    '1e3s',
    '-',
    '1.2.3s',
    '１s',
    '2562048h',
    '9'.repeat(99) + 's'
  ]) {
    want[text] = undefined
  }
  for (const [text, duration] of Object.entries(want)) t.equal(parseDuration(text), duration, JSON.stringify(text))
})
