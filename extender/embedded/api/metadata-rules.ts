import { isQualifiedName } from '../store/label-selector.ts'
import type { KubeObject, ObjectMeta } from '../store/objects.ts'
import type { Problem } from './errors.ts'
import { equal } from './fields.ts'
import { annotationProblems, labelMapProblems, labelProblems, subdomainProblems } from './names.ts'
import type { Resource } from './resources.ts'

const shortNamed = new Set(['namespaces', 'services'])
const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** What is wrong with an object's metadata by itself. */
export function checkMetadata(resource: Resource, { metadata }: KubeObject): readonly Problem[] {
  return [
    ...nameProblems(resource, metadata),
    ...labelMapProblems('metadata.labels', metadata.labels ?? {}),
    ...annotationProblems(metadata.annotations ?? {}),
    ...finalizerProblems(metadata),
    ...ownerProblems(metadata)
  ]
}

function nameProblems(resource: Resource, { name }: ObjectMeta): readonly Problem[] {
  if (name === '')
    return [{ field: 'metadata.name', type: 'required', detail: 'name or generateName is required' }]
  return shortNamed.has(resource.id) ? labelProblems('metadata.name', name) : subdomainProblems('metadata.name', name)
}

function finalizerProblems({ finalizers = [] }: ObjectMeta): readonly Problem[] {
  return finalizers.flatMap((name, index): Problem[] => {
    if (standardFinalizers.has(name) || (name.includes('/') && isQualifiedName(name))) return []
    const detail = 'name is neither a standard finalizer name nor is it fully qualified'
    return [{ field: `metadata.finalizers[${index}]`, type: 'invalid', value: name, detail }]
  })
}

function ownerProblems({ ownerReferences = [] }: ObjectMeta): readonly Problem[] {
  const problems: Problem[] = []
  const controllers = ownerReferences.filter(({ controller }) => controller)
  for (const [index, owner] of ownerReferences.entries())
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[field])
        problems.push({ field: `metadata.ownerReferences[${index}].${field}`, type: 'invalid', value: '', detail: 'must not be empty' })
  if (controllers.length > 1) {
    const [one, other] = controllers.map(({ kind, name }) => `${kind}/${name}`)
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${one} and ${other}`
    problems.push({ field: 'metadata.ownerReferences', type: 'invalid', value: ownerReferences, detail })
  }
  return problems
}

/** What a change of metadata may not do; `wanted` is as the writer sent it. */
export function checkMetadataChange(current: KubeObject, wanted: KubeObject): readonly Problem[] {
  const problems: Problem[] = []
  const { uid, finalizers = [] } = wanted.metadata
  if (uid && uid !== current.metadata.uid)
    problems.push({ field: 'metadata.uid', type: 'invalid', value: uid, detail: 'field is immutable' })
  const had = current.metadata.finalizers ?? []
  const added = finalizers.filter(name => !had.includes(name))
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
