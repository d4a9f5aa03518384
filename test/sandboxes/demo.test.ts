import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { wishOf } from '../../extender/cli/sandbox-demo/wish.ts'
import { canStartRedis } from '../../extender/sandbox-redis.ts'
import { readyMock } from './activator-stage.ts'
import { FakeScheduler } from './fake-scheduler.ts'

t.setTimeout(240_000)

const root = join(import.meta.dirname, '..', '..')
const anyPorts = ['--scheduler-port=0', '--global-port=0', '--events-port=0']

/** Starts demo.sh in a process group of its own, which goes with the test. */
function start(t: Test, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, ...more }
  const child = spawn(join(root, 'demo.sh'), args, { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const group = -(child.pid ?? 0)
  const isLeft = (): boolean => {
    try {
      return process.kill(group, 0)
    } catch {
      return false
    }
  }
  t.teardown(() => isLeft() && process.kill(group, 'SIGKILL'))
  return { child, group, isLeft, exited: once(child, 'exit') }
}

/** Runs demo.sh to its end. */
async function demo(t: Test, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const { child, isLeft, exited } = start(t, args, more)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { stdout, stderr, code: code as unknown, isLeft: isLeft() }
}

const freePort = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

t.test(
  'S0.25 S0.31 S0.33 S0.36 S0.44 ./demo.sh --no-redis --release builds, starts the services, plays, and leaves nothing behind',
  async t => {
    const { stdout, stderr, code, isLeft } = await demo(t, ['--no-redis', '--release', ...anyPorts])
    t.equal(stderr, '')
    t.equal(code, 0)
    t.equal(isLeft, false, 'no process is left')
    t.ok(existsSync(join(root, 'bin/demo')), 'it is built')
    t.match(stdout, /its scheduler asks muster at http/, "pods are placed by muster's extender")
    t.match(stdout, /Idempotence keys are in memory\.\n/)
    const [, id = ''] = /created (sbx-[a-z2-7]{26}) /.exec(stdout) ?? []
    t.match(stdout, `the same request again: ${id}, nothing was created`)
    t.match(
      stdout,
      new RegExp(`http://${id}\\.sandbox\\.svc\\.cluster\\.local:8080/ answers`),
      'by the name of its Service'
    )
    t.notMatch(stdout, /event|retained/)
    t.match(stdout, /released: TERMINATED, RELEASED\nEverything has ended\.\n$/)
  }
)

t.test(
  'S0.1 S0.24 S0.34 S0.35 S0.37 S0.38 S0.39 S0.40 S0.41 S0.42 S0.43 S0.45 S0.50 with everything: events, retention, release, each on its port',
  async t => {
    const ports = [await freePort(), await freePort(), await freePort()]
    const [scheduler, global, events] = ports
    const where = [`--scheduler-port=${scheduler}`, `--global-port=${global}`, `--events-port=${events}`]
    const flags = [
      '--no-build',
      '--enable-events',
      '--verbose',
      '--retain',
      '--release',
      '--sandbox-ttl=90s',
      '--idempotence-ttl=1h'
    ]
    const { stdout, stderr, code, isLeft } = await demo(t, [...flags, ...where])
    t.equal(code, 0, stderr)
    t.equal(isLeft, false)
    t.match(stdout, `The scheduler service listens at http://127.0.0.1:${scheduler}.`)
    t.match(stdout, `The global scheduler listens at http://127.0.0.1:${global}.`)
    t.match(stdout, `The events service listens at http://127.0.0.1:${events}.`)
    t.match(stdout, canStartRedis() ? /in a redis-server that ends with this demo/ : /in memory: neither REDIS_URL nor/)
    t.match(stdout, /"ttl": "90s"/)
    const [, later = '', before = ''] = /retained: until (\S+), which was (\S+)/.exec(stdout) ?? []
    t.ok(Date.parse(later) > Date.parse(before), `${later} is after ${before}`)
    t.match(stdout, /released: TERMINATED, RELEASED/)
    t.match(stdout, /event TERMINATED, RELEASED: sbx-/)
    t.match(stderr, /"msg":"a sandbox has ended"/, 'S0.35 the logs of the services are shown')
  }
)

t.test('S1.13 --client-only asks services that are there already', async t => {
  const scheduler = await FakeScheduler.start(t)
  scheduler.fields = { ...(await readyMock(t, 'demo')).fields, hostname: 'localhost' }
  const port = `--global-port=${new URL(scheduler.url).port}`
  const { stdout, stderr, code } = await demo(t, ['--client-only', '--no-build', '--retain', '--release', port])
  t.equal(code, 0, stderr)
  t.strictSame(scheduler.calls, ['create', 'create', 'get', 'retain', 'release'])
  t.notMatch(stdout, /listens/)
})

t.test('whoever interrupts it finds nothing left either', async t => {
  const { child, isLeft, exited, group } = start(t, ['--no-build', ...anyPorts])
  let said = ''
  child.stdout.on('data', chunk => (said += String(chunk)))
  while (!said.includes('The scheduler service listens')) await once(child.stdout, 'data')
  child.kill('SIGINT')
  t.strictSame(await exited, [130, null])
  // The children are told to end when it ends; they need a moment.
  while (isLeft()) await new Promise(resolve => setTimeout(resolve, 20))
  t.throws(() => process.kill(group, 0), { code: 'ESRCH' })
})

/** Programs that only say what they were asked. */
function standIns(t: Test, ...programs: readonly string[]) {
  const dir = t.testdir({})
  for (const program of programs) {
    writeFileSync(join(dir, program), `#!/bin/sh\necho "${program} $*" >> "${dir}/log"\n`)
    chmodSync(join(dir, program), 0o755)
  }
  return { PATH: `${dir}:${process.env.PATH}`, log: () => readFileSync(join(dir, 'log'), 'utf8') }
}

t.test(
  'S1.12 S1.31 --kubernetes is the manual path in one: images, deployment, then the client in the cluster',
  async t => {
    const { PATH, log } = standIns(t, 'docker', 'kubectl')
    const { stderr, code } = await demo(t, ['--kubernetes', '--release', '--sandbox-ttl=1m'], { PATH })
    t.equal(code, 0, stderr)
    const [first, second, ...rest] = log().split('\n')
    t.equal(first, 'docker build -t muster-sandbox:latest .')
    t.equal(second, 'docker build -t muster-mock-sandbox:latest --target mock-sandbox .')
    t.match(rest.join('\n'), /kubectl apply -k manifests\/sandbox\n/)
    t.match(rest.join('\n'), /kubectl -n sandbox rollout status deployment\/scheduler --timeout=180s\n/)
    t.match(
      rest.at(-2),
      /^kubectl -n sandbox run demo .* -- sandbox demo --scheduler-host=global.* --sandbox-ttl=60000ms --release$/
    )
  }
)

t.test('--kubernetes --no-build --client-only runs the client alone there', async t => {
  const { PATH, log } = standIns(t, 'docker', 'kubectl')
  const { code } = await demo(t, ['--kubernetes', '--no-build', '--client-only'], { PATH })
  t.equal(code, 0)
  t.match(log(), /^kubectl -n sandbox run demo .*\n$/)
})

t.test('S0.39 S0.40 S0.41 S0.42 S0.43 what is usual', async t => {
  t.match(wishOf([]), {
    ...{
      schedulerPort: 50_052,
      globalPort: 50_051,
      eventsPort: 50_053,
      sandboxTtlMs: 900_000,
      idempotenceTtlMs: 86_400_000
    },
    ...{
      build: true,
      redis: true,
      verbose: false,
      enableEvents: false,
      retain: false,
      release: false,
      kubernetes: false
    }
  })
  t.match(wishOf(['--sandbox-ttl=1h30m', '--idempotence-ttl', '90s']), {
    sandboxTtlMs: 5_400_000,
    idempotenceTtlMs: 90_000
  })
})

t.test('what is wrong with the flags is one sentence', async t => {
  const { stdout, stderr, code } = await demo(t, ['--nope'])
  t.strictSame(
    { stdout, stderr, code },
    { stdout: '', stderr: "demo.sh: Unknown option '--nope'; see --help\n", code: 2 }
  )
  const cases: [string, RegExp][] = [
    ['--scheduler-port=x', /^--scheduler-port: "x" must be a whole number/],
    ['--sandbox-ttl=15', /^--sandbox-ttl: "15" must be a duration/],
    ['--global-port=50052', /must be three ports$/],
    ['--no-redis=1', /does not take an argument/],
    ['word', /^Unexpected argument 'word'/]
  ]
  for (const [flag, message] of cases) t.throws(() => wishOf([flag]), { name: 'UsageError', message })
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const taken = `--scheduler-port=${(server.address() as AddressInfo).port}`
  const refused = await demo(t, ['--no-build', '--no-redis', '--global-port=0', taken])
  t.match(refused.stderr, /^demo\.sh: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n$/)
  t.strictSame([refused.code, refused.isLeft], [2, false])
})

t.test('--help tells every flag', async t => {
  const { stdout, code } = await demo(t, ['--help'])
  t.equal(code, 0)
  const flags = [
    'no-build',
    'verbose',
    'release',
    'retain',
    'enable-events',
    'scheduler-port',
    'global-port',
    'events-port'
  ]
  for (const flag of [...flags, 'sandbox-ttl', 'idempotence-ttl', 'no-redis', 'client-only', 'kubernetes', 'help'])
    t.match(stdout, new RegExp(`^ {2}--${flag} `, 'm'))
})
