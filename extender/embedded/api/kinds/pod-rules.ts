import type { Problem } from '../errors.ts'
import { type Fields, isFields, list, text } from '../fields.ts'
import { labelMapProblems, labelProblems, subdomainProblems } from '../names.ts'
import { choice } from './choices.ts'
import { containersProblems } from './container-rules.ts'
import { placementProblems } from './placement-rules.ts'

/** What is wrong with a pod spec, a pod's own or a template's. */
export function podSpecProblems(spec: Fields, path: string): readonly Problem[] {
  const volumes = list(spec['volumes'])
  const wrong = volumes.map((volume, index) => volumeProblems(volumes, volume, `${path}.volumes[${index}]`))
  const usable = volumes.flatMap(({ name }, index) => (wrong[index]?.length === 0 ? [String(name)] : []))
  const required: readonly Problem[] =
    list(spec['containers']).length === 0 ? [{ field: `${path}.containers`, type: 'required' }] : []
  return [
    ...wrong.flat(),
    ...required,
    ...containersProblems(spec, path, usable),
    ...choiceProblems(spec, path),
    ...numberProblems(spec, path),
    ...nameProblems(spec, path),
    ...placementProblems(spec, path)
  ]
}

/** In upstream's order, which says which of two is the one too many. */
const sources = ['emptyDir', 'hostPath', 'secret', 'nfs', 'persistentVolumeClaim', 'downwardAPI', 'configMap']

function volumeProblems(volumes: readonly Fields[], volume: Fields, path: string): readonly Problem[] {
  const name = text(volume['name'])
  const field = `${path}.name`
  const rest = Object.keys(volume).filter(key => !sources.includes(key) && isFields(volume[key]))
  const [, ...more] = [...sources.filter(key => volume[key] !== undefined), ...rest]
  const detail = 'may not specify more than 1 volume type'
  const many = more.map((source): Problem => ({ field: `${path}.${source}`, type: 'forbidden', detail }))
  if (name === undefined) return [...many, { field, type: 'required' }]
  const first = volumes.find(other => other['name'] === name)
  if (first !== volume) return [...many, { field, type: 'duplicate', value: name }]
  return [...many, ...labelProblems(field, name)]
}

function choiceProblems(spec: Fields, path: string): readonly Problem[] {
  return [
    ...choice(spec['restartPolicy'], ['Always', 'OnFailure', 'Never'], `${path}.restartPolicy`),
    ...choice(spec['dnsPolicy'], ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], `${path}.dnsPolicy`),
    ...choice(spec['preemptionPolicy'], ['PreemptLowerPriority', 'Never'], `${path}.preemptionPolicy`)
  ]
}

function numberProblems({ activeDeadlineSeconds: value }: Fields, path: string): readonly Problem[] {
  if (typeof value !== 'number' || (value >= 1 && value <= 2147483647)) return []
  const detail = 'must be between 1 and 2147483647, inclusive'
  return [{ field: `${path}.activeDeadlineSeconds`, type: 'invalid', value, detail }]
}

function nameProblems(spec: Fields, path: string): readonly Problem[] {
  const names = ['hostname', 'subdomain'].flatMap(name => {
    const value = text(spec[name])
    return value === undefined ? [] : labelProblems(`${path}.${name}`, value)
  })
  const nodeName = text(spec['nodeName'])
  return [
    ...labelMapProblems(`${path}.nodeSelector`, isFields(spec['nodeSelector']) ? spec['nodeSelector'] : {}),
    ...names,
    ...(nodeName === undefined ? [] : subdomainProblems(`${path}.nodeName`, nodeName))
  ]
}
