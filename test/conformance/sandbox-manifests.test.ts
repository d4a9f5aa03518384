import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { startScheduler } from '../../extender/sandbox.ts'
import { schedulerAt } from '../../extender/sandboxes/client/connect.ts'
import { State } from '../../extender/sandboxes/proto/generated/sandbox/v1/sandbox_pb.js'
import type { Loose } from '../sandboxes/serve.ts'
import { openLab, scenario } from './scenario.ts'

const folder = 'manifests/sandbox'
const namespace = 'sandbox'
const read = (file: string) => readFileSync(`${folder}/${file}`, 'utf8')
const documents = (file: string): Loose[] => parseAllDocuments(read(file)).map(document => document.toJS())
const lab = await openLab(t, { controllerManager: true })

/** The shipped template; fake nodes have no disk to ask for, and muster's scheduler is the one that is there. */
function template(): Loose {
  const shipped: Loose = parse(read('template.yaml'))
  shipped.spec.schedulerName = 'muster'
  for (const { resources } of shipped.spec.containers)
    for (const part of ['requests', 'limits']) delete resources[part]['ephemeral-storage']
  return shipped
}

if (lab) {
  const { client } = lab.cluster
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/sandbox'
  await client.create('/api/v1/namespaces', documents('namespace.yaml')[0])
  for (const object of documents('rbac.yaml')) {
    if (object.kind === 'Role') await client.create(`${rbac}/roles`, object)
    if (object.kind === 'RoleBinding') {
      const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'restricted' }]
      await client.create(`${rbac}/rolebindings`, { ...object, subjects })
    }
  }

  scenario(t, lab, ['S1.10 the shipped rights and template are enough for a sandbox, from first to last'], async t => {
    await lab.createNodes('node', 2)
    const registry = new Registry()
    const scheduler = await startScheduler({
      ...{ port: 0, redis: false, registry, log: pino({ level: 'silent' }), templates: { default: template() } },
      kubeconfig: await lab.cluster.kubeconfig('restricted')
    })
    t.teardown(() => scheduler.close())
    const ask = schedulerAt(scheduler.url)
    const { sandbox } = await ask.createSandbox({ projectId: 'shop' })
    const id = sandbox?.id ?? ''
    t.equal((await ask.createSandbox({ projectId: 'shop' })).sandbox?.uid, sandbox?.uid)
    await lab.until('the sandbox is ready', async () => (await ask.getSandbox({ id })).sandbox?.state === State.READY)
    t.equal((await ask.retainSandbox({ id })).sandbox?.retainCount, 1)
    t.equal((await ask.releaseSandbox({ id })).sandbox?.state, State.TERMINATED)
    await lab.waitFor('its pod is gone', () => lab.podsIn(namespace).length === 0)
    const said = await registry.metrics()
    t.strictSame(
      said
        .split('\n')
        .filter(line => line.startsWith('muster_apiserver_requests_total') && line.includes('code="403"')),
      []
    )
  })
}
