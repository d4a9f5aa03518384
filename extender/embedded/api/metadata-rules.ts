import type { KubeObject, ObjectMeta, OwnerReference } from '../store/objects.ts'
import type { Problem } from './errors.ts'
import { equal } from './fields.ts'
import { annotationProblems, keyProblems, labelMapProblems, labelProblems, subdomainProblems } from './names.ts'
import { groupVersion, type Resource } from './resource.ts'

const shortNamed = new Set(['namespaces', 'services'])
const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** What is wrong with an object's metadata by itself. */
export function checkMetadata(resource: Resource, { metadata }: KubeObject): readonly Problem[] {
  return [
    ...nameProblems(resource, metadata),
    ...labelMapProblems('metadata.labels', metadata.labels ?? {}),
    ...annotationProblems('metadata.annotations', metadata.annotations ?? {}),
    ...finalizerProblems(metadata),
    ...ownerProblems(metadata)
  ]
}

function nameProblems(resource: Resource, { name }: ObjectMeta): readonly Problem[] {
  if (name === '') return [{ field: 'metadata.name', type: 'required', detail: 'name or generateName is required' }]
  return shortNamed.has(resource.id) ? labelProblems('metadata.name', name) : subdomainProblems('metadata.name', name)
}

function finalizerProblems({ finalizers = [] }: ObjectMeta): readonly Problem[] {
  const problems = finalizers.flatMap((name, index): readonly Problem[] => {
    const wrong = keyProblems('metadata.finalizers', name)
    if (standardFinalizers.has(name) || name.includes('/')) return wrong
    const detail = 'name is neither a standard finalizer name nor is it fully qualified'
    return [...wrong, { field: `metadata.finalizers[${index}]`, type: 'invalid', value: name, detail }]
  })
  if (!finalizers.includes('orphan') || !finalizers.includes('foregroundDeletion')) return problems
  const detail = 'finalizer orphan and foregroundDeletion cannot be both set'
  return [...problems, { field: 'metadata.finalizers', type: 'invalid', value: finalizers, detail }]
}

function ownerProblems({ ownerReferences = [] }: ObjectMeta): readonly Problem[] {
  const problems = ownerReferences.flatMap(oneOwnerProblems)
  const [one, ...others] = ownerReferences.filter(({ controller }) => controller)
  for (const other of others) {
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${one?.kind}/${one?.name} and ${other.kind}/${other.name}`
    problems.push({ field: 'metadata.ownerReferences', type: 'invalid', value: ownerReferences, detail })
  }
  return problems
}

function oneOwnerProblems(owner: OwnerReference): Problem[] {
  const problems: Problem[] = []
  const say = (name: 'apiVersion' | 'kind' | 'name' | 'uid', detail: string): number =>
    problems.push({ field: `metadata.ownerReferences.${name}`, type: 'invalid', value: owner[name] ?? '', detail })
  const { version } = groupVersion(owner.apiVersion ?? '')
  if (version === '' || version.includes('/')) say('apiVersion', 'version must not be empty')
  for (const name of ['kind', 'name', 'uid'] as const) if (!owner[name]) say(name, 'must not be empty')
  if (owner.kind === 'Event' && owner.apiVersion === 'v1') {
    const detail = '/v1, Kind=Event is disallowed from being an owner'
    problems.push({ field: 'metadata.ownerReferences', type: 'invalid', value: owner, detail })
  }
  return problems
}

/** What a change of metadata may not do; `wanted` is as the writer sent it. */
export function checkMetadataChange(current: KubeObject, wanted: KubeObject): readonly Problem[] {
  const problems: Problem[] = []
  for (const name of ['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    const value = wanted.metadata[name]
    if (value !== undefined && value !== '')
      problems.push(...immutable(current.metadata[name], value, `metadata.${name}`))
  }
  const had = current.metadata.finalizers ?? []
  const added = (wanted.metadata.finalizers ?? []).filter(name => !had.includes(name))
  if (current.metadata.deletionTimestamp !== undefined && added.length > 0) {
    const found = `[]string{${added.map(name => JSON.stringify(name)).join(', ')}}`
    const detail = `no new finalizers can be added if the object is being deleted, found new finalizers ${found}`
    problems.push({ field: 'metadata.finalizers', type: 'forbidden', detail })
  }
  return problems
}

/** A problem for each of the fields under `spec` that differ. */
export function immutable(current: unknown, next: unknown, field: string): readonly Problem[] {
  return equal(current, next) ? [] : [{ field, type: 'invalid', value: next ?? null, detail: 'field is immutable' }]
}
