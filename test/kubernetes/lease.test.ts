import t, { type Test } from 'tap'
import { Lease } from '../../extender/kubernetes/lease.ts'
import { fakeApiServer, type Received, type Reply } from './fake-api-server.ts'
import { parts } from './parts.ts'

const collection = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'
const ours = 'pod-1_0c5d6c5e-8f5f-4b0e-9d2f-6f1d2b3c4d5e'
const theirs = 'pod-2_7a1e0a52-4b1f-4a8c-8a77-0d9c8b7a6f5e'

type Spec = {
  readonly holder?: string
  readonly renewed?: number
  readonly transitions?: number
  readonly seconds?: number
}

function lease(version: number, { holder = ours, renewed = 0, transitions = 3, seconds = 15 }: Spec = {}): object {
  return {
    metadata: { namespace: 'kube-system', name: 'muster', uid: 'u', resourceVersion: String(version) },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: seconds,
      leaseTransitions: transitions,
      // The holder's clock is years ahead of ours, and means nothing.
      renewTime: new Date(Date.UTC(2031, 0, 1) + renewed * 1000).toISOString()
    }
  }
}

const isWatch = ({ query }: Received): boolean => query.get('watch') === 'true'

/** The Lease over a server that lists `first`, answers looks by `look`, and whose watch the test feeds. */
async function rig(t: Test, first: object | undefined, host = 'pod-1') {
  const said = { current: first, version: 10, silent: false }
  const watches: Reply[] = []
  const server = await fakeApiServer(t, (received, reply) => {
    if (said.silent) return
    if (isWatch(received)) return void watches.push(reply.watch())
    if (received.path !== collection) return said.current ? reply.json(200, said.current) : reply.status(404)
    reply.list(String(said.version), said.current ? [said.current] : [])
  })
  const given = parts(t, server.url)
  const followed = new Lease({ ...given, namespace: 'kube-system', name: 'muster', host })
  const told: (number | undefined)[] = []
  followed.onChange(() => {
    if (told.length === 0 || told.at(-1) !== followed.term()) told.push(followed.term())
  })
  followed.start()
  t.teardown(() => followed.stop())
  await given.clock.settled(() => followed.problem() === undefined && watches.length > 0)
  const show = async (type: string, object: object, until: () => boolean): Promise<void> => {
    watches.at(-1)?.event(type, object)
    await given.clock.settled(until)
  }
  const looks = () => server.requests.filter(({ path }) => path === `${collection}/muster`).length
  return { ...given, server, followed, told, said, watches, show, looks }
}

t.test('asks for one Lease alone, as a right to that name allows', async t => {
  const { server } = await rig(t, lease(9))
  for (const { path, query } of server.requests.slice(0, 2)) {
    t.equal(path, collection)
    t.equal(query.get('fieldSelector'), 'metadata.name=muster')
  }
  t.ok(
    server.requests.every(({ method }) => method === 'GET'),
    'and never writes'
  )
})

const holders: Record<string, { first: object | undefined; host?: string; want: number | undefined }> = {
  'ours, by the name of the host': { first: lease(9), want: 3 },
  'ours, by its whole identity': { first: lease(9), host: ours, want: 3 },
  'that of another host': { first: lease(9, { holder: theirs }), want: undefined },
  'that of a host whose name only begins alike': { first: lease(9, { holder: 'pod-10_0c5d' }), want: undefined },
  'a name without its uuid is not the host': { first: lease(9, { holder: 'pod_1' }), host: 'pod', want: 3 },
  'nobody, since it was released': { first: lease(9, { holder: '' }), want: undefined },
  'nobody, since it is not there': { first: undefined, want: undefined },
  'no Lease at all': { first: { metadata: { resourceVersion: '9' }, spec: 'nonsense' }, want: undefined }
}
for (const [name, { first, host, want }] of Object.entries(holders)) {
  t.test(`the holder is ${name}`, async t => {
    const { followed } = await rig(t, first, host)
    t.equal(followed.term(), want)
    t.equal(followed.problem(), undefined, 'who leads elsewhere is no problem')
  })
}

