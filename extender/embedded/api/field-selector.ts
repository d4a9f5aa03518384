import type { KubeObject } from '../store/objects.ts'
import type { Matcher } from '../store/store.ts'
import { badRequest } from './errors.ts'
import { at } from './fields.ts'
import type { Resource } from './resource.ts'

type Reader = (object: KubeObject) => string

const read =
  (path: string, absent = ''): Reader =>
  object => {
    const value = at(object, ...path.split('.'))
    if (value === undefined || value === null) return absent
    return typeof value === 'string' ? value : JSON.stringify(value)
  }

const paths = (...all: readonly string[]): Readonly<Record<string, Reader>> =>
  Object.fromEntries(all.map(path => [path, read(path)]))

const everywhere = paths('metadata.name', 'metadata.namespace')

/** Upstream knows no namespace of what has none. */
const without = new Set(['nodes', 'namespaces'])

const involved = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath']

const eventSource: Reader = object => read('source.component')(object) || read('reportingComponent')(object)

const byResource: Readonly<Record<string, Readonly<Record<string, Reader>>>> = {
  pods: {
    ...paths('spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName'),
    'spec.hostNetwork': read('spec.hostNetwork', 'false'),
    ...paths('status.phase', 'status.podIP', 'status.podIPs', 'status.nominatedNodeName')
  },
  events: {
    ...paths(...involved.map(name => `involvedObject.${name}`), 'reason', 'reportingComponent', 'type'),
    source: eventSource
  },
  'events.events.k8s.io': {
    ...Object.fromEntries(involved.map(name => [`regarding.${name}`, read(`involvedObject.${name}`)])),
    ...paths('reason', 'type'),
    reportingController: read('reportingComponent')
  },
  nodes: { 'spec.unschedulable': read('spec.unschedulable', 'false') },
  namespaces: paths('status.phase'),
  secrets: paths('type'),
  services: paths('spec.clusterIP', 'spec.type'),
  replicationcontrollers: { 'status.replicas': read('status.replicas', '0') },
  'jobs.batch': { 'status.successful': read('status.succeeded', '0') }
}

/** One condition of a field selector. */
export type FieldTerm = { readonly field: string; readonly equal: boolean; readonly value: string }

/** `a=b,c!=d` taken apart; a backslash takes the meaning of `\`, `,` and `=` from them in a value. */
function parseFieldSelector(selector: string): readonly FieldTerm[] {
  const parts = selector.match(/(?:\\[^]|[^,\\]|\\$)+/g) ?? []
  return parts.map(part => {
    const [, field = '', operator, value = ''] = /^([^=!]*)(!=|==|=)([^]*)$/.exec(part) ?? []
    if (operator === undefined) throw badRequest(`invalid selector: '${selector}'; can't understand '${part}'`)
    return { field, equal: operator !== '!=', value: unescaped(value) }
  })
}

function unescaped(value: string): string {
  const wrong = /^(?:\\[\\,=]|[^\\,=])*([^]*)/.exec(value)?.[1] ?? ''
  if (wrong.startsWith('\\')) throw badRequest(`invalid field selector: invalid escape sequence: ${wrong.slice(0, 2)}`)
  if (wrong !== '') throw badRequest(`invalid field selector: unescaped character in value: ${wrong.charAt(0)}`)
  return value.replaceAll(/\\([^])/g, '$1')
}

/** A matcher for a field selector; undefined for one that selects all. Refuses fields that upstream does not know. */
export function fieldMatcher(resource: Resource, selector: string | undefined): Matcher | undefined {
  if (selector === undefined || selector.trim() === '') return undefined
  const known = byResource[resource.id]
  const terms = parseFieldSelector(selector).map(({ field, equal, value }) => {
    const reader = known?.[field] ?? common(resource, field) ?? custom(resource, field)
    if (reader === undefined) throw badRequest(unknownField(known !== undefined, field))
    return { reader, equal, value }
  })
  return object => terms.every(({ reader, equal, value }) => (reader(object) === value) === equal)
}

function common({ id }: Resource, field: string): Reader | undefined {
  return field === 'metadata.namespace' && without.has(id) ? undefined : everywhere[field]
}

function custom(resource: Resource, field: string): Reader | undefined {
  return resource.custom?.selectable?.includes(field) ? read(field) : undefined
}

function unknownField(ownList: boolean, field: string): string {
  if (ownList) return `field label not supported: ${field}`
  return `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
}
