import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import type { Lab } from '../control-plane/lab.ts'
import { isBound, type NamedPod, type Pod, podObject } from '../control-plane/objects.ts'
import { openLab, scenario } from './scenario.ts'

// Three Deployments come one after the other: on a busy machine their pods may be more than a second apart.
// Nothing here is left to the look at everything that comes round in the end.
const lab = await openLab(t, { controllerManager: true, musterArgs: ['--gang-settle', '5s', '--resync', '1h'] })
const examples = new URL('../../manifests/examples/', import.meta.url)

if (lab) {
  example(
    'S3.47 S3.64 the example on three nodes: the high and the low one run, the gang waits whole',
    async (t, ns, lab) => {
      await lab.createNodes('node', 3, { slots: 10 })
      await apply(lab, ns, 'example-deployments.yaml')
      await lab.waitFor(
        'the two single pods run',
        () => running(lab, ns, 'high-priority') + running(lab, ns, 'low-priority') === 2
      )
      t.equal(running(lab, ns, 'gang-app-a'), 0)
      t.strictSame(shared(lab, ns), [], 'one pod to a node')
    }
  )

  example(
    'S3.47 S3.48 the example on four nodes: the gang takes the room of the low one, which comes back and waits',
    async (t, ns, lab) => {
      await lab.createNodes('node', 3, { slots: 10 })
      await apply(lab, ns, 'example-deployments.yaml')
      await lab.waitFor(
        'the low one runs',
        () => running(lab, ns, 'low-priority') === 1 && running(lab, ns, 'high-priority') === 1
      )
      await lab.createNodes('more', 1, { slots: 10 })
      await lab.waitFor('the gang runs whole', () => running(lab, ns, 'gang-app-a') === 3)
      await lab.waitFor('the low one is there again', () => of(lab, ns, 'low-priority').length === 1)
      t.equal(running(lab, ns, 'low-priority'), 0)
      t.equal(running(lab, ns, 'high-priority'), 1)
      t.strictSame(shared(lab, ns), [])
    }
  )

  example('S3.50 S3.79 a gang of three Deployments: together or not at all', async (t, ns, lab) => {
    await lab.createNodes('node', 2, { slots: 10 })
    await apply(lab, ns, 'example-deployments-split-gang.yaml')
    await lab.waitFor('all three exist', () => lab.podsIn(ns).length === 3)
    await lab.until('they wait', async () =>
      lab.podsIn(ns).every(pod => pod.status.conditions?.some(({ reason }) => reason === 'Unschedulable'))
    )
    t.equal(lab.podsIn(ns).filter(isBound).length, 0)
    await lab.createNodes('more', 1, { slots: 10 })
    await lab.waitFor('all three run', () => lab.podsIn(ns).filter(isBound).length === 3)
    t.strictSame(shared(lab, ns), [])
  })

  example('S3.78 each example of the custom scheduler is one kubectl apply', async (t, ns, lab) => {
    await lab.createNodes('node', 3, { slots: 10 })
    await apply(lab, ns, 'example-deployments-single-gang.yaml')
    await lab.waitFor('the gang runs', () => running(lab, ns, 'gang-app-a') === 3)
    t.pass()
  })

  scenario(
    t,
    lab,
    ['S3.63 a pod of higher priority takes the node of one of lower priority, by annotation alone'],
    async (t, ns) => {
      await lab.createNodes('node', 3, { slots: 10 })
      await lab.createPods(ns, [one('low-0', '10'), one('low-1', '10'), one('low-2', '10')])
      await lab.waitFor('three run', () => lab.podsIn(ns).filter(isBound).length === 3)
      t.strictSame(shared(lab, ns), [])
      await lab.createPods(ns, [one('high', '100')])
      await lab.waitFor('the high one runs', () =>
        lab.podsIn(ns).some(pod => pod.metadata.name === 'high' && isBound(pod))
      )
      t.equal(lab.podsIn(ns).length, 3, 'one of the others went')
    }
  )

  example(
    'Deployments come, grow and shrink: the highest run, gangs whole, and who made way comes back',
    async (t, ns, lab) => {
      await lab.createNodes('node', 6, { slots: 10 })
      await deploy(lab, ns, { name: 'low', replicas: 4, priority: 10 })
      await deploy(lab, ns, { name: 'high', replicas: 2, priority: 100 })
      await lab.waitFor('all run', () => running(lab, ns, 'low') + running(lab, ns, 'high') === 6)
      await scale(lab, ns, 'high', 3)
      await lab.waitFor('one of the low ones went', () => running(lab, ns, 'high') === 3)
      t.equal(running(lab, ns, 'low'), 3)
      await deploy(lab, ns, { name: 'gang', replicas: 4, priority: 50, group: 'gang' })
      await lab.waitFor('the gang exists', () => of(lab, ns, 'gang').length === 4)
      await scale(lab, ns, 'high', 2)
      await lab.waitFor('the gang runs whole', () => running(lab, ns, 'gang') === 4)
      t.strictSame([running(lab, ns, 'high'), running(lab, ns, 'low')], [2, 0])
      await scale(lab, ns, 'gang', 0)
      await lab.waitFor('the low ones are back', () => running(lab, ns, 'low') === 4)
      t.equal(running(lab, ns, 'high'), 2)
      t.strictSame(shared(lab, ns), [])
    }
  )

  scenario(t, lab, ['annotations give no right over pods of another namespace'], async (t, ns) => {
    const other = await lab.createNamespace(`${ns}-other`)
    await lab.createNodes('node', 1, { slots: 10 })
    await lab.createPods(other, [
      podObject('victim', { schedulerName: 'custom-scheduler', annotations: { priority: '1' } })
    ])
    await lab.waitFor('the victim runs', () => lab.podsIn(other).some(isBound))
    await lab.createPods(ns, [
      podObject('attacker', { schedulerName: 'custom-scheduler', annotations: { priority: '2000000000' } })
    ])
    await lab.waitFor('the attacker is refused', () =>
      lab.podsIn(ns).some(pod => pod.status.conditions?.some(({ reason }) => reason === 'Unschedulable'))
    )
    t.equal(lab.podsIn(other).filter(isBound).length, 1)
    t.equal(lab.podsIn(ns).filter(isBound).length, 0)
  })
}

