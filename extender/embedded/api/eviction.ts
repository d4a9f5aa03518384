import type { DeleteOptions } from '../store/client.ts'
import type { LabelSelector } from '../kinds.ts'
import { selects } from '../selectors.ts'
import { type KubeObject, type Reference, StatusError } from '../store/objects.ts'
import { checkDeletion, type Deletion } from './deletion.ts'
import { type Fields, fields, list } from './fields.ts'
import { timestamp, withField } from './metadata.ts'
import type { Resource } from './resource.ts'
import type { Writer } from './writer.ts'

type Parts = {
  readonly writer: Writer
  readonly deletion: Deletion
  readonly pods: Resource
  readonly budgets: Resource
}
type Options = DeleteOptions & { readonly dryRun?: boolean }

/** `pods/eviction`: a deletion that the pod's disruption budget must have room for. */
export function evict(parts: Parts, reference: Reference, options: Options): void {
  const { writer, deletion, pods } = parts
  const pod = writer.current(pods, reference)
  checkDeletion(pods, pod, options)
  if (!isFree(pod)) charge(parts, pod, options)
  if (!options.dryRun && pod.metadata.deletionTimestamp === undefined) condemn(parts, pod)
  deletion.delete(pods, reference, options)
}

/** One that has ended, has not begun, or is leaving costs no budget. */
function isFree({ metadata, status }: KubeObject): boolean {
  const { phase } = fields(status)
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || metadata.deletionTimestamp !== undefined
}

function charge({ writer, budgets }: Parts, pod: KubeObject, options: Options): void {
  const { namespace = '', labels = {} } = pod.metadata
  const all = writer.ground.store.table(budgets.stored).list(namespace)
  const own = all.filter(({ spec }) => selects(fields(spec)['selector'] as LabelSelector | null | undefined, labels))
  if (own.length > 1)
    throw new StatusError(
      500,
      '',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
    )
  const [budget] = own
  if (budget === undefined || (!isReady(pod) && sparesOnlyHealthy(budget))) return
  const next = charged(budget, pod, timestamp(writer.ground.clock))
  if (!options.dryRun) writer.write(budgets, budget, next)
}

const isReady = ({ status }: KubeObject): boolean =>
  list(fields(status)['conditions']).some(({ type, status: value }) => type === 'Ready' && value === 'True')

/** Whether a pod that is not ready may go: always, or as long as enough others are healthy. */
function sparesOnlyHealthy({ spec, status }: KubeObject): boolean {
  if (fields(spec)['unhealthyPodEvictionPolicy'] === 'AlwaysAllow') return true
  const { currentHealthy, desiredHealthy } = fields(status)
  return Number(desiredHealthy) > 0 && Number(currentHealthy) >= Number(desiredHealthy)
}

function charged(budget: KubeObject, pod: KubeObject, now: string): KubeObject {
  const status = fields(budget['status'])
  const { name, generation = 0 } = budget.metadata
  if (Number(status['observedGeneration'] ?? 0) < generation)
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, { retryAfterSeconds: 10 })
  const left = Number(status['disruptionsAllowed'] ?? 0) - 1
  if (left < 0) throw tooMany(exhausted(name, status))
  const disruptedPods = { ...fields(status['disruptedPods']), [pod.metadata.name]: now }
  const conditions = left === 0 ? { conditions: withoutRoom(status, now) } : {}
  return withField(budget, 'status', { ...status, ...conditions, disruptionsAllowed: left, disruptedPods })
}

function exhausted(name: string, { desiredHealthy = 0, currentHealthy = 0 }: Fields): string {
  const start = `The disruption budget ${name}`
  return Number(currentHealthy) <= Number(desiredHealthy)
    ? `${start} needs ${Number(desiredHealthy)} healthy pods and has ${Number(currentHealthy)} currently`
    : `${start} does not allow evicting pods currently`
}

/** The budget's conditions once nothing more may go. */
function withoutRoom({ conditions, observedGeneration }: Fields, now: string): readonly Fields[] {
  const others = list(conditions).filter(({ type }) => type !== 'DisruptionAllowed')
  const before = list(conditions).find(({ type, status }) => type === 'DisruptionAllowed' && status === 'False')
  const lastTransitionTime = before?.['lastTransitionTime'] ?? now
  const said = { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods', message: '' }
  return [...others, { ...said, observedGeneration, lastTransitionTime }]
}

function tooMany(message: string, more: Fields = {}): StatusError {
  const causes = [{ reason: 'DisruptionBudget', message }]
  const text = "Cannot evict pod as it would violate the pod's disruption budget."
  return new StatusError(429, 'TooManyRequests', text, { causes, ...more })
}

/** The pod says why it goes, for whoever counts failures. */
function condemn({ writer, pods }: Parts, pod: KubeObject): void {
  const status = fields(pod['status'])
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: timestamp(writer.ground.clock),
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting'
  }
  const others = list(status['conditions']).filter(({ type }) => type !== 'DisruptionTarget')
  writer.write(pods, pod, withField(pod, 'status', { ...status, conditions: [...others, condition] }))
}
