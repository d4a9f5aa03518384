import { apiVersionOf } from '../api/resource.ts'
import type { KubeObject } from '../store/objects.ts'
import type { Call } from './call.ts'
import { param } from './query.ts'
import { columnsOf } from './tables/columns-of.ts'
import type { Column } from './tables/column.ts'

type ListMeta = {
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

/** An object as one of the version that was asked for. */
function versioned({ parts, target }: Call, object: KubeObject): KubeObject {
  return parts.api.inVersion(object, target.resource, target.version)
}

/** One object in the shape that was asked for. */
export function presented(call: Call, object: KubeObject): object {
  return shaper(call)(object)
}

/** How to bring objects, one after the other, into the shape that was asked for: only the first table has headers. */
export function shaper(call: Call): (object: KubeObject) => object {
  if (call.shape === 'PartialObjectMetadata') return object => partial(object)
  if (call.shape !== 'Table') return object => versioned(call, object)
  let withHeaders = true
  return object => {
    const { resourceVersion = '' } = object.metadata
    const table = tableOf(call, [object], { resourceVersion })
    if (withHeaders) {
      withHeaders = false
      return table
    }
    return { ...table, columnDefinitions: null }
  }
}

/** Many objects in the shape that was asked for. */
export function presentedList(call: Call, items: readonly KubeObject[], meta: ListMeta): object {
  const { resource, version } = call.target
  if (call.shape === 'Table') return tableOf(call, items, meta)
  if (call.shape === 'PartialObjectMetadata' || call.shape === 'PartialObjectMetadataList')
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: meta,
      items: items.map(partial)
    }
  return {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource, version),
    metadata: meta,
    items: version === resource.version ? items : items.map(item => versioned(call, item))
  }
}

function partial({ metadata }: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}

function tableOf(call: Call, items: readonly KubeObject[], metadata: ListMeta): object {
  const columns = columnsOf(call.target.resource, call.target.version)
  const now = call.parts.clock.wall()
  const included = inclusion(call)
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns.map(header),
    rows: items.map(item => ({
      cells: columns.map(column => column.cell(item, now)),
      object: included(item)
    }))
  }
}

function header({ name, type, format = '', description = '', priority = 0 }: Column): object {
  return { name, type, format, description, priority }
}

function inclusion(call: Call): (object: KubeObject) => object | null {
  const wish = param(call.query, 'includeObject')
  if (wish === 'None') return () => null
  return wish === 'Object' ? object => versioned(call, object) : partial
}
