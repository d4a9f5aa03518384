import type { KubeObject } from '../../store/objects.ts'
import { at, count, list, text } from '../fields.ts'
import {
  ageColumn,
  type Column,
  column,
  containerColumns,
  countColumn,
  labelsText,
  nameColumn,
  selectorColumn,
  textColumn
} from './column.ts'
import { humanDuration } from './duration.ts'

const selector: Column = { ...selectorColumn('spec.selector'), priority: 1 }
const template = [...containerColumns('spec.template.spec.containers'), selector]

export const deploymentColumns: readonly Column[] = [
  nameColumn,
  column('Ready', object => `${count(object, 'status.readyReplicas')}/${count(object, 'spec.replicas')}`),
  countColumn('Up-to-date', 'status.updatedReplicas'),
  countColumn('Available', 'status.availableReplicas'),
  ageColumn,
  ...template
]

export const replicaSetColumns: readonly Column[] = [
  nameColumn,
  countColumn('Desired', 'spec.replicas'),
  countColumn('Current', 'status.replicas'),
  countColumn('Ready', 'status.readyReplicas'),
  ageColumn,
  ...template
]

export const statefulSetColumns: readonly Column[] = [
  nameColumn,
  column('Ready', object => `${count(object, 'status.readyReplicas')}/${count(object, 'spec.replicas')}`),
  ageColumn,
  ...containerColumns('spec.template.spec.containers')
]

export const daemonSetColumns: readonly Column[] = [
  nameColumn,
  countColumn('Desired', 'status.desiredNumberScheduled'),
  countColumn('Current', 'status.currentNumberScheduled'),
  countColumn('Ready', 'status.numberReady'),
  countColumn('Up-to-date', 'status.updatedNumberScheduled'),
  countColumn('Available', 'status.numberAvailable'),
  column('Node Selector', object => labelsText(at(object, 'spec.template.spec.nodeSelector'))),
  ageColumn,
  ...template
]

/** The first condition that holds gives a job its status; leaving comes before being suspended. */
const finished = ['Complete', 'Failed']
const unfinished = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']

function jobStatus(job: KubeObject): string {
  const held = new Set(
    list(at(job, 'status.conditions'))
      .filter(each => text(each, 'status') === 'True')
      .map(each => text(each, 'type'))
  )
  const found = (types: readonly string[]): string | undefined => types.find(type => held.has(type))
  const leaving = job.metadata.deletionTimestamp === undefined ? undefined : 'Terminating'
  return found(finished) ?? leaving ?? found(unfinished) ?? 'Running'
}

function completions(job: KubeObject): string {
  const done = count(job, 'status.succeeded')
  const wanted = at(job, 'spec.completions')
  if (typeof wanted === 'number') return `${done}/${wanted}`
  const parallelism = count(job, 'spec.parallelism')
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

function jobDuration(job: KubeObject, now: number): string {
  const start = text(job, 'status.startTime')
  if (start === '') return ''
  const end = text(job, 'status.completionTime')
  return humanDuration((end === '' ? now : Date.parse(end)) - Date.parse(start))
}

export const jobColumns: readonly Column[] = [
  nameColumn,
  column('Status', jobStatus),
  column('Completions', completions),
  column('Duration', jobDuration),
  ageColumn,
  ...template
]

export const cronJobColumns: readonly Column[] = [
  nameColumn,
  textColumn('Schedule', 'spec.schedule'),
  textColumn('Timezone', 'spec.timeZone', '<none>'),
  textColumn('Suspend', 'spec.suspend', 'False'),
  { name: 'Active', type: 'integer', cell: object => list(at(object, 'status.active')).length },
  textColumn('Last Schedule', 'status.lastScheduleTime', '<none>'),
  ageColumn
]