/** A case that ends with its Deployments, so that nobody makes their pods anew. */
function example(name: string, body: (t: Test, ns: string, lab: Lab) => Promise<void>): void {
  if (!lab) return
  scenario(t, lab, [name], async (t, ns) => {
    try {
      await body(t, ns, lab)
    } finally {
      await lab.cluster.client.delete(`/apis/apps/v1/namespaces/${ns}/deployments`)
      await lab.waitFor('the deployments’ pods are gone', () => lab.podsIn(ns).length === 0)
    }
  })
}

/** A pod of the plan-based scheduler. */
function one(name: string, priority: string): NamedPod {
  return podObject(name, { schedulerName: 'custom-scheduler', annotations: { priority } })
}

interface Deployed {
  readonly name: string
  readonly replicas: number
  readonly priority: number
  readonly group?: string
}

/** A Deployment of the plan-based scheduler. */
async function deploy(lab: Lab, ns: string, { name, replicas, priority, group }: Deployed): Promise<void> {
  const annotations = { priority: String(priority), ...(group !== undefined && { 'pod-group': group }) }
  const { spec } = podObject(name, { schedulerName: 'custom-scheduler' })
  await lab.cluster.client.create(`/apis/apps/v1/namespaces/${ns}/deployments`, {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name }, annotations }, spec }
    }
  })
}

async function scale(lab: Lab, ns: string, name: string, replicas: number): Promise<void> {
  await lab.cluster.client.patch(`/apis/apps/v1/namespaces/${ns}/deployments/${name}`, { spec: { replicas } })
}

/** As kubectl would, into the namespace of the case. */
async function apply(lab: Lab, ns: string, file: string): Promise<void> {
  for (const document of parseAllDocuments(readFileSync(new URL(file, examples), 'utf8')))
    await lab.cluster.client.create(`/apis/apps/v1/namespaces/${ns}/deployments`, document.toJS() as object)
}

const of = (lab: Lab, ns: string, app: string): readonly Pod[] =>
  lab.podsIn(ns).filter(pod => pod.metadata.labels?.['app'] === app && pod.metadata.deletionTimestamp === undefined)

const running = (lab: Lab, ns: string, app: string): number => of(lab, ns, app).filter(isBound).length

/** Nodes with more than one pod of the case. */
function shared(lab: Lab, ns: string): string[] {
  const nodes = Map.groupBy(lab.podsIn(ns).filter(isBound), pod => pod.spec.nodeName ?? '')
  return [...nodes].filter(([, pods]) => pods.length > 1).map(([node]) => node)
}
