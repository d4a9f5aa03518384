import { fields, isFields } from './fields.ts'

export function strategicMerge(document: unknown, patch: unknown): unknown {
  return merge(document, patch, '')
}
const keys: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
  conditions: 'type',
  schedulingGates: 'name',
  imagePullSecrets: 'name',
  ownerReferences: 'uid',
  addresses: 'type',
  podIPs: 'ip'
}
function merge(document: unknown, patch: unknown, name: string): unknown {
  if (Array.isArray(patch)) {
    const key = keys[name]
    if (key === undefined || !Array.isArray(document)) return patch
    const result = [...document]
    for (const item of patch) {
      const index = result.findIndex(other => fields(other)[key] === fields(item)[key])
      if (fields(item)['$patch'] === 'delete') {
        if (index >= 0) result.splice(index, 1)
        continue
      }
      if (index < 0) result.push(item)
      else result[index] = merge(result[index], item, '')
    }
    return result
  }
  if (!isFields(patch)) return patch
  const result: Record<string, unknown> = { ...fields(document) }
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$')) continue
    if (value === null) delete result[field]
    else result[field] = merge(result[field], value, field)
  }
  return result
}
