import t from 'tap'
import { startScheduler } from '../../extender/sandbox.ts'
import { Reason, type Sandbox, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import type { Metadata } from '../control-plane/objects.ts'
import { publisher } from '../sandboxes/rig.ts'
import { clientOf, recordingLog } from '../sandboxes/serve.ts'
import { SkewedClock } from '../sandboxes/skewed-clock.ts'
import { openLab, scenario } from './scenario.ts'

type Items = { readonly items: readonly { readonly metadata: Metadata }[] }

const lab = await openLab(t, { controllerManager: true })

if (lab)
  scenario(
    t,
    lab,
    ['S0.2 S1.10 sandboxes on the real API server, placed by the real kube-scheduler and muster'],
    async (t, ns) => {
      await lab.createNodes('node', 2)
      const { log } = recordingLog()
      const { publish, events } = publisher(t)
      const clock = new SkewedClock()
      const kubeconfig = await lab.cluster.kubeconfig('admin')
      const options = { port: 0, redis: false as const, log, clock, kubeconfig, namespace: ns, enableEvents: true }
      const running = await startScheduler({ ...options, publisher: { publish } })
      t.teardown(() => running.close())
      const sandboxes = clientOf(running.url).client(SchedulerService)
      const list = async (kind: string) =>
        (await lab.cluster.client.get<Items>(`/api/v1/namespaces/${ns}/${kind}`)).items
      const seen = new Map<string, Sandbox>()
      const ending = new AbortController()
      t.teardown(() => ending.abort())
      const watching = async () => {
        for await (const { sandbox } of sandboxes.watchSandboxes({}, { signal: ending.signal }))
          if (sandbox) seen.set(sandbox.projectId, sandbox)
      }
      void watching().catch(() => {})
      const is = (project: string, state: State) => () => seen.get(project)?.state === state

      const all = await Promise.all(
        Array.from({ length: 20 }, () => sandboxes.createSandbox({ projectId: 'p1', idempotencyKey: 'k1' }))
      )
      t.equal(all.filter(({ created }) => created).length, 1)
      await sandboxes.createSandbox({ projectId: 'p2' })
      await lab.waitFor('both are ready', () => is('p1', State.READY)() && is('p2', State.READY)())
      t.equal((await list('pods')).length, 2)
      const retained = await sandboxes.retainSandbox({ projectId: 'p2', ttl: { seconds: 3_600n } })
      t.equal(retained.sandbox?.retainCount, 1)

      clock.advance(16 * 60_000)
      await lab.waitFor('the first has expired', is('p1', State.TERMINATED))
      t.equal(seen.get('p1')?.reason, Reason.EXPIRED)
      t.ok(is('p2', State.READY)(), 'what was retained lives')
      await sandboxes.releaseSandbox({ projectId: 'p2' })
      await lab.waitFor('both ends are told', () => events.length === 2)
      const isEmpty = async (kind: string) => (await list(kind)).length === 0
      await lab.until('nothing is left', async () => (await isEmpty('services')) && (await isEmpty('pods')))
      t.match(
        events.map(({ partitionKey, sandbox }) => [partitionKey, sandbox?.reason]),
        [
          ['p1', Reason.EXPIRED],
          ['p2', Reason.RELEASED]
        ]
      )
    }
  )
