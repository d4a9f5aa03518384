/** What becomes of a real `muster serve` whose event loop stands still, which is stopped as a whole, or has no memory left. */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { freePort } from '../control-plane/ports.ts'
import { kubeconfigOf } from '../wire.ts'
import { serving } from './run.ts'

const stall = pathToFileURL(join(import.meta.dirname, 'stall.ts')).href
const bite = 'ending: the event loop has stood still for 10 s'
const kubeconfig = join(t.testdir({ 'kubeconfig.yaml': kubeconfigOf(await freePort()) }), 'kubeconfig.yaml')

/** A muster whose event loop SIGUSR2 stops for so many milliseconds. */
async function started(t: Test, ms: number | 'heap', options = '') {
  t.setTimeout(300_000)
  const ports = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
  const env = { STALL_MS: String(ms), NODE_OPTIONS: `--import=${stall} ${options}` }
  const muster = serving(t, ['--kubeconfig', kubeconfig, ...ports], env)
  const { url = '' } = await muster.line(/the extender listens/)
  const answers = async () => (await fetch(`${url}/livez`)).status === 200
  t.ok(await answers())
  return { ...muster, answers, wasBitten: () => muster.lines.some(({ msg }) => msg === bite) }
}

t.test('an event loop that stands still', async t => {
  // All at a time: each takes as long as it takes.
  const ways = [started(t, 60_000), started(t, 60_000), started(t, 5_000)] as const
  const [stuck, unread, short] = await Promise.all(ways)
  unread.child.stdout.pause()
  for (const { child } of [stuck, unread, short]) child.kill('SIGUSR2')

  await t.test('for 10 s ends the process, which says why', async t => {
    t.strictSame(await stuck.exited, [null, 'SIGKILL'])
    t.match(stuck.lines.at(-1), { level: 60, msg: bite })
  })

  await t.test('ends it also when nobody reads its log any more', async t => {
    t.strictSame(await unread.exited, [null, 'SIGKILL'])
  })

  await t.test('for a shorter time ends nothing', async t => {
    t.ok(await short.answers(), 'it answers once it goes on')
    t.notOk(short.wasBitten())
  })
})

t.test('a process that was stopped as a whole for longer goes on, and ends at once on SIGTERM', async t => {
  const { child, answers, wasBitten, exited } = await started(t, 0)
  child.kill('SIGSTOP')
  // The time itself is what is tried.
  await wait(15_000)
  child.kill('SIGCONT')
  t.ok(await answers())
  await wait(3_000)
  t.ok(await answers(), 'also when the watch has had the time to look')
  t.notOk(wasBitten())
  child.kill('SIGTERM')
  t.strictSame(await exited, [0, null])
})

t.test('a heap at its limit ends the process', async t => {
  const { child, exited } = await started(t, 'heap', '--max-old-space-size=256')
  child.kill('SIGUSR2')
  const [, signal] = await exited
  // Where filling it takes so long that the watch comes first, that is as good.
  t.ok(signal === 'SIGABRT' || signal === 'SIGKILL', `by ${signal}`)
})
