import type { PatchType } from '../store/client.ts'
import type { Json, KubeObject } from '../store/objects.ts'
import { StatusError } from '../store/objects.ts'
import { badRequest } from './errors.ts'
import { isFields } from './fields.ts'
import { jsonPatch } from './json-patch.ts'
import { mergePatch } from './merge-patch.ts'
import type { Resource } from './resources.ts'
import { strategicMerge } from './strategic-merge.ts'

/** The object as a patch changes it. */
export function patched(resource: Resource, object: KubeObject, patch: Json, type: PatchType): KubeObject {
  if (type !== 'json' && !isFields(patch)) throw badRequest('error decoding patch: a patch is an object')
  const result = apply(resource, object, patch, type)
  if (!isFields(result) || !isFields(result['metadata'])) throw badRequest('the patch leaves no object')
  return result as KubeObject
}

function apply(resource: Resource, object: KubeObject, patch: Json, type: PatchType): unknown {
  switch (type) {
    case 'json':
      return jsonPatch(object as unknown as Json, patch)
    case 'merge':
      return mergePatch(object, patch)
    case 'strategic':
      if (resource.custom !== undefined)
        throw new StatusError(
          415,
          'UnsupportedMediaType',
          'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml'
        )
      return strategicMerge(object, patch)
    case 'apply':
      return strategicMerge(object, patch)
  }
}
