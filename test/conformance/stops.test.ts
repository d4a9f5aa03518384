/**
 * Gangs on their way while processes are killed, stopped or see the clock jump, and while the wires break in every way
 * that wires have.
 */
import { globSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isBinding, type Interceptor } from '../control-plane/api-proxy.ts'
import { bindingFuse } from '../control-plane/binding-fuse.ts'
import { unaskedBindings } from '../control-plane/history.ts'
import { gangs } from '../control-plane/muster.ts'
import { fetchText } from '../control-plane/probe.ts'
import { type ManagedProcess, removeAtEnd } from '../control-plane/process.ts'
import { boundIn, gangIsBound, nothingIsHeld, openLab, scenario } from './scenario.ts'

const size = 16
const bindTimeoutMs = 10_000
/** kube-scheduler retries a failed bind after up to 10 s. */
const recovery = 120_000
const outage = 5_000
const timeout = ['--bind-timeout', `${bindTimeoutMs / 1000}s`]
const [faketime] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
const folder = await mkdtemp(join(tmpdir(), 'muster-clock-'))
removeAtEnd(folder)
const clockFile = join(folder, 'clock')
const setClock = (by: string) => writeFile(clockFile, `${by}\n`)
await setClock('+0')
const fakeClock = {
  LD_PRELOAD: faketime ?? '',
  FAKETIME_TIMESTAMP_FILE: clockFile,
  FAKETIME_CACHE_DURATION: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1'
}

/** Each kind of break hits every third call. */
function third(): () => boolean {
  let count = 0
  return () => count++ % 3 === 0
}

const lab = await openLab(t, {
  sharedArgs: timeout,
  musterArgs: ['--watch-timeout', '5s', '--resync', '1h'],
  ...(faketime !== undefined && { musterEnv: fakeClock })
})

if (lab) {
  const { cluster, api, verbs, scheduler } = lab
  const { process: muster } = lab.muster
  const faults = true

  /** The gang comes to stand whole, nothing is left of the trouble, and no Binding was sent that nobody waited for. */
  const recovers = async (t: Test, ns: string) => {
    await gangIsBound(lab, ns, 'torn', size, recovery)
    await nothingIsHeld(lab, 30_000)
    t.strictSame(unaskedBindings(verbs.calls, api.calls, bindTimeoutMs), [], 'no Binding was late')
    t.strictSame(lab.history.crowded(1), [], 'no node was given twice')
  }

  const begin = async (ns: string, interceptor: Interceptor = {}) => {
    await lab.createNodes('node', size)
    api.intercept(interceptor)
    await lab.createGang(ns, { name: 'torn', size, gated: true })
  }

  /** Half of the gang is bound, and the other half on its way, when `cut` is called. */
  const halfBound = async (ns: string, cut: () => void) => {
    const fuse = bindingFuse(size / 2, cut)
    await begin(ns, fuse)
    await fuse.blown
    return fuse
  }

  scenario(t, lab, ['muster killed with a full barrier, before the first Binding', { faults }], async (t, ns) => {
    const killed = Promise.withResolvers<void>()
    await begin(ns, {
      before(call) {
        if (!isBinding(call)) return
        muster.killNow()
        killed.resolve()
        return new Promise(() => {})
      }
    })
    await killed.promise
    await muster.kill()
    t.equal(boundIn(lab, ns, 'torn'), 0)
    api.intercept({})
    await muster.start()
    await recovers(t, ns)
  })

  const stopped: Record<string, { child: ManagedProcess; ms: number }> = {
    muster: { child: muster, ms: bindTimeoutMs + 1_000 },
    'kube-scheduler': { child: scheduler, ms: bindTimeoutMs + 1_000 },
    etcd: { child: cluster.etcd, ms: outage }
  }
  for (const [name, { child, ms }] of Object.entries(stopped)) {
    const title = `${name} stopped with SIGSTOP for ${ms / 1000} s when half of a gang is bound`
    scenario(t, lab, [title, { faults }], async (t, ns) => {
      const fuse = await halfBound(ns, () => child.pause())
      await sleep(ms)
      fuse.release()
      child.resume()
      await recovers(t, ns)
    })
  }

  scenario(t, lab, ['etcd killed for 5 s when half of a gang is bound', { faults }], async (t, ns) => {
    const fuse = await halfBound(ns, () => cluster.etcd.killNow())
    await cluster.etcd.kill()
    await sleep(outage)
    fuse.release()
    await cluster.etcd.start()
    await recovers(t, ns)
  })

  const wires: Record<string, () => Interceptor> = {
    'slow, each write 3 s': () => ({ before: call => (call.method === 'GET' ? undefined : sleep(3_000)) }),
    'cut before a write': () => {
      const hit = third()
      return { fault: call => (call.method !== 'GET' && hit() ? 'reset' : undefined) }
    },
    'cut in the middle of an answer': () => {
      const hit = third()
      return { fault: () => (hit() ? 'truncated' : undefined) }
    },
    'cut after the commit': () => {
      const hit = third()
      return { loses: call => call.method !== 'GET' && hit() }
    },
    'silent after a write was sent': () => {
      const hit = third()
      return { fault: call => (call.method !== 'GET' && hit() ? 'blackhole' : undefined) }
    }
  }
  for (const [how, make] of Object.entries(wires)) {
    scenario(t, lab, [`the wire to the API server is ${how}`, { faults }], async (t, ns) => {
      await begin(ns, make())
      await sleep(outage)
      api.intercept({})
      await recovers(t, ns)
    })
  }

  for (const kind of ['reset', 'truncated', 'lost', 'blackhole'] as const) {
    scenario(t, lab, [`every third call of muster is broken: ${kind}`, { faults }], async (t, ns) => {
      const hit = third()
      verbs.fault = () => (hit() ? kind : undefined)
      await begin(ns)
      await sleep(outage)
      verbs.fault = () => undefined
      await recovers(t, ns)
    })
  }

  scenario(t, lab, ['watches that are frozen without an error are opened anew', { faults }], async (t, ns) => {
    await lab.createNodes('node', size)
    api.freezeStreams()
    await lab.createGang(ns, { name: 'torn', size, gated: true })
    await recovers(t, ns)
  })

  scenario(
    t,
    lab,
    ['reads that are silent for long: nobody new is planned until they are answered', { faults }],
    async (t, ns) => {
      await lab.createNodes('node', size)
      api.freezeStreams()
      api.intercept({ fault: call => (call.method === 'GET' ? 'blackhole' : undefined) })
      await lab.until('muster says that its picture is old', async () => {
        const { status, text } = await fetchText(`${lab.muster.url}/readyz`)
        return status === 503 && /up to date: the API server has told nothing of/.test(text)
      })
      await lab.createGang(ns, { name: 'torn', size, gated: true })
      t.strictSame(await gangs(lab.muster), [], 'it has not heard of the gang')
      api.intercept({})
      await recovers(t, ns)
      t.equal((await fetchText(`${lab.muster.url}/readyz`)).status, 200)
    }
  )

  for (const by of ['+59m', '-59m']) {
    const name = `the clock of muster jumps by ${by} when half of a gang is bound`
    if (faketime === undefined) t.test(name, { skip: 'libfaketime is missing' }, async () => {})
    else
      scenario(t, lab, [name, { faults }], async (t, ns) => {
        const fuse = await halfBound(ns, () => {})
        await setClock(by)
        // So long does libfaketime believe what it has read.
        await sleep(1_500)
        fuse.release()
        await recovers(t, ns)
        await setClock('+0')
      })
  }
}
