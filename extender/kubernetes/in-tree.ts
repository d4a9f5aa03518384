import { type Json, object, objects } from '../json.ts'

const always = 'requiredDuringSchedulingIgnoredDuringExecution'

/** Kinds of volumes that can be had on any node. */
export const placeless = ['configMap', 'downwardAPI', 'emptyDir', 'hostPath', 'image', 'projected', 'secret']

/** Whether rules that muster does not model decide about the node of a pod with that spec. */
export function isInTree(spec: Json): boolean {
  const byPods = demands(spec, 'podAffinity') || demands(spec, 'podAntiAffinity')
  const bySpread = objects(spec.topologySpreadConstraints).some(each => each.whenUnsatisfiable === 'DoNotSchedule')
  const byVolumes = objects(spec.volumes).some(volume => !placeless.some(kind => volume[kind] !== undefined))
  return byPods || bySpread || byVolumes || objects(spec.resourceClaims).length > 0
}

/** Whether pods with that spec keep others off their nodes, zones and so on. */
export function repelsOthers(spec: Json): boolean {
  return demands(spec, 'podAntiAffinity')
}

function demands({ affinity }: Json, kind: 'podAffinity' | 'podAntiAffinity'): boolean {
  return objects(object(object(affinity)[kind])[always]).length > 0
}
