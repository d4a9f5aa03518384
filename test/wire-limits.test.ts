import { once } from 'node:events'
import { type ClientHttp2Session, connect as http2Connect, constants, type ServerHttp2Stream } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as tlsConnect } from 'node:tls'
import t, { type Test } from 'tap'
import { refusals } from '../policies/names.ts'
import { argsBody, bindBody, podJson } from './verbs/bodies.ts'
import { type Client, http1, http2, pki, type Wire, wire } from './wire.ts'

const authority = pki()
const MiB = 1024 ** 2

/** Plain, and where openssl is there over TLS. */
const kinds = authority ? [undefined, authority] : [undefined]
const kindOf = (authority: object | undefined): string => (authority ? 'TLS' : 'plain')

function dial({ port, identity, url }: Wire): Socket {
  const to = { host: '127.0.0.1', port }
  const socket = url.startsWith('https') ? tlsConnect({ ...to, ...identity }) : connect(to)
  return socket.on('error', () => {})
}

/** All that comes until the server closes, and how long that took. */
async function untilClosed(socket: Socket, longest = 6_000) {
  const from = performance.now()
  let text = ''
  socket.on('data', chunk => (text += chunk))
  const end = new Promise<true>(resolve => void socket.once('close', () => resolve(true)))
  const closed = await Promise.race([end, wait(longest, false, { ref: false })])
  socket.destroy()
  return { text, closed, ms: performance.now() - from }
}

