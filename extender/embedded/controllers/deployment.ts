import { controllerOf, isLeaving, keyOf, referenceTo, uidOf, type Workload } from '../kinds.ts'
import { selects } from '../selectors.ts'
import { StatusError } from '../store/objects.ts'
import { bothOf, type Controller, type Looks, type Shared } from './controller.ts'
import { tellDeployment } from './deployment-status.ts'
import { canonical, hashOf } from './hash.ts'
import { ownedBy } from './pods.ts'
import { annotate, revisionOf, roll, roomFor, scaleTo } from './rollout.ts'

const resource = 'deployments.apps'
const hashLabel = 'pod-template-hash'

/** Keeps a Deployment's newest ReplicaSet at full size and the others at none, a few pods at a time. */
export function openDeployments(shared: Shared, looks: Looks): Controller {
  const deployments = shared.informer(resource)
  const sets = shared.informer('replicasets.apps')
  deployments.onChange(({ object }) => object && looks.add(keyOf(object)))
  sets.onChange(change => {
    for (const set of bothOf(change)) {
      const owner = controllerOf(set)
      if (owner?.kind === 'Deployment') looks.add(`${set.metadata.namespace}/${owner.name}`)
    }
  })
  shared.pods.onChange(({ previous, object }) => {
    // Recreate waits for the last old pod, and nothing else changes when it goes.
    const owner = object === undefined && previous !== undefined ? controllerOf(previous) : undefined
    const set = owner?.kind === 'ReplicaSet' ? sets.get(`${previous?.metadata.namespace}/${owner.name}`) : undefined
    const above = set === undefined ? undefined : controllerOf(set)
    if (above?.kind === 'Deployment') looks.add(`${previous?.metadata.namespace}/${above.name}`)
  })
  return {
    name: 'deployment',
    keys: () => deployments.keys(),
    reconcile(key) {
      const deployment = deployments.get(key)
      if (deployment === undefined || isLeaving(deployment)) return
      const olderFirst = claimSets(shared, deployment)
      const again = look(shared, deployment, olderFirst)
      if (again !== undefined) looks.addAfter(key, again)
    }
  }
}

function look(shared: Shared, deployment: Workload, sets: readonly Workload[]): number | undefined {
  const { paused } = deployment.spec
  let newest = sets.find(set => hasTemplate(set, deployment))
  const old = sets.filter(set => set !== newest)
  if (newest === undefined && paused !== true) newest = createSet(shared, deployment, old)
  if (newest !== undefined && paused !== true) newest = refresh(shared, deployment, newest, old)
  if (paused === true) scalePaused(shared, deployment, newest, old)
  else if (newest !== undefined) roll(shared, deployment, { newest, old })
  const now = current(shared, deployment)
  const latest = now.find(set => uidOf(set) === newest?.metadata.uid)
  if (latest !== undefined) prune(shared, deployment, now)
  return tellDeployment(shared, deployment, { newest: latest, all: now })
}

/** The ReplicaSets that a Deployment manages, as they are now, older ones first. */
function current(shared: Shared, deployment: Workload): readonly Workload[] {
  return shared
    .informer('replicasets.apps')
    .by('owner', uidOf(deployment))
    .filter(set => !isLeaving(set))
    .toSorted((one, other) => revisionOf(one) - revisionOf(other) || (one.metadata.name < other.metadata.name ? -1 : 1))
}

/** Adopts ReplicaSets without an owner that fit the selector. */
function claimSets(shared: Shared, deployment: Workload): readonly Workload[] {
  const { namespace = 'default' } = deployment.metadata
  for (const set of shared.informer('replicasets.apps').by('namespace', namespace)) {
    if (controllerOf(set) !== undefined || isLeaving(set)) continue
    if (!selects(deployment.spec.selector, set.metadata.labels)) continue
    const ownerReferences = [...(set.metadata.ownerReferences ?? []), ownedBy(deployment)]
    shared.client.patch(referenceTo('replicasets.apps', set), { metadata: { ownerReferences } }, { type: 'merge' })
  }
  return current(shared, deployment)
}

