import type { Resource } from '../../api/resource.ts'
import { ageColumn, type Column, nameColumn, textColumn, wide } from './column.ts'
import * as cluster from './cluster.ts'
import { customColumns } from './custom.ts'
import { podColumns } from './pods.ts'
import * as workloads from './workloads.ts'

const plain: readonly Column[] = [nameColumn, ageColumn]

const storageClass: readonly Column[] = [
  nameColumn,
  textColumn('Provisioner', 'provisioner'),
  textColumn('ReclaimPolicy', 'reclaimPolicy', 'Delete'),
  textColumn('VolumeBindingMode', 'volumeBindingMode', 'Immediate'),
  textColumn('AllowVolumeExpansion', 'allowVolumeExpansion', 'false'),
  ageColumn
]

const volumeClaim: readonly Column[] = [
  nameColumn,
  textColumn('Status', 'status.phase'),
  textColumn('Volume', 'spec.volumeName'),
  textColumn('Capacity', 'status.capacity.storage'),
  textColumn('StorageClass', 'spec.storageClassName'),
  ageColumn,
  ...wide(textColumn('VolumeMode', 'spec.volumeMode', '<unset>'))
]

/** By the id of the resource; all others have a name and an age. */
const known: Readonly<Record<string, readonly Column[]>> = {
  pods: podColumns,
  nodes: cluster.nodeColumns,
  namespaces: cluster.namespaceColumns,
  services: cluster.serviceColumns,
  events: cluster.eventColumns,
  configmaps: cluster.configMapColumns,
  secrets: cluster.secretColumns,
  persistentvolumeclaims: volumeClaim,
  'deployments.apps': workloads.deploymentColumns,
  'replicasets.apps': workloads.replicaSetColumns,
  replicationcontrollers: workloads.replicaSetColumns,
  'statefulsets.apps': workloads.statefulSetColumns,
  'daemonsets.apps': workloads.daemonSetColumns,
  'jobs.batch': workloads.jobColumns,
  'cronjobs.batch': workloads.cronJobColumns,
  'leases.coordination.k8s.io': cluster.leaseColumns,
  'endpointslices.discovery.k8s.io': cluster.endpointSliceColumns,
  'events.events.k8s.io': cluster.newEventColumns,
  'priorityclasses.scheduling.k8s.io': cluster.priorityClassColumns,
  'poddisruptionbudgets.policy': cluster.disruptionBudgetColumns,
  'customresourcedefinitions.apiextensions.k8s.io': cluster.definitionColumns,
  'storageclasses.storage.k8s.io': storageClass
}

/** The columns of `kubectl get` for a resource. */
export function columnsOf(resource: Resource, version: string): readonly Column[] {
  const custom = resource.custom?.versions[version]
  if (!custom) return known[resource.id] ?? plain
  return custom.columns.length === 0 ? plain : [nameColumn, ...customColumns(custom.columns)]
}
