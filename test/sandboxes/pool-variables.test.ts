import t from 'tap'
import { request } from 'undici'
import { Launch, State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import { musterCluster } from './muster-rig.ts'
import { full, pooled } from './pool-rig.ts'
import type { Loose } from './serve.ts'

/** Clusters of other processes may give out the same addresses. */
const port = 8093

/** The mock sandbox as a worker thread, which takes its variables while it runs. */
const mock = {
  metadata: {
    annotations: {
      'k4s/module': 'extender/sandboxes/mock/worker.ts',
      'k4s/params': JSON.stringify({ port }),
      'muster.dev/config-path': '/_config'
    }
  },
  spec: {
    containers: [
      {
        ...{ name: 'sandbox', image: 'mock', ports: [{ containerPort: port }] },
        readinessProbe: { httpGet: { path: '/healthz', port }, periodSeconds: 1 }
      }
    ]
  }
}

t.test('a running pod learns whose it is, and env that came with the request, before the answer', async t => {
  const on = await musterCluster(t, { nodes: 1, cpu: '8' })
  const pools = { warmPool: { mock: 2 } }
  const it = await pooled(t, on, { ...pools, templates: { mock } })
  await full(it, pools)
  for (const projectId of ['shop', 'blog']) {
    const wish = { projectId, template: 'mock', env: { TOKEN: projectId } }
    const { sandbox } = await it.sandboxes.createSandbox(wish)
    t.match(sandbox, { launch: Launch.WARM, state: State.READY })
    const { body } = await request(`http://${sandbox!.podIp}:${port}/`, { reset: true })
    const told = (await body.json()) as Loose
    t.match(told, { sandbox: sandbox!.id, project: projectId, pod: sandbox!.pod })
    t.strictSame(told.env, ['SANDBOX_ID', 'SANDBOX_PROJECT', 'TOKEN'])
  }
})
