import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate as immediately } from 'node:timers/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { create, rotate, rotateAuthority } from '../extender/cli/certs/issue.ts'
import { type Files, replace } from '../extender/cli/certs/store.ts'
import { bindBody } from './verbs/bodies.ts'
import { http1, type Identity, type Wire, wire } from './wire.ts'

const wish = { hosts: ['127.0.0.1'], clientName: 'system:kube-scheduler', days: 30 }
const lookMs = 20

/** muster behind certificates of `muster certs`, in a folder that is read again and again. */
async function serving(t: Test): Promise<{ server: Wire; put: (files: Files) => void; files: Files }> {
  const folder = t.testdir({})
  const files = create(wish, Date.now())
  const put = (next: Files): void => replace(folder, next, Date.now())
  put(files)
  const read = (name: string): Buffer => readFileSync(join(folder, name.replace('kube-scheduler', 'client')))
  const authority = { folder, read, issue: () => {} }
  const server = await wire(t, { authority, mutual: true, clientNames: [wish.clientName], lookMs })
  return { server, put, files }
}

const identity = (files: Files): Identity => ({
  ca: Buffer.from(files['ca.crt']),
  cert: Buffer.from(files['client.crt']),
  key: Buffer.from(files['client.key'])
})

/** The serial number that the server shows; undefined where the two do not know each other. */
async function shown({ port }: Wire, files: Files): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, ...identity(files) })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().serialNumber
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

/** Waits until another certificate is shown. */
async function changes(server: Wire, files: Files, before: string | undefined): Promise<string> {
  for (;;) {
    const now = await shown(server, files)
    if (now !== undefined && now !== before) return now
  }
}

/** A stream that the server never took, so that the same call may be made again (RFC 9113, 8.7), as Go's client does. */
const neverTaken = /NGHTTP2_REFUSED_STREAM/

/** Calls without a pause until it is told to stop, as Go's client does: on a new connection where the last one ends. */
class Load {
  calls = 0
  readonly failures: string[] = []
  readonly #server: Wire
  readonly #identity: () => Identity
  #session: ClientHttp2Session | undefined
  #stopped = false

  constructor(server: Wire, identity: () => Identity) {
    this.#server = server
    this.#identity = identity
  }

  async run(workers: number): Promise<void> {
    const work = async (): Promise<void> => {
      while (!this.#stopped) await this.#once()
    }
    await Promise.all(Array.from({ length: workers }, work))
    this.#session?.close()
  }

  stop(): void {
    this.#stopped = true
  }

  async #once(): Promise<void> {
    this.calls += 1
    while (await this.#refused());
  }

  /** One attempt: whether it has to be made again. */
  async #refused(): Promise<boolean> {
    try {
      const stream = this.#open().request({ ':path': '/bind', ':method': 'POST', 'content-type': 'application/json' })
      stream.end(bindBody())
      const [[head], said] = await Promise.all([once(stream, 'response'), text(stream)])
      if (head[':status'] !== 200) this.failures.push(`${head[':status']} ${said}`)
    } catch (error) {
      if (neverTaken.test(String(error))) return true
      this.failures.push(String(error))
    }
    return false
  }

  #open(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session
    const session = connectHttp2(this.#server.url, { ...this.#identity() })
    session.on('goaway', () => session.close())
    session.on('error', error => this.failures.push(String(error)))
    this.#session = session
    return session
  }
}

t.test('rotated ten times under load, and the CA with them, no call fails', async t => {
  const { server, put, files: first } = await serving(t)
  let files = first
  const load = new Load(server, () => identity(files))
  const running = load.run(8)
  let serial = await shown(server, files)
  const turn = async (next: Files): Promise<void> => {
    files = next
    put(files)
    serial = await changes(server, files, serial)
    for (const until = load.calls + 50; load.calls < until; ) await immediately()
  }
  for (let count = 0; count < 5; count += 1) await turn(rotate(files, {}, Date.now()))
  files = rotateAuthority(files, Date.now())
  put(files)
  for (let count = 0; count < 5; count += 1) await turn(rotate(files, {}, Date.now()))
  load.stop()
  await running
  t.strictSame(load.failures, [])
  t.equal(server.verbs.gangs.binds.length, load.calls, 'each arrived once')
  t.comment(`${load.calls} calls over ${server.taken()} connections`)
  t.strictSame(
    server.lines.filter(({ level }) => level >= 50),
    [],
    'no half pair was seen'
  )
})

t.test('over HTTP/1.1 as well', async t => {
  const { server, put, files: first } = await serving(t)
  let files = first
  let serial = await shown(server, files)
  const client = http1(t, { ...server, identity: identity(files) })
  const statuses = new Set<number>()
  const stop = { now: false }
  const work = async (): Promise<void> => {
    while (!stop.now) statuses.add((await client.call('/bind', bindBody())).status)
  }
  const running = Promise.all([work(), work(), work(), work()])
  for (let count = 0; count < 3; count += 1) {
    files = rotate(files, {}, Date.now())
    put(files)
    serial = await changes(server, files, serial)
  }
  stop.now = true
  await running
  t.strictSame([...statuses], [200])
})

t.test('who shows what another CA has signed, or another name, is not let in', async t => {
  const { server, files } = await serving(t)
  const strange = create(wish, Date.now())
  const call = async (shown: Identity): Promise<number | string> => {
    const client = http1(t, { ...server, identity: shown })
    return client.call('/bind', bindBody()).then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code ?? String(error)
    )
  }
  const ca = Buffer.from(files['ca.crt'])
  t.not(await call({ ...identity(strange), ca }), 200, 'of another CA')
  t.equal(await call(identity(rotate(files, { clientName: 'somebody' }, Date.now()))), 403, 'of another name')
  t.not(
    await call({ ca, cert: Buffer.from(files['server.crt']), key: Buffer.from(files['server.key']) }),
    200,
    'a server is no client'
  )
  t.equal(await shown(server, strange), undefined, 'and a client that trusts another CA goes away')
  t.equal(await call(identity(files)), 200)
  t.equal(server.verbs.gangs.binds.length, 1)
})

t.test('a name that the certificate does not hold for is refused by the client', async t => {
  const { server, put, files } = await serving(t)
  const others = rotate(files, { hosts: ['elsewhere.example.com'] }, Date.now())
  put(others)
  /** Undefined where it lets the server pass. */
  const refusal = async (): Promise<string | undefined> => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ...identity(others) })
    try {
      await once(socket, 'secureConnect')
      return undefined
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    } finally {
      socket.destroy()
    }
  }
  let code = await refusal()
  while (code === undefined) code = await refusal()
  t.equal(code, 'ERR_TLS_CERT_ALTNAME_INVALID')
})
