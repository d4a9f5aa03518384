import { Registry } from 'prom-client'
import t from 'tap'
import { logger } from '../../extender/telemetry/logs.ts'
import { processMetrics } from '../../extender/telemetry/metrics.ts'
import { Outlet } from '../../extender/telemetry/outlet.ts'
import { ManualClock } from '../kubernetes/manual-clock.ts'

/** What becomes of lines, by name. */
function counted() {
  const { logLines } = processMetrics(new Registry(), '1')
  const told = async (): Promise<object> =>
    Object.fromEntries((await logLines.get()).values.map(({ labels, value }) => [labels.result, value]))
  return { logLines, told }
}

/** What a log of that mode and level writes. */
function written(logMode: 'production' | 'development', logLevel: 'debug' | 'info' = 'info') {
  const lines: string[] = []
  const clock = new ManualClock()
  const { logLines, told } = counted()
  const out = { write: (text: string): void => void lines.push(text) }
  return { log: logger({ logMode, logLevel }, { out, clock, lines: logLines }), lines, clock, told }
}

t.test('S2.1 S3.10 in production each line is one JSON object', async t => {
  const { log, lines } = written('production')
  log.debug('unsaid')
  log.info({ gang: 'ns/a', members: 3 }, 'planned a gang')
  log.error({ err: new TypeError('no') }, 'failed')
  t.equal(lines.length, 2)
  t.ok(lines.every(line => line.endsWith('\n') && !line.slice(0, -1).includes('\n')))
  t.match(JSON.parse(lines[0]!), { level: 30, time: Number, gang: 'ns/a', members: 3, msg: 'planned a gang' })
  t.match(JSON.parse(lines[1]!), { level: 50, err: { type: 'TypeError', message: 'no', stack: /logs\.test/ } })
})

t.test('S2.1 in development it is text, with the stack below', async t => {
  const { log, lines } = written('development', 'debug')
  log.debug({ n: 1 }, 'seen')
  log.warn({ gang: 'ns/a', cause: 'a member is gone', plan: null, nodes: ['a', 'b'] }, 'withdrew a plan')
  log.error({ err: new TypeError('no') }, 'failed')
  log.info({ text: 'a="b"' })
  t.match(lines[0], /^\d\d:\d\d:\d\d\.\d{3} DEBUG seen n=1\n$/)
  t.match(lines[1], / WARN {2}withdrew a plan gang=ns\/a cause="a member is gone" plan=null nodes=\["a","b"\]\n$/)
  t.match(lines[2], / ERROR failed\n {2}TypeError: no\n {6}at /)
  t.match(lines[3], / INFO {3}text="a=\\"b\\""\n$/)
})

t.test('S2.11 a child of it writes as it does', async t => {
  const { log, lines } = written('development')
  log.child({}, { level: 'warn' }).info('unsaid')
  log.child({ part: 'x' }).info('said')
  t.match(lines, [/ INFO {2}said part=x\n$/])
})

t.test('a warning that comes again and again is told a few times, and then how often it came', async t => {
  const { log, lines, clock, told } = written('production')
  for (let count = 0; count < 1_000; count++) {
    log.warn({ pod: `ns/p${count}` }, 'a write failed; retrying')
    log.info({ count }, 'all of these are told')
  }
  log.error({}, 'something else')
  t.equal(lines.filter(line => line.includes('a write failed')).length, 10)
  t.equal(lines.filter(line => line.includes('all of these')).length, 1_000)
  t.equal(lines.filter(line => line.includes('something else')).length, 1)
  clock.advance(10_000)
  t.match(JSON.parse(lines.at(-1)!), {
    level: 40,
    msg: 'left out lines that repeat',
    message: 'a write failed; retrying',
    count: 990
  })
  t.match(await told(), { suppressed: 990 })
  log.warn({ pod: 'ns/late' }, 'a write failed; retrying')
  t.match(lines.at(-1), /"pod":"ns\/late"/, 'later it is told again')
})

t.test('the last words are never left out', async t => {
  const { log, lines } = written('production')
  for (let count = 0; count < 50; count++) log.fatal('ending')
  t.equal(lines.length, 50)
})

