import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { sandbox } from '../../extender/cli/sandbox.ts'
import { Flags } from '../../extender/cli/sandbox/flags.ts'
import { schedulerAt } from '../../extender/sandboxes/client/connect.ts'
import { readyMock } from '../sandboxes/activator-stage.ts'
import { FakeScheduler } from '../sandboxes/fake-scheduler.ts'
import { muster } from './run.ts'

const cli = join(import.meta.dirname, '../../extender/cli/muster.ts')

/** A service of the sandboxes until the test ends, once it listens. */
async function running(t: Test, ...args: readonly string[]) {
  const env = { PATH: process.env.PATH, SANDBOX_PROJECT: 'shop' }
  const child = spawn(process.execPath, [cli, 'sandbox', ...args], { stdio: ['ignore', 'pipe', 'inherit'], env })
  const exited = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', chunk => (said += String(chunk)))
  for (;;) {
    const found = /^.*"url":"([^"]+)".*listens.*$/m.exec(said)
    if (found) return { url: found[1] ?? '', child, exited }
    await once(child.stdout, 'data')
  }
}

const whole = async (url: string, body?: string) => {
  const answer = await request(url, { ...(body !== undefined && { method: 'POST', body }), reset: true })
  return { status: answer.statusCode, text: await answer.body.text() }
}

t.test('S1.8 muster sandbox mock runs a mock sandbox until it is told to end', async t => {
  const { url, child, exited } = await running(t, 'mock', '--port', '0')
  t.match(JSON.parse((await whole(`${url}/`)).text), { project: 'shop' })
  child.kill('SIGTERM')
  t.strictSame(await exited, [0, null])
})

t.test('S1.19 muster sandbox activator runs the activator until it is told to end', async t => {
  const scheduler = await FakeScheduler.start(t)
  scheduler.fields = (await readyMock(t, 'shop')).fields
  const target = ['--allow-target', '127.0.0.0/8']
  const args = ['--listen', '127.0.0.1:0', '--scheduler', `${scheduler.url}/`, ...target]
  const { url, child, exited } = await running(t, 'activator', ...args)
  t.match(JSON.parse((await whole(`${url}/projects/shop/x`)).text), { project: 'shop', path: '/x' })
  child.kill('SIGINT')
  t.strictSame(await exited, [0, null])
})

t.test('S1.9 S1.20 S1.21 S1.22 muster sandbox demo asks a scheduler, retains and releases', async t => {
  const scheduler = await FakeScheduler.start(t)
  scheduler.fields = { ...(await readyMock(t, 'shop')).fields, hostname: 'localhost' }
  const { port } = new URL(scheduler.url)
  const where = ['--scheduler-host=127.0.0.1', `--scheduler-port=${port}`]
  const { stdout, stderr, code } = await muster([
    'sandbox',
    'demo',
    ...where,
    '--project-id=shop',
    '--retain',
    '--release'
  ])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.match(
    stdout,
    /project shop:[^]*created sbx-shop[^]*again: sbx-shop[^]*localhost:\d+\/ answers[^]*retained[^]*released/
  )
  const own = await muster(['sandbox', 'demo', ...where, '--verbose'])
  t.match(own.stdout, /project demo:[^]*CreateSandbox took \d+ ms[^]*"state": "STATE_READY"/)
  t.notMatch(own.stdout, /sbx-demo/, 'without a project it has a key of its own')
})

t.test('S1.6 muster sandbox list shows what there is, page by page', async t => {
  const scheduler = await FakeScheduler.start(t)
  const where = ['sandbox', 'list', '--scheduler', scheduler.url]
  t.equal((await muster(where)).stdout, 'No sandboxes.\n')
  const client = schedulerAt(scheduler.url)
  for (const projectId of ['shop', 'blog']) await client.createSandbox({ projectId })
  const { stdout } = await muster(where)
  t.match(stdout, /^ID +PROJECT +STATE +LAUNCH +NODE +EXPIRES\nsbx-shop +shop +PENDING [^]*\nsbx-blog +blog +PENDING /)
  const json = await muster([...where, '--output', 'json', '--project-id', 'blog'])
  t.match(JSON.parse(json.stdout), { sandboxes: [{ id: 'sbx-blog', state: 'STATE_PENDING' }] })
})

