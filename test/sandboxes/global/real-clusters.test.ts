import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Registry } from 'prom-client'
import { startGlobal } from '../../../extender/sandboxes/global/serve.ts'
import { settingsOf } from '../../../extender/sandboxes/global/settings.ts'
import {
  PlacementReason,
  PlacementService
} from '../../../extender/sandboxes/proto/generated/sandbox/v1/placement_pb.js'
import { State } from '../../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { SchedulerService } from '../../../extender/sandboxes/proto/generated/sandbox/v1/scheduler_pb.js'
import { untilTrue } from '../../embedded/until.ts'
import { cluster, service } from '../rig.ts'
import { clientOf, recordingLog } from '../serve.ts'
import { refused } from './front-door.ts'

t.test(
  'S0.2 S0.26 S0.27 S0.29 S0.51 S1.1 S1.2 S1.3 two clusters with their schedulers behind one front door',
  async t => {
    const [west, east] = await Promise.all([cluster(t), cluster(t)])
    const [inWest, inEast] = [await service(t, west, { cluster: 'west' }), await service(t, east, { cluster: 'east' })]
    const settings = settingsOf(
      `clusters: [{name: west, endpoint: '${inWest.url}'}, {name: east, endpoint: '${inEast.url}', priority: 1}]`,
      'clusters'
    )
    const { log } = recordingLog()
    const front = await startGlobal({ settings, log, registry: new Registry() })
    t.teardown(() => front.close())
    const asking = clientOf(front.url)
    const [sandboxes, placements] = [asking.client(SchedulerService), asking.client(PlacementService)]
    const areHealthy = async () => (await placements.listClusters({})).clusters.every(({ healthy }) => healthy)
    while (!(await areHealthy())) await sleep(20)
    const keyed = { projectId: 'shop', idempotencyKey: 'k1' }

    const answers = await Promise.all(Array.from({ length: 20 }, () => sandboxes.createSandbox(keyed)))
    const [first] = answers
    const id = first?.sandbox?.id ?? ''
    t.equal(new Set(answers.map(({ sandbox }) => sandbox?.uid)).size, 1)
    t.equal(answers.filter(({ created }) => created).length, 1)
    t.match(first?.placement, { cluster: 'west' })
    t.equal(first?.sandbox?.cluster, 'west')
    await untilTrue('its pod is there', () => west.pods().length === 1)
    t.strictSame([west.services().length, east.services().length], [1, 0])

    const project = await sandboxes.createSandbox({ projectId: 'shop' })
    t.match(project.placement, { cluster: 'west', reason: PlacementReason.WEIGHTED })
    t.equal((await sandboxes.retainSandbox({ id, ttl: { seconds: 1_800n, nanos: 0 } })).sandbox?.retainCount, 1)
    const reused = await refused(sandboxes.createSandbox({ projectId: 'blog', idempotencyKey: 'k1' }))
    t.match(reused.rawMessage, /k1|key/, 'another use of the key is noticed where it was used first')

    await inWest.close()
    t.match((await refused(sandboxes.createSandbox(keyed))).rawMessage, /^cluster west, which holds sandbox/)
    const other = await sandboxes.createSandbox({ projectId: 'blog' })
    t.match(other.placement, { cluster: 'east', reason: PlacementReason.SPILLOVER })
    t.strictSame([west.services().length, east.services().length], [2, 1])
    t.strictSame(
      (await sandboxes.listSandboxes({})).sandboxes.map(({ projectId }) => projectId),
      ['blog'],
      'of what can be reached'
    )

    const port = Number(new URL(inWest.url).port)
    await service(t, west, { cluster: 'west', port })
    const again = await sandboxes.createSandbox(keyed)
    t.strictSame([again.created, again.sandbox?.uid], [false, first?.sandbox?.uid])
    t.equal((await sandboxes.releaseSandbox({ id })).sandbox?.state, State.TERMINATED)
    await untilTrue('its pod is gone', () => west.pods().length === 1)
    const ended = await sandboxes.createSandbox(keyed)
    t.strictSame([ended.created, east.services().length], [false, 1], 'a replay makes nothing')
  }
)
