import { isQualifiedName } from '../../store/label-selector.ts'
import type { Problem } from '../errors.ts'
import { type Fields, fields, list, text } from '../fields.ts'
import { labelMapProblems, labelProblems, subdomainProblems } from '../names.ts'
import { quantity } from '../quantity.ts'

/** What is wrong with a pod spec, a pod's own or a template's. */
export function podSpecProblems(spec: Fields, path: string): readonly Problem[] {
  const volumes = list(spec['volumes']).map(volume => text(volume['name']) ?? '')
  const required: readonly Problem[] =
    list(spec['containers']).length === 0 ? [{ field: `${path}.containers`, type: 'required' }] : []
  return [
    ...volumeProblems(volumes, `${path}.volumes`),
    ...required,
    ...containersProblems(spec, path, volumes),
    ...choiceProblems(spec, path),
    ...numberProblems(spec, path),
    ...placementProblems(spec, path)
  ]
}

function volumeProblems(names: readonly string[], path: string): readonly Problem[] {
  return names.flatMap((name, index): readonly Problem[] => {
    const field = `${path}[${index}].name`
    if (name === '') return [{ field, type: 'required' }]
    if (names.indexOf(name) < index) return [{ field, type: 'duplicate', value: name }]
    return labelProblems(field, name)
  })
}

function containersProblems(spec: Fields, path: string, volumes: readonly string[]): readonly Problem[] {
  const taken = new Set<string>()
  return ['initContainers', 'containers'].flatMap(kind =>
    list(spec[kind]).flatMap((container, index) => {
      const field = `${path}.${kind}[${index}]`
      return [...containerNameProblems(container, field, taken), ...containerProblems(container, field, volumes)]
    })
  )
}

function containerNameProblems(container: Fields, path: string, taken: Set<string>): readonly Problem[] {
  const name = text(container['name'])
  const field = `${path}.name`
  if (name === undefined) return [{ field, type: 'required' }]
  if (taken.has(name)) return [{ field, type: 'duplicate', value: name }]
  taken.add(name)
  return labelProblems(field, name)
}

function containerProblems(container: Fields, path: string, volumes: readonly string[]): readonly Problem[] {
  const problems: Problem[] = []
  if (text(container['image'])?.trim() === undefined) problems.push({ field: `${path}.image`, type: 'required' })
  for (const [index, mount] of list(container['volumeMounts']).entries()) {
    const name = text(mount['name'])
    const field = `${path}.volumeMounts[${index}].name`
    if (name === undefined) problems.push({ field, type: 'required' })
    else if (!volumes.includes(name)) problems.push({ field, type: 'notFound', value: name })
  }
  for (const [index, port] of list(container['ports']).entries())
    problems.push(...portProblems(port, `${path}.ports[${index}]`))
  problems.push(...resourceProblems(fields(container['resources']), `${path}.resources`))
  return problems
}

const portRange = 'must be between 1 and 65535, inclusive'
const isPort = (value: unknown): boolean => typeof value === 'number' && value >= 1 && value <= 65535

function portProblems(port: Fields, path: string): readonly Problem[] {
  const { containerPort, hostPort, protocol } = port
  const problems: Problem[] = []
  if (containerPort === undefined) problems.push({ field: `${path}.containerPort`, type: 'required' })
  else if (!isPort(containerPort))
    problems.push({ field: `${path}.containerPort`, type: 'invalid', value: containerPort, detail: portRange })
  if (hostPort && !isPort(hostPort))
    problems.push({ field: `${path}.hostPort`, type: 'invalid', value: hostPort, detail: portRange })
  return [...problems, ...choice(protocol, ['SCTP', 'TCP', 'UDP'], `${path}.protocol`)]
}

/** Neither negative nor more than the limit; what cannot be shared is asked for as a limit. */
function resourceProblems(resources: Fields, path: string): readonly Problem[] {
  const [limits, requests] = [fields(resources['limits']), fields(resources['requests'])]
  const problems: Problem[] = []
  for (const [part, values] of Object.entries({ limits, requests }))
    for (const [name, value] of Object.entries(values))
      if (quantity(value) < 0)
        problems.push({ field: `${path}.${part}[${name}]`, type: 'invalid', value: String(value), detail: 'must be greater than or equal to 0' })
  for (const [name, value] of Object.entries(requests)) problems.push(...requestProblems(name, value, limits[name], path))
  return problems
}