t.test('a change of hands counts when it shows, each way', async t => {
  const { followed, show, told } = await rig(t, lease(9, { holder: theirs }))
  await show('MODIFIED', lease(11, { renewed: 1, transitions: 4 }), () => followed.term() === 4)
  await show('MODIFIED', lease(12, { renewed: 1, transitions: 4, holder: '' }), () => followed.term() === undefined)
  await show('MODIFIED', lease(13, { renewed: 2, transitions: 5 }), () => followed.term() === 5)
  await show('DELETED', lease(14, { renewed: 2, transitions: 5 }), () => followed.term() === undefined)
  t.strictSame(told, [undefined, 4, undefined, 5, undefined])
})

t.test('what is not renewed for its duration is not held, by our clock alone', async t => {
  const { followed, clock, told } = await rig(t, lease(9, { seconds: 4 }))
  const seen = clock.now()
  clock.advance(3_999)
  t.equal(followed.term(), 3)
  clock.advance(1)
  t.equal(followed.term(), undefined)
  t.strictSame(told, [3, undefined], 'and whoever listens is told by time alone')
  t.equal(followed.until(), seen + 4_000)
})

t.test('each renewal that shows counts from then on; the same once more does not', async t => {
  const { followed, show, clock } = await rig(t, lease(9, { seconds: 4 }))
  const first = followed.until()
  clock.advance(1_000)
  await show('MODIFIED', lease(11, { seconds: 4, renewed: 1 }), () => followed.until() > first)
  t.equal(followed.until(), first + 1_000)
  clock.advance(500)
  await show('MODIFIED', lease(12, { seconds: 5, renewed: 1 }), () => followed.until() !== first + 1_000)
  t.equal(followed.until(), first + 2_000, 'a longer duration counts from the same renewal')
})

t.test('a watch that is dead without a sign: it asks before the time is up, and stays in office', async t => {
  const { followed, clock, said, looks, told } = await rig(t, lease(9, { seconds: 15 }))
  said.current = lease(20, { seconds: 15, renewed: 8 })
  clock.advance(10_000)
  await clock.settled(() => followed.until() > clock.now() + 14_000)
  t.equal(looks(), 1)
  t.strictSame(told, [3], 'nobody was told of an end')
})

t.test('a look takes what it finds, once for many who ask, and not at full speed', async t => {
  const { followed, clock, said, looks } = await rig(t, lease(9, { holder: theirs }))
  said.current = lease(20, { transitions: 4 })
  clock.advance(250)
  await Promise.all([followed.look(), followed.look(), followed.look()])
  t.equal(followed.term(), 4)
  await followed.look()
  t.equal(looks(), 1)
  clock.advance(250)
  said.current = undefined
  await followed.look()
  t.strictSame([looks(), followed.term()], [2, undefined], 'gone is gone')
})

t.test('what the watch tells late does not undo what a look has found', async t => {
  const { followed, clock, said, show } = await rig(t, lease(9, { holder: theirs }))
  said.current = lease(20, { transitions: 4 })
  clock.advance(250)
  await followed.look()
  await show('MODIFIED', lease(15, { holder: '', transitions: 3 }), () => true)
  await show('MODIFIED', lease(21, { transitions: 4, renewed: 5 }), () => followed.until() > clock.now() + 14_900)
  t.equal(followed.term(), 4)
})

t.test('an API server that says nothing any more: not held, and after 30 s a problem', async t => {
  const { followed, clock, said } = await rig(t, lease(9))
  said.silent = true
  clock.advance(15_000)
  t.equal(followed.term(), undefined)
  t.equal(followed.problem(), undefined)
  clock.advance(15_001)
  t.equal(followed.problem(), 'not heard of for 30 s')
  said.silent = false
  await clock.until(() => followed.problem() === undefined)
})
