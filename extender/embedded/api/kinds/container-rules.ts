import type { Problem } from '../errors.ts'
import { type Fields, fields, isFields, list, text } from '../fields.ts'
import { labelProblems, portNameProblems } from '../names.ts'
import { choice, isPort, portRange } from './choices.ts'
import { resourceProblems } from './resource-rules.ts'

/** What is wrong with the containers of a pod spec; `volumes` are the names of those that it has. */
export function containersProblems(spec: Fields, path: string, volumes: readonly string[]): readonly Problem[] {
  const [containers, inits] = [list(spec['containers']), list(spec['initContainers'])]
  const taken = new Set<string>()
  const one =
    (kind: string) =>
    (container: Fields, index: number): readonly Problem[] => {
      const field = `${path}.${kind}[${index}]`
      return [...nameProblems(container, field, taken), ...containerProblems(container, field, volumes)]
    }
  return [
    ...containers.flatMap(one('containers')),
    ...hostPortProblems(containers, `${path}.containers`),
    ...inits.flatMap(one('initContainers')),
    ...inits.flatMap((container, index) => plainInitProblems(container, `${path}.initContainers[${index}]`))
  ]
}

function nameProblems(container: Fields, path: string, taken: Set<string>): readonly Problem[] {
  const name = text(container['name'])
  const field = `${path}.name`
  if (name === undefined) return [{ field, type: 'required' }]
  if (taken.has(name)) return [{ field, type: 'duplicate', value: name }]
  taken.add(name)
  return labelProblems(field, name)
}

function containerProblems(container: Fields, path: string, volumes: readonly string[]): readonly Problem[] {
  const names: string[] = []
  return [
    ...imageProblems(container['image'], `${path}.image`),
    ...list(container['ports']).flatMap((port, index) => portProblems(port, `${path}.ports[${index}]`, names)),
    ...list(container['env']).flatMap((env, index) => envProblems(env, `${path}.env[${index}]`)),
    ...mountProblems(list(container['volumeMounts']), `${path}.volumeMounts`, volumes),
    ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap(name => probeProblems(container, name, path)),
    ...choice(container['imagePullPolicy'], ['Always', 'IfNotPresent', 'Never'], `${path}.imagePullPolicy`),
    ...resourceProblems(fields(container['resources']), `${path}.resources`)
  ]
}

function imageProblems(value: unknown, field: string): readonly Problem[] {
  const image = text(value)
  if (image === undefined) return [{ field, type: 'required' }]
  if (image === image.trim()) return []
  return [{ field, type: 'invalid', value: image, detail: 'must not have leading or trailing whitespace' }]
}

function portProblems(port: Fields, path: string, names: string[]): readonly Problem[] {
  const { containerPort, hostPort, protocol } = port
  const problems: Problem[] = []
  const name = text(port['name'])
  if (name !== undefined && names.includes(name))
    problems.push({ field: `${path}.name`, type: 'duplicate', value: name })
  else if (name !== undefined) problems.push(...portNameProblems(`${path}.name`, name))
  if (name !== undefined) names.push(name)
  if (!containerPort) problems.push({ field: `${path}.containerPort`, type: 'required' })
  else if (!isPort(containerPort))
    problems.push({ field: `${path}.containerPort`, type: 'invalid', value: containerPort, detail: portRange })
  if (hostPort && !isPort(hostPort))
    problems.push({ field: `${path}.hostPort`, type: 'invalid', value: hostPort, detail: portRange })
  return [...problems, ...choice(protocol, ['SCTP', 'TCP', 'UDP'], `${path}.protocol`)]
}

/** Two containers of a pod cannot both have a port of their node. */
function hostPortProblems(containers: readonly Fields[], path: string): readonly Problem[] {
  const taken = new Set<string>()
  return containers.flatMap((container, index) =>
    list(container['ports']).flatMap(({ hostPort, hostIP = '', protocol }, place): readonly Problem[] => {
      const value = `${String(protocol)}/${String(hostIP)}/${String(hostPort)}`
      if (!hostPort) return []
      if (taken.has(value)) return [{ field: `${path}[${index}].ports[${place}].hostPort`, type: 'duplicate', value }]
      taken.add(value)
      return []
    })
  )
}

function envProblems(env: Fields, path: string): readonly Problem[] {
  const name = text(env['name'])
  const problems: Problem[] = []
  if (name === undefined) problems.push({ field: `${path}.name`, type: 'required' })
  // Printable ASCII without the equals sign.
  else if (!/^[ -<>-~]+$/.test(name)) {
    const detail = "a valid environment variable name must consist only of printable ASCII characters other than '='"
    problems.push({ field: `${path}.name`, type: 'invalid', value: name, detail })
  }
  if (!isFields(env['valueFrom'])) return problems
  const detail = sourceProblem(Object.keys(env['valueFrom']).length, env)
  if (detail === undefined) return problems
  return [...problems, { field: `${path}.valueFrom`, type: 'invalid', value: '', detail }]
}

function sourceProblem(count: number, env: Fields): string | undefined {
  if (count === 0)
    return 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'
  if (env['value']) return 'may not be specified when `value` is not empty'
  return count > 1 ? 'may not have more than one field specified at a time' : undefined
}

function mountProblems(mounts: readonly Fields[], path: string, volumes: readonly string[]): readonly Problem[] {
  const places = mounts.map(mount => text(mount['mountPath']))
  return mounts.flatMap((mount, index) => {
    const name = text(mount['name']) ?? ''
    const place = places[index]
    const at = `${path}[${index}]`
    const problems: Problem[] = name === '' ? [{ field: `${at}.name`, type: 'required' }] : []
    if (!volumes.includes(name)) problems.push({ field: `${at}.name`, type: 'notFound', value: name })
    if (place === undefined) problems.push({ field: `${at}.mountPath`, type: 'required' })
    if (places.indexOf(place) < index)
      problems.push({ field: `${at}.mountPath`, type: 'invalid', value: place ?? '', detail: 'must be unique' })
    return problems
  })
}

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc']
const counts = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']

function probeProblems(container: Fields, name: string, path: string): readonly Problem[] {
  const probe = container[name]
  if (!isFields(probe)) return []
  const field = `${path}.${name}`
  const [handler, ...others] = handlers.filter(kind => probe[kind] !== undefined)
  const problems: Problem[] = others.map(other => {
    const detail = 'may not specify more than 1 handler type'
    return { field: `${field}.${other}`, type: 'forbidden', detail }
  })
  if (handler === undefined) problems.push({ field, type: 'required', detail: 'must specify a handler type' })
  const say = (count: string, detail: string): number =>
    problems.push({ field: `${field}.${count}`, type: 'invalid', value: probe[count], detail })
  for (const count of counts) if (Number(probe[count] ?? 0) < 0) say(count, 'must be greater than or equal to 0')
  if (name !== 'readinessProbe' && Number(probe['successThreshold']) > 1) say('successThreshold', 'must be 1')
  return problems
}

/** An init container that ends has nothing to be probed for. */
function plainInitProblems(container: Fields, path: string): readonly Problem[] {
  if (container['restartPolicy'] === 'Always') return []
  const detail = 'may not be set for init containers without restartPolicy=Always'
  return ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'].flatMap(name =>
    container[name] === undefined ? [] : [{ field: `${path}.${name}`, type: 'forbidden', detail } as const]
  )
}
