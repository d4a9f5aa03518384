import type { KubeObject } from '../../store/objects.ts'
import { at, count, list, record, text } from '../fields.ts'
import { ageColumn, type Column, column, countColumn, labelsText, nameColumn, textColumn, wide } from './column.ts'
import { since } from './duration.ts'

const rolePrefix = 'node-role.kubernetes.io/'

function nodeStatus(node: KubeObject): string {
  const ready = list(at(node, 'status.conditions')).find(each => text(each, 'type') === 'Ready')
  const known = text(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  const status = ready === undefined ? 'Unknown' : known
  return at(node, 'spec.unschedulable') === true ? `${status},SchedulingDisabled` : status
}

function nodeRoles(node: KubeObject): string {
  const labels = Object.entries(record(node.metadata.labels))
  const roles = labels.flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)]
    return key === 'kubernetes.io/role' ? [String(value)] : []
  })
  return roles.filter(Boolean).toSorted().join(',') || '<none>'
}

function address(node: KubeObject, type: string): string {
  return text(
    list(at(node, 'status.addresses')).find(each => text(each, 'type') === type),
    'address',
    '<none>'
  )
}

function kernel(node: KubeObject): string {
  const architecture = text(node, 'status.nodeInfo.architecture')
  return text(node, 'status.nodeInfo.kernelVersion', '<unknown>') + (architecture === '' ? '' : ` (${architecture})`)
}

export const nodeColumns: readonly Column[] = [
  nameColumn,
  column('Status', nodeStatus),
  column('Roles', nodeRoles),
  ageColumn,
  textColumn('Version', 'status.nodeInfo.kubeletVersion'),
  ...wide(
    column('Internal-IP', node => address(node, 'InternalIP')),
    column('External-IP', node => address(node, 'ExternalIP')),
    textColumn('OS-Image', 'status.nodeInfo.osImage', '<unknown>'),
    column('Kernel-Version', kernel),
    textColumn('Container-Runtime', 'status.nodeInfo.containerRuntimeVersion', '<unknown>')
  )
]

export const namespaceColumns: readonly Column[] = [nameColumn, textColumn('Status', 'status.phase'), ageColumn]

export const priorityClassColumns: readonly Column[] = [
  nameColumn,
  countColumn('Value', 'value'),
  { name: 'Global-Default', type: 'boolean', cell: object => at(object, 'globalDefault') === true },
  ageColumn,
  ...wide(textColumn('PreemptionPolicy', 'preemptionPolicy'))
]

export const leaseColumns: readonly Column[] = [nameColumn, textColumn('Holder', 'spec.holderIdentity'), ageColumn]

export const disruptionBudgetColumns: readonly Column[] = [
  nameColumn,
  textColumn('Min Available', 'spec.minAvailable', 'N/A'),
  textColumn('Max Unavailable', 'spec.maxUnavailable', 'N/A'),
  countColumn('Allowed Disruptions', 'status.disruptionsAllowed'),
  ageColumn
]

export const configMapColumns: readonly Column[] = [
  nameColumn,
  {
    name: 'Data',
    type: 'integer',
    cell: object => Object.keys({ ...record(object.data), ...record(object.binaryData) }).length
  },
  ageColumn
]

export const secretColumns: readonly Column[] = [
  nameColumn,
  textColumn('Type', 'type'),
  { name: 'Data', type: 'integer', cell: object => Object.keys(record(object.data)).length },
  ageColumn
]

export const definitionColumns: readonly Column[] = [nameColumn, textColumn('Created At', 'metadata.creationTimestamp')]

function eventTime(event: KubeObject, now: number): string {
  const observed = text(event, 'series.lastObservedTime', text(event, 'lastTimestamp'))
  return since(observed || firstTime(event), now)
}

function firstTime(event: KubeObject): string {
  return text(event, 'firstTimestamp', text(event, 'eventTime'))
}

function regarded(event: KubeObject): string {
  const kind = text(event, 'involvedObject.kind').toLowerCase()
  const name = text(event, 'involvedObject.name')
  return name === '' ? kind : `${kind}/${name}`
}

function source(event: KubeObject): string {
  const component = text(event, 'source.component', text(event, 'reportingComponent'))
  const host = text(event, 'source.host', text(event, 'reportingInstance'))
  return host === '' ? component : `${component}, ${host}`
}

export const eventColumns: readonly Column[] = [
  column('Last Seen', eventTime),
  textColumn('Type', 'type'),
  textColumn('Reason', 'reason'),
  column('Object', regarded),
  ...wide(textColumn('Subobject', 'involvedObject.fieldPath'), column('Source', source)),
  column('Message', event => text(event, 'message').trim()),
  ...wide(
    column('First Seen', (event, now) => since(firstTime(event), now)),
    column('Count', event => String(count(event, 'series.count') || count(event, 'count') || 1)),
    nameColumn
  )
]

/** `events.k8s.io` names the same things otherwise. */
export const newEventColumns: readonly Column[] = eventColumns.map(each => ({
  ...each,
  cell: (event, now) =>
    each.cell(
      {
        ...event,
        involvedObject: event.regarding,
        message: event.note,
        source: event.deprecatedSource,
        lastTimestamp: event.deprecatedLastTimestamp,
        firstTimestamp: event.deprecatedFirstTimestamp,
        count: event.deprecatedCount,
        reportingComponent: event.reportingController
      },
      now
    )
}))

const shown = 3

function some(all: readonly string[]): string {
  if (all.length === 0) return '<none>'
  const rest = all.length - shown
  return all.slice(0, shown).join(',') + (rest > 0 ? ` + ${rest} more...` : '')
}

export const endpointSliceColumns: readonly Column[] = [
  nameColumn,
  textColumn('AddressType', 'addressType'),
  column('Ports', slice => some(list(slice.ports).map(port => text(port, 'port', text(port, 'name', '*'))))),
  column('Endpoints', slice =>
    some(list(slice.endpoints).flatMap(endpoint => list(at(endpoint, 'addresses')).map(String)))
  ),
  ageColumn
]

function externalIp(service: KubeObject): string {
  const type = text(service, 'spec.type', 'ClusterIP')
  if (type === 'ExternalName') return text(service, 'spec.externalName')
  const ingress = list(at(service, 'status.loadBalancer.ingress')).map(each => text(each, 'ip', text(each, 'hostname')))
  const addresses = [...(type === 'LoadBalancer' ? ingress : []), ...list(at(service, 'spec.externalIPs')).map(String)]
  return addresses.join(',') || (type === 'LoadBalancer' ? '<pending>' : '<none>')
}

function servicePorts(service: KubeObject): string {
  const ports = list(at(service, 'spec.ports')).map(port => {
    const nodePort = text(port, 'nodePort')
    return `${text(port, 'port')}${nodePort === '' ? '' : `:${nodePort}`}/${text(port, 'protocol', 'TCP')}`
  })
  return ports.join(',') || '<none>'
}

export const serviceColumns: readonly Column[] = [
  nameColumn,
  textColumn('Type', 'spec.type', 'ClusterIP'),
  column('Cluster-IP', service =>
    text({ first: list(at(service, 'spec.clusterIPs'))[0] }, 'first', text(service, 'spec.clusterIP', '<none>'))
  ),
  column('External-IP', externalIp),
  column('Port(s)', servicePorts),
  ageColumn,
  ...wide(column('Selector', service => labelsText(at(service, 'spec.selector'))))
]
