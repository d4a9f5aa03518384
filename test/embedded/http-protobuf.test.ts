import t from 'tap'
import { fromProtobuf } from '../../extender/embedded/api-server/protobuf/decode.ts'
import { messageNamed } from '../../extender/embedded/api-server/protobuf/messages.ts'
import { pods, rig } from './http-rig.ts'

type Value = string | number | Buffer

const varint = (value: bigint): number[] =>
  value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)]

/** A message out of pairs of number and value. */
function message(...fields: readonly (readonly [number, Value])[]): Buffer {
  const parts = fields.map(([number, value]) => {
    if (typeof value === 'number') return [...varint(BigInt(number << 3)), ...varint(BigInt.asUintN(64, BigInt(value)))]
    const bytes = Buffer.from(value)
    return [...varint(BigInt((number << 3) | 2)), ...varint(BigInt(bytes.length)), ...bytes]
  })
  return Buffer.from(parts.flat())
}

const object = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  Buffer.concat([Buffer.from('k8s\0'), message([1, message([1, apiVersion], [2, kind])], [2, raw])])

const metadata = (name: string, ...more: readonly (readonly [number, Value])[]): readonly [number, Buffer] => [
  1,
  message([1, name], [2, ''], [3, 'default'], [8, message()], ...more)
]

t.test('what Go writes, as JSON', async t => {
  const pair = (key: string, value: string | Buffer) => message([1, key], [2, value])
  const quantity = message([1, '500m'])
  const resources = message([1, pair('cpu', quantity)], [2, pair('cpu', quantity)])
  const port = message([1, 'http'], [2, 0], [3, 80], [4, 'TCP'])
  const probe = message([1, message([2, message([1, '/'], [2, message([1, 1], [3, 'http'])])])], [2, 0])
  const container = message([1, 'main'], [2, 'nginx'], [6, port], [8, resources], [10, probe], [5, ''])
  const volume = message([1, 'data'], [2, message([2, message([1, ''])])])
  const spec = message([1, volume], [2, container], [3, 'Always'], [4, 0], [21, 0], [11, 0], [7, pair('disk', 'ssd')])
  const labels: [number, Buffer][] = [
    [11, pair('a', 'b')],
    [11, pair('c', '')]
  ]
  const pod = object('v1', 'Pod', message(metadata('p', ...labels), [2, spec], [3, message()]))
  t.strictSame(fromProtobuf(pod), {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'p', namespace: 'default', labels: { a: 'b', c: '' } },
    spec: {
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [
        {
          name: 'main',
          image: 'nginx',
          ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }],
          resources: { limits: { cpu: '500m' }, requests: { cpu: '500m' } },
          livenessProbe: { httpGet: { path: '/', port: 'http' } }
        }
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      nodeSelector: { disk: 'ssd' }
    },
    status: {}
  })
})

t.test('times, numbers below zero, bytes, JSON within, lists that stand for themselves', async t => {
  const time = message([1, 1_700_000_000], [2, 123_456_789])
  const lease = message(metadata('l'), [2, message([1, 'me'], [3, time], [4, time])])
  t.match(fromProtobuf(object('coordination.k8s.io/v1', 'Lease', lease)), {
    spec: { holderIdentity: 'me', acquireTime: '2023-11-14T22:13:20.123456Z' }
  })
  const priority = message(metadata('low'), [2, -5], [3, 0])
  t.match(fromProtobuf(object('scheduling.k8s.io/v1', 'PriorityClass', priority)), { value: -5 })
  const secret = message(metadata('s'), [2, message([1, 'k'], [2, Buffer.from([0, 255])])])
  t.match(fromProtobuf(object('v1', 'Secret', secret)), { data: { k: 'AP8=' } })
  const revision = message(metadata('r'), [2, message([1, '{"spec":{"x":1}}'])], [3, 7])
  t.match(fromProtobuf(object('apps/v1', 'ControllerRevision', revision)), { data: { spec: { x: 1 } }, revision: 7 })
  const extra = message([1, 'scopes'], [2, message([1, 'a'], [1, 'b'])])
  const review = message([3, message([2, message([1, 'me'], [4, extra])])])
  t.match(fromProtobuf(object('authentication.k8s.io/v1', 'TokenReview', review)), {
    status: { user: { username: 'me', extra: { scopes: ['a', 'b'] } } }
  })
  t.strictSame(fromProtobuf(object('v1', 'DeleteOptions', message([1, 0], [4, 'Orphan']))), {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Orphan'
  })
})

t.test('every message that is referred to is there', async t => {
  const seen = new Set<string>()
  const visit = (name: string): void => {
    if (seen.has(name)) return
    seen.add(name)
    for (const { type } of messageNamed(name)?.values() ?? []) visit(type)
  }
  for (const kind of ['Pod', 'Node', 'Deployment', 'Job', 'Service', 'core.Event', 'ResourceSlice']) visit(kind)
  const scalars = ['string', 'bool', 'bytes', 'double', 'int', 'text', 'intstr', 'json', 'time', 'microtime']
  t.strictSame(
    [...seen].filter(name => messageNamed(name) === undefined && !scalars.includes(name)),
    []
  )
})

t.test('over HTTP: read, and refused where it is none', async t => {
  const { ask } = await rig(t)
  const type = 'application/vnd.kubernetes.protobuf'
  const container = message([1, 'main'], [2, 'nginx'])
  const good = object('v1', 'Pod', message(metadata('p'), [2, message([2, container])]))
  const send = (bytes: Buffer) => ask('POST', pods, bytes, { type })
  t.match(await send(good), { status: 201, body: { metadata: { name: 'p' } } })
  t.match(await send(Buffer.from('nonsense')), { status: 400, body: { reason: 'BadRequest', message: /no protobuf/ } })
  t.match(await send(Buffer.alloc(0)), { status: 400 })
  for (let cut = 5; cut < good.length; cut += 3) {
    const { status } = await send(good.subarray(0, cut))
    t.ok([400, 409, 415, 422].includes(status), `cut after ${cut} bytes: ${status}`)
  }
  t.match(await send(object('v9', 'Thing', message())), { status: 415, body: { message: /Thing of v9/ } })
})