function requestProblems(name: string, value: unknown, limit: unknown, path: string): readonly Problem[] {
  const whole = isExtended(name)
  if (limit === undefined) {
    const detail = 'Limit must be set for non overcommitable resources'
    return whole ? [{ field: `${path}.limits`, type: 'required', detail }] : []
  }
  if (quantity(value) > quantity(limit)) {
    const detail = `must be less than or equal to ${name} limit of ${String(limit)}`
    return [{ field: `${path}.requests`, type: 'invalid', value: String(value), detail }]
  }
  if (!whole || quantity(value) === quantity(limit)) return []
  const detail = `must be equal to ${name} limit of ${String(limit)}`
  return [{ field: `${path}.requests`, type: 'invalid', value: String(value), detail }]
}

const isExtended = (name: string): boolean => name.startsWith('hugepages-') || (name.includes('/') && !/^([^/]*\.)?kubernetes\.io\//.test(name))

function choiceProblems(spec: Fields, path: string): readonly Problem[] {
  return [
    ...choice(spec['restartPolicy'], ['Always', 'OnFailure', 'Never'], `${path}.restartPolicy`),
    ...choice(spec['dnsPolicy'], ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], `${path}.dnsPolicy`),
    ...choice(spec['preemptionPolicy'], ['PreemptLowerPriority', 'Never'], `${path}.preemptionPolicy`)
  ]
}

/** A problem where a value is none of those that there are. */
export function choice(value: unknown, known: readonly string[], field: string): readonly Problem[] {
  if (value === undefined || (typeof value === 'string' && known.includes(value))) return []
  return [{ field, type: 'unsupported', value, detail: supported(known) }]
}

const supported = (known: readonly string[]): string =>
  `supported values: ${known.toSorted().map(value => JSON.stringify(value)).join(', ')}`

function numberProblems(spec: Fields, path: string): readonly Problem[] {
  const { terminationGracePeriodSeconds: grace, activeDeadlineSeconds: deadline } = spec
  const problems: Problem[] = []
  if (typeof grace === 'number' && grace < 0) {
    const detail = 'must be greater than or equal to 0'
    problems.push({ field: `${path}.terminationGracePeriodSeconds`, type: 'invalid', value: grace, detail })
  }
  if (typeof deadline === 'number' && (deadline < 1 || deadline > 2147483647)) {
    const detail = 'must be between 1 and 2147483647, inclusive'
    problems.push({ field: `${path}.activeDeadlineSeconds`, type: 'invalid', value: deadline, detail })
  }
  return problems
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

function placementProblems(spec: Fields, path: string): readonly Problem[] {
  const problems: Problem[] = [...labelMapProblems(`${path}.nodeSelector`, fields(spec['nodeSelector']))]
  const nodeName = text(spec['nodeName'])
  if (nodeName !== undefined) problems.push(...subdomainProblems(`${path}.nodeName`, nodeName))
  for (const [index, toleration] of list(spec['tolerations']).entries())
    problems.push(...tolerationProblems(toleration, `${path}.tolerations[${index}]`))
  const gates = list(spec['schedulingGates']).map(gate => text(gate['name']) ?? '')
  for (const [index, name] of gates.entries()) {
    const field = `${path}.schedulingGates[${index}]`
    if (!isQualifiedName(name)) problems.push({ field, type: 'invalid', value: name, detail: 'name part must be non-empty' })
    if (gates.indexOf(name) < index) problems.push({ field, type: 'duplicate', value: name })
  }
  return problems
}

function tolerationProblems(toleration: Fields, path: string): readonly Problem[] {
  const { key, operator, effect, value } = toleration
  const problems: Problem[] = []
  if (!key && operator !== 'Exists') {
    const detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\""
    problems.push({ field: `${path}.operator`, type: 'invalid', value: operator ?? '', detail })
  }
  if (operator === 'Exists' && value)
    problems.push({ field: `${path}.operator`, type: 'invalid', value: operator, detail: 'value must be empty when `operator` is \'Exists\'' })
  return [
    ...problems,
    ...choice(operator || undefined, ['Equal', 'Exists', 'Lt', 'Gt'], `${path}.operator`),
    ...choice(effect || undefined, effects, `${path}.effect`)
  ]
}
