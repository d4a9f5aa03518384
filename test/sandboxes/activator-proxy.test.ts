import { once } from 'node:events'
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { WebSocket } from 'undici'
import { untilTrue } from '../embedded/until.ts'
import { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { readyMock, readyServer, stage } from './activator-stage.ts'

t.test('bodies go through in both directions as they come', async t => {
  const { scheduler, port } = await stage(t)
  scheduler.fields = (await readyMock(t, 'shop')).fields
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'POST /projects/shop/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n'
  )
  socket.write('5\r\nfirst\r\n')
  let got = ''
  socket.on('data', chunk => (got += String(chunk)))
  await untilTrue('the first piece comes back before the last is sent', () => got.includes('first'))
  t.notMatch(got, /second/)
  socket.write('6\r\nsecond\r\n0\r\n\r\n')
  await once(socket, 'close')
  t.match(got, /^HTTP\/1\.1 200 OK[^]*first[^]*second/)
})

t.test('headers of the hop stay behind, and who asked goes on', async t => {
  const { scheduler, port } = await stage(t)
  const seen: string[][] = []
  const { fields } = await readyServer(t, (request, response) => {
    seen.push(request.rawHeaders)
    response.writeHead(200, { 'keep-alive': 'timeout=9', 'x-kept': 'yes', connection: 'x-hop', 'x-hop': 'no' })
    response.end('done')
  })
  scheduler.fields = fields
  const socket = connect(port, '127.0.0.1')
  const lines = ['GET /projects/shop/ HTTP/1.1', 'Host: shop.example', 'Connection: X-Secret, close', 'X-Secret: s']
  const more = ['Proxy-Authorization: p', 'TE: trailers', 'Upgrade: h2c', 'X-Forwarded-For: 10.0.0.1', 'X-Kept: yes']
  socket.write(`${[...lines, ...more].join('\r\n')}\r\n\r\n`)
  const answer = await text(socket)
  const headers = seen[0]!.join('\n').toLowerCase()
  t.match(headers, /host\nshop\.example/)
  t.match(headers, /x-kept\nyes/)
  t.match(headers, /x-forwarded-for\n10\.0\.0\.1, (::ffff:)?127\.0\.0\.1/)
  t.notMatch(headers, /x-secret|proxy-authorization|te\ntrailers|upgrade|h2c/)
  t.match(answer, /x-kept: yes/)
  t.notMatch(answer, /x-hop|timeout=9/)
})

t.test('a request without a body has none at the sandbox either', async t => {
  const { scheduler, ask } = await stage(t)
  const seen: unknown[] = []
  const { fields } = await readyServer(t, (request, response) => {
    seen.push([request.method, request.headers['content-length'], request.headers['transfer-encoding']])
    response.end()
  })
  scheduler.fields = fields
  await ask('/projects/shop/')
  await ask('/projects/shop/', { method: 'POST' })
  t.strictSame(seen, [
    ['GET', undefined, undefined],
    ['POST', '0', undefined]
  ])
})

/** Says yes to a WebSocket and gives back every frame, which is unmasked. */
async function webSocketServer(t: Test) {
  const { server, fields } = await readyServer(t, (_request, response) => response.writeHead(403).end('no'))
  server.on('upgrade', (request, socket) => {
    if (request.url === '/refused') return void socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno')
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    )
    socket.on('error', () => {})
    socket.on('data', (frame: Buffer) => {
      if ((frame[0]! & 15) !== 1) return void socket.end()
      const size = frame[1]! & 127
      const mask = frame.subarray(2, 6)
      const payload = frame.subarray(6, 6 + size).map((byte, index) => byte ^ mask[index % 4]!)
      socket.write(Buffer.concat([Buffer.from([0x81, size]), payload]))
    })
  })
  return fields
}

