/** The native PodGroups' scenarios in which something comes between plan and Binding: NV-6 in mid-cycle, and NV-8. */
import t from 'tap'
import { isBinding, podWritten } from '../control-plane/api-proxy.ts'
import { ApiError } from '../control-plane/client.ts'
import { metric } from '../control-plane/muster.ts'
import { freePort } from '../control-plane/ports.ts'
import { nothingIsHeld, openLab, scenario } from './scenario.ts'
import { type Case, Pool, sideBySide } from './pools.ts'

const lab = await openLab(t)
const admission = '/apis/admissionregistration.k8s.io/v1'

/** Refuses the Binding of one pod, as policies and quota do (403) or as a webhook that is down (500); answers the end. */
async function refuse(pool: Pool, pod: string, status: 403 | 500): Promise<() => Promise<void>> {
  const lift = await (status === 403 ? forbid(pool, pod) : breakWebhook(pool, pod))
  const { client } = pool.lab.cluster
  // The pod does not exist yet: not found means that nobody objects.
  await pool.lab.until(`the Binding of ${pod} is refused with ${status}`, async () => {
    const binding = { metadata: { name: pod }, target: { kind: 'Node', name: pool.node(0) } }
    const answer = await client
      .create(`/api/v1/namespaces/${pool.namespace}/pods/${pod}/binding?dryRun=All`, binding)
      .catch((error: unknown) => error)
    return answer instanceof ApiError && answer.status === status
  })
  return lift
}

async function forbid(pool: Pool, pod: string): Promise<() => Promise<void>> {
  const { client } = pool.lab.cluster
  const name = pool.namespace
  const constraints = {
    resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods/binding'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': pool.namespace } }
  }
  await client.create(`${admission}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      matchConstraints: constraints,
      validations: [{ expression: `request.name != '${pod}'`, message: 'no Binding of this pod', reason: 'Forbidden' }]
    }
  })
  await client.create(`${admission}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] }
  })
  return () => client.delete(`${admission}/validatingadmissionpolicybindings/${name}`)
}

async function breakWebhook(pool: Pool, pod: string): Promise<() => Promise<void>> {
  const { client } = pool.lab.cluster
  const name = pool.namespace
  const url = `https://127.0.0.1:${await freePort()}/nobody`
  await client.create(`${admission}/validatingwebhookconfigurations`, {
    metadata: { name },
    webhooks: [
      {
        name: 'quota.example.com',
        clientConfig: { url },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods/binding'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': pool.namespace } },
        matchConditions: [{ name: 'pod', expression: `request.name == '${pod}'` }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        failurePolicy: 'Fail',
        timeoutSeconds: 1
      }
    ]
  })
  return () => client.delete(`${admission}/validatingwebhookconfigurations/${name}`)
}

const nodes = (pool: Pool): Readonly<Record<string, string>> =>
  Object.fromEntries(pool.pods('pg1').map(each => [each.metadata.uid, each.spec.nodeName ?? '']))

/** NV-8; the refusal lasts from before the gang comes until 10 s after it was first met. */
function bindFails(pod: string, status: 403 | 500, gated: boolean): Case {
  let lift: (() => Promise<void>) | undefined
  let first: Readonly<Record<string, string>> = {}
  return {
    name: `NV-8 the Binding of ${pod} of 3 is refused with ${status} (${gated ? 'gated' : 'ungated'})`,
    nodes: [{ memory: '100Mi' }, { memory: '100Mi' }, { memory: '100Mi' }],
    async create(pool) {
      lift = await refuse(pool, pod, status)
      await pool.create(...pool.gang({ name: 'pg1', size: 3, memory: '100Mi', gated }))
    },
    async settle(pool) {
      const path = `/namespaces/${pool.namespace}/`
      const isRefused = () =>
        pool.lab.api.calls.some(
          call => isBinding(call) && call.path.includes(path) && podWritten(call) === pod && call.status === status
        )
      await pool.lab.until('the refusal was met', async () => isRefused())
      first = nodes(pool)
    },
    async finish(pool, t) {
      const bound = pool.bound('pg1')
      t.ok(bound === 0 || bound === 2, `all others, or none: ${bound}`)
      if (bound > 0) t.ok((await metric(pool.lab.muster, 'muster_partial_gangs')) > 0, 'the metrics show it')
      t.ok((await pool.view('pg1'))?.['reason'], 'the gang is told why it is not whole')
      const before = { ...first, ...nodes(pool) }
      await lift?.()
      await pool.binds('pg1', 3, 60_000)
      const after = nodes(pool)
      t.strictSame(Object.keys(after).toSorted(), Object.keys(before).toSorted(), 'the same pods')
      const moved = Object.entries(before).filter(([uid, node]) => node !== '' && after[uid] !== node)
      t.strictSame(moved, [], 'those that were bound stay where they are')
    }
  }
}

if (lab) {
  const faults = true
  for (const started of [true, false]) {
    const when = started ? 'while the schedulers run' : 'before the schedulers start'
    const cases = [true, false].flatMap(gated => [
      bindFails('pg1-0', 403, gated),
      bindFails('pg1-1', 403, gated),
      bindFails('pg1-2', 500, gated)
    ])
    sideBySide(t, lab, [`pods created ${when}`, { started, faults }], cases)

    for (const gated of [true, false]) {
      const name = `NV-6 a member added while its ${gated ? 'gated' : 'ungated'} gang is being bound, created ${when}`
      scenario(t, lab, [name, { started }], async (t, ns) => {
        const pool = new Pool(lab, `${ns}-pool`, started)
        await pool.open([{ memory: '400Mi' }])
        if (started) await lab.createNodes(`${ns}-last`, 1)
        const { promise, resolve } = Promise.withResolvers<void>()
        lab.api.intercept({ before: call => (isBinding(call) ? promise : undefined) })
        const members = pool.gang({ name: 'pg1', size: 4, minMember: 3, memory: '100Mi', gated })
        await pool.create(...members.slice(0, 3))
        await lab.start()
        await lab.until('a Binding is under way', async () => lab.api.calls.some(isBinding))
        await pool.create(...members.slice(3))
        await lab.until('muster has seen the fourth', async () => count(await pool.view('pg1')) === 4)
        t.equal(pool.bound('pg1'), 0, 'none is bound yet')
        resolve()
        await pool.binds('pg1', 4)
        await nothingIsHeld(lab)
      })
    }
  }
}

const count = (view: { readonly [field: string]: unknown } | undefined): number =>
  Array.isArray(view?.['members']) ? view['members'].length : 0