const head = (path: string, length: number | string): string =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`

for (const authority of kinds) {
  t.test(`slow clients of HTTP/1.1 are cut, ${kindOf(authority)}`, async t => {
    const server = await wire(t, { authority })
    const slow = {
      'nothing at all': [''],
      'half a header': ['POST /filter HTTP/1.1\r\nho'],
      'half a body': [head('/bind', 1000), '{']
    }
    const sockets = Object.entries(slow).map(async ([name, parts]) => {
      const socket = dial(server)
      for (const part of parts) socket.write(part)
      const drip = setInterval(
        () => socket.write(name === 'nothing at all' ? '' : name === 'half a body' ? ' ' : 'x'),
        100
      )
      const { text, closed, ms } = await untilClosed(socket)
      clearInterval(drip)
      t.ok(closed && ms < 4_000, `${name}: after ${Math.round(ms)} ms`)
      t.match(text, /^HTTP\/1.1 408 /, name)
    })
    if (authority) {
      const { closed, ms } = await untilClosed(connect(server.port, '127.0.0.1'), 8_000)
      t.ok(closed && ms < 7_000, `no handshake: after ${Math.round(ms)} ms`)
    }
    const waiting = Promise.withResolvers<string>()
    server.verbs.gangs.onBind = () => waiting.promise
    const bound = http1(t, server).call('/bind', bindBody())
    await Promise.all(sockets)
    waiting.resolve('')
    t.match(await bound, { status: 200 }, 'a bind that waits is no slow client')
  })

  t.test(`headers beyond 8 KiB are refused, ${kindOf(authority)}`, async t => {
    const server = await wire(t, { authority })
    const socket = dial(server)
    socket.write(`GET /livez HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(9_000)}\r\n\r\n`)
    t.match(await untilClosed(socket), { closed: true, text: /^HTTP\/1.1 431 / })
    if (!authority) return
    const { call } = await http2(t, server)
    await call('/livez')
    await t.rejects(call('/livez', undefined, { x: 'y'.repeat(9_000) }))
    t.match(await (await http2(t, server)).call('/livez'), { status: 200 })
  })

  t.test(`100 MB are refused at once and never kept, ${kindOf(authority)}`, async t => {
    const server = await wire(t, { authority })
    const declared = dial(server)
    declared.write(head('/filter', 100 * MiB))
    declared.write('{'.repeat(1_000))
    t.match(await untilClosed(declared), { closed: true, text: /^HTTP\/1.1 413 [^]*larger than 4194304 bytes/ })

    const chunk = Buffer.alloc(64 * 1024, ' ')
    const socket = dial(server)
    const [before, from] = [process.memoryUsage().rss, { peak: 0, sent: 0 }]
    const closed = untilClosed(socket, 20_000)
    socket.write(
      'POST /preempt HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
    )
    while (!socket.destroyed && from.sent < 100 * MiB) {
      socket.write('10000\r\n')
      const flows = socket.write(chunk) && socket.write('\r\n')
      from.sent += chunk.length
      from.peak = Math.max(from.peak, process.memoryUsage().rss - before)
      if (!flows) await Promise.race([once(socket, 'drain').catch(() => {}), once(socket, 'close').catch(() => {})])
      else await wait(0)
    }
    socket.end()
    t.match(await closed, { closed: true })
    t.ok(from.sent < 100 * MiB, `cut after ${Math.round(from.sent / MiB)} MiB`)
    t.ok(from.peak < 64 * MiB, `${Math.round(from.peak / MiB)} MiB more`)
    t.match(await http1(t, server).call('/livez'), { status: 200 })
  })
}

/** So many binds that wait, each from a caller of its own. */
async function barrier(t: Test, server: Wire, client: Client, count: number) {
  const opened = Promise.withResolvers<string>()
  const full = Promise.withResolvers<void>()
  const { gangs } = server.verbs
  gangs.onBind = () => {
    if (gangs.binds.length === count) full.resolve()
    return opened.promise
  }
  const answers = Array.from({ length: count }, (_, index) => client.call('/bind', bindBody({ PodUID: `u${index}` })))
  await full.promise
  t.match(await client.call('/filter', argsBody(['a'])), { status: 200 }, 'filter is answered meanwhile')
  opened.resolve('')
  t.ok((await Promise.all(answers)).every(({ status, text }) => status === 200 && text === '{"Error":""}'))
}

t.test('600 binds wait at a time on as many connections of HTTP/1.1', async t => {
  const server = await wire(t)
  await barrier(t, server, http1(t, server), 600)
  t.ok(server.taken() > 600, `${server.taken()} connections`)
})

t.test('at the cap of connections new ones are refused, and what waits is answered', async t => {
  const server = await wire(t)
  t.equal(server.server.maxConnections, 4096)
  server.server.maxConnections = 3
  const opened = Promise.withResolvers<string>()
  server.verbs.gangs.onBind = () => opened.promise
  const client = http1(t, server)
  const answers = ['a', 'b', 'c'].map(PodUID => client.call('/bind', bindBody({ PodUID })))
  while (server.verbs.gangs.binds.length < 3) await wait(5)
  for (let count = 0; count < 5; count++) await t.rejects(http1(t, server).call('/livez'))
  opened.resolve('')
  for (const answer of answers) t.match(await answer, { status: 200 })
  t.strictSame(
    server.lines.filter(({ level }) => level === 40).map(({ msg }) => msg),
    ['the extender has 3 connections and refuses more'],
    'said once'
  )
})

t.test('10,000 gangs leave no series behind, and not much else', async t => {
  const server = await wire(t)
  server.verbs.gangs.next = { kind: 'waiting' }
  const client = http1(t, server, 4)
  const ask = (name: string) => {
    const annotations = { 'muster.dev/gang': name, 'pod-group': name }
    const metadata = { ...podJson.metadata, name, uid: name, namespace: name, annotations }
    return client.call('/filter', argsBody(['a'], { ...podJson, metadata }))
  }
  t.ok((await ask('first')).text.includes(refusals.waiting))
  await client.call('/nonsense', '{}')
  const series = async () => (await server.registry.metrics()).split('\n').length
  const before = await series()
  for (let index = 0; index < 10_000; index += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, each) => ask(`gang-${index + each}`)))
    server.verbs.gangs.asked.length = 0
  }
  for (let index = 0; index < 100; index++) await client.call(`/verb-${index}`, '{}')
  t.equal(await series(), before)
})

if (authority) {
  t.test('600 binds wait at a time on one connection of HTTP/2', async t => {
    const server = await wire(t, { authority })
    await barrier(t, server, await http2(t, server), 600)
    t.equal(server.taken(), 1)
    const { session, call } = await http2(t, server)
    await call('/livez')
    t.equal(session!.remoteSettings.maxConcurrentStreams, 1024)
  })

  t.test('a body that stalls over HTTP/2 is not waited for; its connection is', async t => {
    const server = await wire(t, { authority })
    const { session, call } = await http2(t, server)
    const from = performance.now()
    const theirs = new Promise<ServerHttp2Stream>(resolve => void server.server.once('stream', resolve))
    const stream = post(session!, '/filter', { 'content-length': '1000' })
    stream.write('{"Pod":')
    const drip = setInterval(() => stream.write(' '), 100)
    const [answer] = await once(stream, 'response')
    clearInterval(drip)
    t.equal(answer[':status'], 408)
    t.ok(performance.now() - from < 4_000)
    let text = ''
    stream.on('data', chunk => (text += chunk))
    await once(stream, 'end')
    t.strictSame(JSON.parse(text), { error: 'the body did not arrive within 2s' })
    const its = await theirs
    if (!its.closed) await once(its, 'close')
    t.match(await call('/livez'), { status: 200 })
    t.strictSame(
      server.lines.filter(({ level }) => level > 30),
      []
    )
  })

  t.test('100 MB over HTTP/2 are refused at once and never kept', async t => {
    const server = await wire(t, { authority })
    const { session, call } = await http2(t, server)
    for (const declared of [{ 'content-length': String(100 * MiB) }, {}]) {
      const stream = post(session!, '/filter', declared)
      stream.on('error', () => {})
      const before = process.memoryUsage().rss
      const chunk = Buffer.alloc(64 * 1024, ' ')
      let [sent, peak] = [0, 0]
      const answer = { status: 0 }
      const answered = once(stream, 'response').then(([found]) => (answer.status = found[':status']))
      while (answer.status === 0 && sent < 100 * MiB) {
        const flows = stream.write(chunk)
        sent += chunk.length
        peak = Math.max(peak, process.memoryUsage().rss - before)
        if (flows) await wait(0)
        else await Promise.race([once(stream, 'drain').catch(() => {}), answered])
      }
      t.equal(await answered, 413)
      t.ok(sent < 20 * MiB, `cut after ${Math.round(sent / MiB)} MiB`)
      t.ok(peak < 64 * MiB, `${Math.round(peak / MiB)} MiB more`)
    }
    t.match(await call('/livez'), { status: 200 }, 'on the same connection')
  })

  t.test('floods of pings, resets and empty streams hurt only who sends them', async t => {
    const server = await wire(t, { authority })
    const other = await http2(t, server)
    const opened = Promise.withResolvers<string>()
    server.verbs.gangs.onBind = () => opened.promise
    const bound = other.call('/bind', bindBody())
    const floods: Record<string, (session: ClientHttp2Session) => void> = {
      pings: session => void session.ping(() => {}),
      resets: session => post(session, '/bind').close(constants.NGHTTP2_CANCEL),
      settings: session => session.settings({ initialWindowSize: 70_000 })
    }
    for (const [name, drop] of Object.entries(floods)) {
      const patience = { maxOutstandingPings: 1_000_000, maxOutstandingSettings: 1_000_000 }
      const session = http2Connect(server.url, { ...server.identity, ...patience })
      session.on('error', () => {}).on('frameError', () => {})
      const from = performance.now()
      for (let count = 0; count < 20_000 && !session.destroyed && !session.closed; count++) {
        try {
          drop(session)
        } catch {
          break
        }
        if (count % 500 === 0) await wait(0)
      }
      t.match(
        await other.call('/filter', argsBody(['a'])),
        { status: 200 },
        `${name}: ${Math.round(performance.now() - from)} ms`
      )
      session.destroy()
    }
    opened.resolve('')
    t.match(await bound, { status: 200 })
    t.match(await (await http2(t, server)).call('/livez'), { status: 200 })
    t.strictSame(
      server.lines.filter(({ level }) => level > 40),
      []
    )
  })
}

function post(session: ClientHttp2Session, path: string, headers: Readonly<Record<string, string>> = {}) {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json', ...headers })
  return stream.on('error', () => {})
}
