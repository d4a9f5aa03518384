import { managed } from '../../policies/names.ts'
import { type Json, object, objects } from '../json.ts'

/** Whether kube-scheduler asks muster about a pod with that spec even where its entries have `managedResources`. */
export function isManaged(spec: Json): boolean {
  // As kube-scheduler looks for them: `IsInterested` of its extender.go.
  const amounts = [...objects(spec.containers), ...objects(spec.initContainers)].flatMap(({ resources }) => [
    object(object(resources).requests),
    object(object(resources).limits)
  ])
  return Object.values(managed).every(name => amounts.some(each => Object.hasOwn(each, name)))
}
