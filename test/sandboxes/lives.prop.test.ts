import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { untilTrue } from '../embedded/until.ts'
import { faulty } from './dying.ts'
import { type Cluster, cluster, publisher, type Service, service } from './rig.ts'
import { SkewedClock } from './skewed-clock.ts'

t.setTimeout(240_000)

type Step =
  | {
      readonly what: 'create' | 'release' | 'retain'
      readonly replica: number
      readonly project: string
      readonly key: string
    }
  | { readonly what: 'delete pod' | 'delete service'; readonly which: number }
  | { readonly what: 'wait'; readonly seconds: number }
  | { readonly what: 'restart'; readonly replica: number }
  | { readonly what: 'trouble'; readonly share: number }

const replica = fc.nat(1)
const asked = { replica, project: fc.constantFrom('p1', 'p2', 'p3'), key: fc.constantFrom('', '', 'k1', 'k2') }
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('create' as const), ...asked }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('release' as const, 'retain' as const), ...asked }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constantFrom('delete pod' as const, 'delete service' as const), which: fc.nat(5) })
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), replica }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('trouble' as const), share: fc.constantFrom(0, 0, 0.3) }) }
)

/** Two replicas before one cluster, which may be in trouble. */
async function world(t: Test, seed: number) {
  const on = await cluster(t)
  const clock = new SkewedClock()
  const { publish, events } = publisher(t)
  const state = { share: 0, random: seed >>> 0 }
  const dice = () => {
    state.random = (state.random * 1_664_525 + 1_013_904_223) >>> 0
    return state.random / 2 ** 32
  }
  const wrap = faulty(() => (dice() < state.share ? new Error('reset') : undefined))
  const start = () => service(t, on, { wrap, clock, enableEvents: true, publisher: { publish }, sandboxTtl: 60_000 })
  return { on, clock, events, state, start, replicas: [await start(), await start()] as [Service, Service] }
}

type World = Awaited<ReturnType<typeof world>>

async function take(it: World, uids: Set<string>, step: Step): Promise<void> {
  switch (step.what) {
    case 'create': {
      const wish = { projectId: step.project, idempotencyKey: step.key }
      const answer = await it.replicas[step.replica]!.sandboxes.createSandbox(wish).catch(() => undefined)
      if (answer?.sandbox) uids.add(answer.sandbox.uid)
      return
    }
    case 'release':
      await it.replicas[step.replica]!.sandboxes.releaseSandbox({ projectId: step.project }).catch(() => {})
      return
    case 'retain':
      await it.replicas[step.replica]!.sandboxes.retainSandbox({ projectId: step.project }).catch(() => {})
      return
    case 'wait':
      return it.clock.advance(step.seconds * 1_000)
    case 'restart':
      await it.replicas[step.replica]!.close()
      it.replicas[step.replica] = await it.start()
      return
    case 'trouble':
      it.state.share = step.share
      return
    default:
      return remove(it.on, step.what === 'delete pod' ? 'pods' : 'services', step.which)
  }
}

function remove(on: Cluster, resource: 'pods' | 'services', which: number): void {
  const all = resource === 'pods' ? on.pods() : on.services()
  const name = all[which]?.metadata.name
  if (name !== undefined) on.client.delete({ resource, namespace: 'sandbox', name })
}

/** No sandbox has two pods. */
function check(t: Test, on: Cluster): void {
  const owners = on.pods().map(({ metadata }) => metadata.ownerReferences[0].uid)
  t.equal(new Set(owners).size, owners.length, 'no sandbox has two pods')
}

/** One history, and whether it kept the promises. */
async function live(t: Test, steps: readonly Step[], seed: number): Promise<void> {
  const it = await world(t, seed)
  const uids = new Set<string>()
  for (const each of steps) {
    await take(it, uids, each)
    check(t, it.on)
  }
  it.state.share = 0
  // Everything has a deadline; what was ended by one who is gone has a grace.
  const isOver = () => {
    it.clock.advance(1_000)
    return it.on.services().length + it.on.pods().length === 0
  }
  await untilTrue('nothing is left', isOver, 60_000)
  const ends = new Map<string, number>()
  for (const { id, sandbox } of it.events) {
    t.equal(sandbox?.state, State.TERMINATED)
    t.equal(ends.get(id) ?? sandbox!.reason, sandbox!.reason, 'for one reason, however often it is told')
    ends.set(id, sandbox!.reason)
  }
  for (const uid of uids) t.ok(ends.has(`${uid}.terminated`), `the end of ${uid} was told`)
}

t.test('whatever happens, no sandbox has two pods, each end is told, and in the end nothing is left', async t => {
  const history = fc.array(step, { minLength: 10, maxLength: 30 })
  const run = fc.asyncProperty(history, fc.nat(), async (steps, seed) => {
    await t.test(`seed ${seed}`, t => live(t, steps, seed))
  })
  await fc.assert(run, { numRuns: 6, endOnFailure: true })
})