t.test('whatever a tenant writes, a line stays one line of bounded length', async t => {
  const evil = '\u001b[2J\u009b31m\u202e\u2028\n{"level":60}'
  for (const mode of ['production', 'development'] as const) {
    const { log, lines } = written(mode)
    log.warn(
      { pod: `ns/${evil}`, list: Array.from({ length: 1_000 }, () => 'x'.repeat(5_000)), deep: [[[[['x']]]]] },
      evil
    )
    t.equal(lines.length, 1)
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    t.notMatch(lines[0], /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]|\n./, mode)
    t.ok(lines[0]!.length < 50_000, `${lines[0]!.length} characters`)
  }
  const { log, lines } = written('production')
  log.warn({ text: 'y'.repeat(10_000) }, 'x'.repeat(10_000))
  const { msg, text } = JSON.parse(lines[0]!) as { msg: string; text: string }
  t.match([msg, text], [/^x{1024}… \(10000 characters\)$/, /^y{1024}… \(10000 characters\)$/])
})

t.test('of an error its own words are told, and not what hangs on it', async t => {
  const { log, lines } = written('production')
  const headers = { authorization: 'Bearer hush' }
  const cause = Object.assign(new Error('reset'), { headers })
  log.error({ err: Object.assign(new Error('lost', { cause }), { code: 'ECONNRESET', headers }) }, 'failed')
  log.error(Object.assign(new Error('alone'), { headers }))
  t.match(JSON.parse(lines[0]!), { err: { message: 'lost', code: 'ECONNRESET', cause: 'reset' } })
  t.match(JSON.parse(lines[1]!), { err: { message: 'alone' } })
  t.notMatch(lines.join(''), /hush/)
})

/** An outlet to a reader that takes so many bytes at a time, or fails. */
function outlet(take: (bytes: Uint8Array) => number) {
  const clock = new ManualClock()
  const { logLines, told } = counted()
  const got: Uint8Array[] = []
  const write = (_fd: number, bytes: Uint8Array): number => {
    const taken = take(bytes)
    got.push(bytes.slice(0, taken))
    return taken
  }
  const out = new Outlet({ fd: -1, clock, lines: logLines, mostBytes: 1_000, write })
  return { out, clock, told, text: () => Buffer.concat(got).toString() }
}

const failure = (code: string): Error => Object.assign(new Error(code), { code })

t.test('a reader that is slow gets every line whole and in order', async t => {
  let room = 0
  const { out, clock, text, told } = outlet(({ length }) => {
    if (room === 0) throw failure('EAGAIN')
    const taken = Math.min(room, length, 7)
    room -= taken
    return taken
  })
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index} – ü\n`)
  for (const line of lines) out.write(line)
  t.equal(text(), '')
  while (text().length < lines.join('').length) {
    room = 50
    clock.advance(100)
  }
  t.equal(text(), lines.join(''))
  t.match(await told(), { written: 20, dropped: 0 })
})

t.test('what nobody reads is kept up to a bound, and the rest is dropped and counted', async t => {
  let isRead = false
  const { out, clock, text, told } = outlet(({ length }) => {
    if (!isRead) throw failure('EAGAIN')
    return length
  })
  for (let count = 0; count < 1_000; count++) out.write(`${'x'.repeat(99)}\n`)
  t.match(await told(), { written: 0, dropped: 990 })
  isRead = true
  clock.advance(100)
  out.write('again\n')
  t.match(text(), /again\n$/)
  t.match(await told(), { written: 11, dropped: 990 })
})

t.test('a full disk costs the lines of that time, and nothing else', async t => {
  let isFull = true
  const { out, text, told } = outlet(({ length }) => {
    if (isFull) throw failure('ENOSPC')
    return length
  })
  out.write('lost\n')
  isFull = false
  out.write('kept\n')
  t.equal(text(), 'kept\n')
  t.match(await told(), { written: 1, dropped: 1 })
})

t.test('before the end what waits is written, and nobody waits for long', async t => {
  let tries = 0
  const slow = outlet(({ length }) => {
    if (++tries < 4) throw failure('EAGAIN')
    return length
  })
  slow.out.write('last words\n')
  slow.out.end()
  t.equal(slow.text(), 'last words\n')
  const never = outlet(() => {
    throw failure('EAGAIN')
  })
  never.out.write('unheard\n')
  never.out.end()
  t.equal(never.text(), '')
})
