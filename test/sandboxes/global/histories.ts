import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Test } from 'tap'
import { startGlobal } from '../../../extender/sandboxes/global/serve.ts'
import { sandboxIdOf } from '../../../extender/sandboxes/identity.ts'
import { State } from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { ManualClock } from '../../kubernetes/manual-clock.ts'
import { clientOf } from '../serve.ts'
import { FaultyWorld, type Fate, fates } from './faulty-world.ts'

let histories = 0
const silent = pino({ level: 'silent' })
const settings = {
  clusters: ['a', 'b', 'c'].map((name, priority) => ({
    endpoint: `http://${name}`,
    cluster: { name, priority, weight: 1, labels: new Map<string, string>(), state: 'active' as const }
  })),
  strategy: 'rendezvous' as const,
  failoverAfterMs: 3_600_000
}

/** Fates of the first calls, once for creates and once for the others; all later ones are served. */
const anyFates = fc.record({
  create: fc.array(fc.constantFrom(...fates), { minLength: 1, maxLength: 20 }),
  other: fc.array(fc.oneof({ arbitrary: fc.constant('served' as const), weight: 3 }, fc.constantFrom(...fates)), {
    maxLength: 40
  })
})
const anyStep = fc.record({ key: fc.constantFrom('', 'k1', 'k2'), ms: fc.constantFrom(0, 0, 500, 5_000, 20_000) })

type Step = { readonly key: string; readonly ms: number }
type Doors = { readonly doors: number; readonly redis?: string }
type Fates = Readonly<Record<'create' | 'other', readonly Fate[]>>

/** What came of a history: per identity, how many are left, and whether what was promised last is what is left. */
async function history(drawn: Fates, steps: readonly Step[], { doors, redis }: Doors) {
  const clock = new ManualClock()
  const left = { create: [...drawn.create], other: [...drawn.other] }
  let dice = 0
  const world = new FaultyWorld(
    clock,
    call => left[call].shift() ?? 'served',
    () => 1_000 + ((dice += 7_919) % 40_000)
  )
  const { probe, transport } = world
  const random = () => (dice = (dice * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31
  const shared = { settings, log: silent, clock, random, probe, transport, ...(redis !== undefined && { redis }) }
  const servers = await Promise.all(
    Array.from({ length: doors }, () => startGlobal({ ...shared, registry: new Registry() }))
  )
  const clients = servers.map(({ url }) => clientOf(url).client(SchedulerService))
  // Another tenant each time: what Redis remembers of earlier histories is nobody's business.
  const tenant = `t${(histories += 1)}`
  let asked = 0
  const promised = new Map<string, string>()
  const underWay = new Set<symbol>()
  const ask = async (key: string) => {
    const call = Symbol(key)
    underWay.add(call)
    try {
      const client = clients[asked++ % doors]
      const { sandbox } = (await client?.createSandbox({ tenant, projectId: 'shop', idempotencyKey: key })) ?? {}
      if (sandbox && sandbox.state !== State.TERMINATED) promised.set(key, sandbox.uid)
      return sandbox
    } catch {
      return undefined
    } finally {
      underWay.delete(call)
    }
  }
  const settle = async (ms: number) => {
    for (let passed = 0; passed < ms || underWay.size > 0; passed += 1_000) {
      for (let at = 0; at < 15; at++) await turn()
      if (redis !== undefined) await sleep(3)
      clock.advance(1_000)
    }
  }
  try {
    for (const { key, ms } of steps) {
      void ask(key)
      await turn()
      if (ms > 0) await settle(ms)
    }
    Object.assign(left, { create: [], other: [] })
    await settle(110_000)
    const results = []
    for (const key of new Set(steps.map(step => step.key))) {
      const before = promised.get(key)
      const last = ask(key)
      await settle(5_000)
      const sandbox = await last
      await settle(110_000)
      const alive = world.live(sandboxIdOf({ tenant, projectId: 'shop', idempotencyKey: key }))
      results.push({ key, alive: alive.map(({ uid }) => uid), before, now: sandbox?.uid })
    }
    return results
  } finally {
    await Promise.all(servers.map(server => server.close()))
  }
}

/** Holds for any history: one sandbox is left of each identity, the one that was promised. */
export async function oneIsLeft(t: Test, numRuns: number, doors: Doors): Promise<void> {
  await fc.assert(
    fc.asyncProperty(anyFates, fc.array(anyStep, { minLength: 1, maxLength: 12 }), async (drawn, steps) => {
      for (const { key, alive, before, now } of await history(drawn, steps, doors)) {
        if (alive.length !== 1 || alive[0] !== now || (before !== undefined && before !== now))
          throw new Error(`${key || 'shop'}: promised ${before}, then ${now}; left: ${alive.join(', ') || 'none'}`)
      }
    }),
    { numRuns, seed: 29 }
  )
  t.pass(`${numRuns} histories`)
}
