import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { fields, text } from '../fields.ts'
import { keyProblems } from '../names.ts'
import type { Strategy } from '../strategy.ts'

/** How Events of both groups are completed and checked; they are stored as those of the core group. */
export const eventStrategy: Partial<Strategy> = {
  defaults: object => ({
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    reportingComponent: '',
    reportingInstance: '',
    ...object
  }),
  validate: (object, current, { resource }) => [
    ...placeProblems(object),
    ...(object['eventTime'] ? reporterProblems(object, resource.group) : []),
    ...(resource.group === '' || current !== undefined ? [] : newProblems(object))
  ]
}

/** An Event stands in the namespace of what it is about. */
function placeProblems(event: KubeObject): readonly Problem[] {
  const { namespace = '' } = event.metadata
  const about = text(fields(event['involvedObject'])['namespace']) ?? ''
  const homes = event['eventTime'] ? ['default', 'kube-system'] : ['default']
  const isRight = about === '' ? homes.includes(namespace) : about === namespace || Boolean(event['eventTime'])
  if (isRight) return []
  return [
    { field: 'involvedObject.namespace', type: 'invalid', value: about, detail: 'does not match event.namespace' }
  ]
}

/** An Event with a time of its own says who reports what. */
function reporterProblems(event: KubeObject, group: string): readonly Problem[] {
  const reporter = text(event['reportingComponent']) ?? ''
  const field = group === '' ? 'reportingComponent' : 'reportingController'
  return [
    ...(reporter === '' ? [{ field, type: 'required' } as const] : []),
    ...keyProblems(field, reporter),
    ...['reportingInstance', 'action', 'reason'].flatMap(name => lengthProblems(event, name))
  ]
}

function lengthProblems(event: KubeObject, field: string): readonly Problem[] {
  const value = text(event[field]) ?? ''
  if (value === '') return [{ field, type: 'required' }]
  return value.length > 128 ? [{ field, type: 'invalid', value: '', detail: 'can have at most 128 characters' }] : []
}

/** What the new group wants besides. */
function newProblems(event: KubeObject): readonly Problem[] {
  const problems: Problem[] = event['eventTime'] ? [] : [{ field: 'eventTime', type: 'required' }]
  const type = text(event['type']) ?? ''
  const detail = `has invalid value: ${type}`
  if (type !== 'Normal' && type !== 'Warning') problems.push({ field: 'type', type: 'invalid', value: '', detail })
  for (const field of ['firstTimestamp', 'lastTimestamp', 'count'])
    if (event[field]) problems.push({ field, type: 'invalid', value: '', detail: 'needs to be unset' })
  return problems
}