/** Whether a ReplicaSet was made from the Deployment's template as it is now. */
function hasTemplate(set: Workload, deployment: Workload): boolean {
  const { [hashLabel]: _, ...labels } = set.spec.template.metadata?.labels ?? {}
  const template = { ...set.spec.template, metadata: { ...set.spec.template.metadata, labels } }
  const { labels: wanted = {}, ...rest } = deployment.spec.template.metadata ?? {}
  return canonical(template) === canonical({ ...deployment.spec.template, metadata: { ...rest, labels: wanted } })
}

function createSet(shared: Shared, deployment: Workload, old: readonly Workload[]): Workload | undefined {
  const collisions = Number(deployment.status?.['collisionCount'] ?? 0)
  const set = newSet(deployment, hashOf([deployment.spec.template, collisions]), {
    replicas: roomFor(shared, deployment, undefined, old),
    revision: revisionAfter(old)
  })
  try {
    const created = shared.client.create('replicasets.apps', set) as Workload
    const { replicas = 0 } = created.spec
    const message = `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`
    shared.events.record(deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message })
    return created
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error
    const status = { ...deployment.status, collisionCount: collisions + 1 }
    shared.client.update(resource, { ...deployment, status }, 'status')
    throw error
  }
}

function newSet(
  deployment: Workload,
  hash: string,
  { replicas, revision }: { readonly replicas: number; readonly revision: number }
): Workload {
  const { name, namespace = 'default' } = deployment.metadata
  const { template, selector, minReadySeconds } = deployment.spec
  const labels = { ...template.metadata?.labels, [hashLabel]: hash }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: annotate(deployment, revision),
      ownerReferences: [ownedBy(deployment)]
    },
    spec: {
      replicas,
      ...(minReadySeconds !== undefined && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } }
    }
  }
}

const revisionAfter = (old: readonly Workload[]): number => Math.max(0, ...old.map(revisionOf)) + 1

/** A ReplicaSet that is the newest again, after an undo, gets the newest revision. */
function refresh(shared: Shared, deployment: Workload, newest: Workload, old: readonly Workload[]): Workload {
  const revision = Math.max(revisionOf(newest), revisionAfter(old))
  const annotations = annotate(deployment, revision)
  const { minReadySeconds = 0 } = deployment.spec
  const before = newest.metadata.annotations ?? {}
  const same = Object.entries(annotations).every(([name, value]) => before[name] === value)
  let set = newest
  if (!same || (newest.spec.minReadySeconds ?? 0) !== minReadySeconds) {
    const patch = { metadata: { annotations }, spec: { minReadySeconds } }
    set = shared.client.patch(referenceTo('replicasets.apps', newest), patch, { type: 'merge' }) as Workload
  }
  const name = 'deployment.kubernetes.io/revision'
  if (deployment.metadata.annotations?.[name] !== String(revision)) {
    const patch = { metadata: { annotations: { [name]: String(revision) } } }
    // With its status, as upstream: a revision is no change of what is wanted, and counts no generation.
    shared.client.patch(referenceTo(resource, deployment), patch, { type: 'merge', subresource: 'status' })
  }
  return set
}

/** Paused: no rollout, but a Deployment of one ReplicaSet still has the size it asks for. */
function scalePaused(
  shared: Shared,
  deployment: Workload,
  newest: Workload | undefined,
  old: readonly Workload[]
): void {
  const running = [...(newest === undefined ? [] : [newest]), ...old].filter(set => (set.spec.replicas ?? 0) > 0)
  const only = running.length === 0 ? newest : running[0]
  if (running.length <= 1 && only !== undefined) scaleTo(shared, deployment, only, deployment.spec.replicas ?? 1)
}

/** Deletes the oldest empty ReplicaSets beyond the history that is to be kept. */
function prune(shared: Shared, deployment: Workload, sets: readonly Workload[]): void {
  const keep = Number(deployment.spec['revisionHistoryLimit'] ?? 10)
  const empty = sets
    .slice(0, -1)
    .filter(set => (set.spec.replicas ?? 0) === 0 && Number(set.status?.['replicas'] ?? 0) === 0)
  const settled = empty.filter(set => set.status?.['observedGeneration'] === set.metadata.generation)
  for (const set of settled.slice(0, Math.max(0, settled.length - keep)))
    shared.client.delete(referenceTo('replicasets.apps', set))
}
