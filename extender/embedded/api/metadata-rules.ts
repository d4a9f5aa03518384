import type { KubeObject } from '../store/objects.ts'
import type { Problem } from './errors.ts'
import type { Resource } from './resources.ts'

export function checkMetadata(_resource: Resource, object: KubeObject): readonly Problem[] {
  if (object.metadata.name === '')
    return [{ field: 'metadata.name', type: 'required', detail: 'name or generateName is required' }]
  return []
}

export function checkMetadataChange(current: KubeObject, wanted: KubeObject): readonly Problem[] {
  const { uid } = wanted.metadata
  if (uid === undefined || uid === current.metadata.uid) return []
  return [{ field: 'metadata.uid', type: 'invalid', value: uid, detail: 'field is immutable' }]
}
