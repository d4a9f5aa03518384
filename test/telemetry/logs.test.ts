import t from 'tap'
import { logger } from '../../extender/telemetry/logs.ts'

/** What a log of that mode and level writes. */
function written(logMode: 'production' | 'development', logLevel: 'debug' | 'info' = 'info') {
  const lines: string[] = []
  return { log: logger({ logMode, logLevel }, { write: text => lines.push(text) }), lines }
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
