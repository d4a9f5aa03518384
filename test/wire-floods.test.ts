import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { argsBody, bindBody } from './verbs/bodies.ts'
import { http2, pki, wire } from './wire.ts'

const authority = pki()
const skip = authority ? false : 'openssl is missing'
const MiB = 1024 ** 2
/** What a connection may have at a time. */
const cap = 1024

/** Sends a bind of its own and answers its status; 0 where the stream was refused. */
function bind(session: ClientHttp2Session, uid: string): Promise<number> {
  const stream = session.request({ ':method': 'POST', ':path': '/bind', 'content-type': 'application/json' })
  stream.end(bindBody({ PodUID: uid }))
  stream.resume()
  return new Promise(resolve => {
    stream.on('response', headers => resolve(headers[':status'] ?? 0))
    stream.on('error', () => {})
    stream.on('close', () => resolve(0))
  })
}

t.test(
  'of 10,000 streams at a time so many wait as are allowed, and the rest of the world goes on',
  { skip },
  async t => {
    t.setTimeout(300_000)
    const server = await wire(t, { authority })
    const opened = Promise.withResolvers<string>()
    const full = Promise.withResolvers<void>()
    const { gangs } = server.verbs
    gangs.onBind = () => {
      if (gangs.binds.length === cap) full.resolve()
      return opened.promise
    }
    const other = await http2(t, server)
    t.match(await other.call('/livez'), { status: 200 })
    const before = process.memoryUsage().rss
    const session = connect(server.url, server.identity)
    session.on('error', () => {})
    await new Promise(resolve => void session.once('remoteSettings', resolve))
    const answers = Array.from({ length: 10_000 }, (_, index) => bind(session, `u${index}`))
    await full.promise
    t.match(await other.call('/filter', argsBody(['a'])), { status: 200 }, 'others are answered meanwhile')
    await wait(500)
    t.equal(gangs.binds.length, cap, 'no more get in')
    const more = process.memoryUsage().rss - before
    t.ok(more < 256 * MiB, `${Math.round(more / MiB)} MiB more, of server and client`)
    opened.resolve('')
    // A flood on a busy machine may be too slow to bring its own bodies in time.
    const odd = (await Promise.all(answers)).filter(status => ![200, 0, 408].includes(status))
    t.strictSame(odd, [], 'each is answered, refused, or too slow')
    session.destroy()
    t.match(await (await http2(t, server)).call('/livez'), { status: 200 })
  }
)
