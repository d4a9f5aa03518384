import { isMadeByUpdate } from '../api/updates.ts'
import { StatusError } from '../store/objects.ts'
import { objectIn, optionsIn, patchIn, typed, parsed, placed } from './bodies.ts'
import type { Answer, Call } from './call.ts'
import { presented, presentedList } from './presentation.ts'
import { deletion, selection, writing } from './query.ts'
import { success } from './statuses.ts'
import { notAllowed, referenceOf } from './target.ts'

/** POST to a collection. */
export function create(call: Call): Answer {
  const { parts, target, query, warn } = call
  if (target.resource.namespaced && target.namespace === undefined) throw notAllowed()
  const object = parts.api.create(target.resource.id, objectIn(call.body, target), writing(query, warn))
  return { status: 201, body: presented(call, object) }
}

/** PUT of an object, its status or its scale. */
export function update(call: Call): Answer {
  const { parts, target, query, warn } = call
  const { id } = target.resource
  const { resource, subresource: part } = target
  let isNew = false
  const created = (made: boolean): void => {
    isNew = made
  }
  const options = { ...writing(query, warn), created }
  // Says 404 before it says what is wrong with the body.
  if (parts.api.get(referenceOf(target)) === undefined && !isMadeByUpdate(resource, part))
    parts.api.notFound(referenceOf(target))
  if (target.subresource === 'scale') {
    const scale = placed(typed(parsed(call.body), 'autoscaling/v1', 'Scale'), target)
    return { status: 200, body: parts.api.update(id, scale, 'scale', options) }
  }
  const subresource = part === 'status' || part === 'finalize' ? part : undefined
  const object = parts.api.update(id, objectIn(call.body, target), subresource, options)
  return { status: isNew ? 201 : 200, body: presented(call, object) }
}

/** PATCH of an object, its status or its scale. */
export function patch(call: Call): Answer {
  const { parts, target, query, warn } = call
  const { type, patch: change } = patchIn(call.body)
  const options = writing(query, warn)
  if (type === 'apply' && options.fieldManager === undefined) throw managerMissing()
  const subresource = target.subresource as 'status' | 'scale' | undefined
  let isNew = false
  const object = parts.api.patch(referenceOf(target), change, {
    ...options,
    type,
    ...(subresource !== undefined && { subresource }),
    created: created => {
      isNew = created
    }
  })
  const body = subresource === 'scale' ? object : presented(call, object)
  return { status: isNew ? 201 : 200, body }
}

function managerMissing(): StatusError {
  const message = 'fieldManager: Required value: is required for apply patch'
  return new StatusError(422, 'Invalid', `PatchOptions.meta.k8s.io "" is invalid: ${message}`, {
    group: 'meta.k8s.io',
    kind: 'PatchOptions',
    causes: [
      { reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: 'fieldManager' }
    ]
  })
}

/** DELETE of an object: what is still there afterwards, or that it is gone. */
export function remove(call: Call): Answer {
  const { parts, target, query } = call
  const reference = referenceOf(target)
  const before = parts.api.get(reference)
  const object = parts.api.delete(reference, deletion(query, optionsIn(call.body)))
  const { deletionTimestamp } = object.metadata
  const isLeaving = deletionTimestamp !== undefined && before?.metadata.deletionTimestamp !== deletionTimestamp
  if (isLeaving || target.resource.id === 'pods' || parts.api.get(reference) !== undefined)
    return { status: 200, body: presented(call, object) }
  const { resource } = target
  const group = resource.group === '' ? {} : { group: resource.group }
  const { name, uid } = object.metadata
  return { status: 200, body: success({ name, ...group, kind: resource.plural, uid }) }
}

/** DELETE of a collection. */
export function removeAll(call: Call): Answer {
  const { parts, target, query } = call
  const { resource, namespace } = target
  if (resource.namespaced && namespace === undefined) throw notAllowed()
  const which = { ...selection(query), ...(namespace !== undefined && { namespace }) }
  const gone = parts.api.deleteCollection(resource.id, which, deletion(query, optionsIn(call.body)))
  const { resourceVersion } = parts.api
  return { status: 200, body: presentedList(call, gone, { resourceVersion }) }
}