t.test('what is wrong with the arguments is one sentence', async t => {
  const cases: [readonly string[], string][] = [
    [['nope'], 'there is no command sandbox "nope"; known are '],
    [['mock', '--nope'], "Unknown option '--nope'; see --help"],
    [['mock', '--port', '65536'], '--port: "65536" must be a whole number from 0 to 65535'],
    [['mock', '--log-level', 'loud'], '--log-level: "loud" must be one of trace, '],
    [['activator', '--listen', '8080'], '--listen: "8080" must be HOST:PORT, such as 127.0.0.1:50052'],
    [['activator', '--scheduler', 'here'], '--scheduler: "here" must be a URL such as http://127.0.0.1:50052'],
    [
      ['activator', '--start-timeout', '30'],
      '--start-timeout: "30" must be a duration up to 8760h, such as 90s or 1h30m'
    ],
    [['activator', '--waiting-requests', '0'], '--waiting-requests: "0" must be a whole number from 1 to 2147483647'],
    [['activator', '--allow-target', 'all'], '"all" must be a range of addresses, such as 10.0.0.0/8'],
    [['scheduler', '--warm-pool', 'default'], '--warm-pool: "default" must be TEMPLATE=N, such as default=10'],
    [['scheduler', '--warm-pool', 'x=3'], '--warm-pool: there is no template "x"; known are default'],
    [
      ['scheduler', '--placeholders', 'default=99999'],
      '--placeholders: default=99999 must be a whole number from 0 to 10000'
    ],
    [['list', '--output', 'yaml'], '--output: "yaml" must be one of table, json'],
    [['demo', 'word'], "Unexpected argument 'word'"],
    [['demo', '--sandbox-ttl='], '--sandbox-ttl is missing; see --help'],
    [['demo', '--scheduler-host', 'a/b'], '--scheduler-host: "a/b" must be a host name or an address']
  ]
  for (const [args, want] of cases) {
    const error = (await sandbox.run(args).catch((reason: unknown) => reason)) as Error
    t.equal(error.name, 'UsageError', args.join(' '))
    t.ok(error.message.startsWith(want), error.message)
    t.notMatch(error.message, /\n/)
  }
  t.match(await muster(['sandbox', 'nope']), {
    code: 2,
    stderr: /^muster: there is no command sandbox "nope"; known are .*\n$/
  })
  const { stderr, code } = await muster(['sandbox', 'demo', '--scheduler-port', '1'])
  t.match(stderr, /^muster: the scheduler cannot be reached: .*ECONNREFUSED.*\n$/)
  t.equal(code, 1)
})

t.test('each command has its help', async t => {
  const { stdout } = await muster(['sandbox'])
  const names = [...stdout.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name!)
  t.equal(names.length, 7)
  for (const name of names) {
    const help = await muster(['sandbox', name, '--help'])
    t.match(help.stdout, new RegExp(`^Usage: muster sandbox ${name} `))
    t.match(help.stdout, /\nExamples?:\n {2}\S/)
    t.equal(help.code, 0)
  }
})

t.test('flags win over variables, and variables over what is usual', async t => {
  const rows = {
    port: { hint: 'PORT', fallback: '1', help: '' },
    name: { hint: 'NAME', help: '', list: true }
  } as const
  const variables = { MUSTER_SANDBOX_PORT: '2', MUSTER_SANDBOX_NAME: 'a,b' }
  t.equal(Flags.read(rows, [], {}).port('port'), 1)
  t.equal(Flags.read(rows, [], variables).port('port'), 2)
  t.equal(Flags.read(rows, ['--port=3'], variables).port('port'), 3)
  t.strictSame(Flags.read(rows, [], variables).list('name'), ['a', 'b'])
  t.strictSame(Flags.read(rows, ['--name=c', '--name', 'd'], variables).list('name'), ['c', 'd'])
})