t.test('a WebSocket goes through, and counts as use of its sandbox', async t => {
  const { scheduler, port, activator } = await stage(t)
  scheduler.fields = { ...(await webSocketServer(t)), idleTimeout: { seconds: 60n, nanos: 0 } }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/projects/shop/live`)
  await once(socket, 'open')
  const answer = once(socket, 'message')
  socket.send('hello')
  const [{ data }] = (await answer) as [{ data: string }]
  t.equal(data, 'hello')
  t.equal(scheduler.count('touch'), 1)
  const closed = once(socket, 'close')
  await activator.close(1)
  await closed
  t.pass('it is cut off when the activator closes')
})

t.test('a WebSocket that is refused is told so, by whoever refuses it', async t => {
  const { scheduler, port } = await stage(t)
  scheduler.fields = await webSocketServer(t)
  const lines =
    'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13'
  for (const [path, want] of [
    ['/projects/shop/refused', /^HTTP\/1\.1 401 Unauthorized[^]*no$/],
    ['/nobody', /^HTTP\/1\.1 404 [^]*name the project/]
  ] as const) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.1\r\n${lines}\r\n\r\n`)
    t.match(await text(socket), want)
  }
})

/** Whatever bytes come, it answers with these. */
async function rawServer(t: Test, bytes: string) {
  const server = createNetServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.from(bytes, 'latin1')))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  return { state: State.READY, podIp: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

t.test('a sandbox that answers nonsense harms nobody but itself', async t => {
  const { scheduler, ask, port } = await stage(t)
  const cases: [string, number][] = [
    ['HTTP/1.1 200 O\x01K\xff\r\ncontent-length: 2\r\n\r\nok', 200],
    ['HTTP/1.1 042 early\r\ncontent-length: 0\r\n\r\n', 502],
    ['HTTP/1.1 000 none\r\ncontent-length: 0\r\n\r\n', 502],
    ['HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nany', 502],
    ['HTTP/1.1 101 Switching\r\n\r\n', 502],
    ['HTTP/1.1 200 OK\r\nx: a\x01b\r\n\r\n', 502],
    ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok', 502],
    [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, 502],
    ['nonsense', 502],
    ['', 502]
  ]
  for (const [index, [bytes, status]] of cases.entries()) {
    scheduler.fields = await rawServer(t, bytes)
    t.equal((await ask(`/projects/p${index}/`)).status, status, JSON.stringify(bytes.slice(0, 40)))
    const socket = connect(port, '127.0.0.1')
    const upgrade = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    socket.write(`GET /projects/p${index}/ HTTP/1.1\r\n${upgrade}`)
    socket.setTimeout(2_000, () => socket.destroy(new Error('no answer')))
    t.match(await text(socket), /^HTTP\/1\.1 [1-5]\d\d /, 'nor whoever asks for a WebSocket')
  }
})

t.test('a client that sends nonsense harms nobody but itself, and smuggles nothing', async t => {
  const { scheduler, ask, port } = await stage(t)
  const seen: (string | undefined)[] = []
  const { fields } = await readyServer(t, (request, response) => {
    seen.push(request.url)
    request.resume().on('end', () => response.end('fine'))
  })
  scheduler.fields = fields
  const post = 'POST /projects/shop/hostile HTTP/1.1\r\nhost: x\r\n'
  const hostile = [
    '\0\0\0\0\r\n\r\n',
    'CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET http://169.254.169.254/projects/shop/ HTTP/1.1\r\nhost: x\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET /projects/shop/%0d%0aevil HTTP/1.0\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `${post}x: ${'y'.repeat(100_000)}\r\n\r\n`,
    `${post}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /projects/shop/smuggled HTTP/1.1\r\n\r\n`,
    `${post}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`,
    `${post}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`,
    `${post}content-length: -1\r\n\r\n`,
    'GET /projects/shop/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\xff\xff\xff'
  ]
  for (const bytes of hostile) {
    const socket = connect(port, '127.0.0.1')
    // A reset is an answer as well.
    socket.on('error', () => {})
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.end(Buffer.from(bytes, 'latin1'))
    socket.resume()
    await closed
  }
  t.equal((await ask('/projects/shop/last')).text, 'fine')
  t.notOk(seen.some(url => url?.includes('smuggled')))
  t.notOk(seen.includes('/projects/shop/'), 'a whole URL is no path')
})
