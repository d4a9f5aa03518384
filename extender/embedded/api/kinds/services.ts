import { type KubeObject, StatusError } from '../../store/objects.ts'
import type { Store } from '../../store/store.ts'
import { type Problem, refuse } from '../errors.ts'
import { equal, type Fields, fields, list, text, texts, without } from '../fields.ts'
import { withField } from '../metadata.ts'
import type { Context, Strategy } from '../strategy.ts'
import { serviceChangeProblems, serviceProblems, serviceStatusProblems } from './service-rules.ts'
import { withSpec } from './workloads.ts'

/** How Services are completed and checked; their addresses are names only, as nothing listens on them. */
export const serviceStrategy: Partial<Strategy> = {
  defaults: object => withSpec(object, specDefaults),
  create: (object, context) => withField(withAddress(object, context), 'status', { loadBalancer: {} }),
  update: (object, current, context) => {
    const before = fields(current['spec'])
    const balances = fields(object['spec'])['type'] === 'LoadBalancer' || before['type'] !== 'LoadBalancer'
    const known = balances ? object : withField(object, 'status', { loadBalancer: {} })
    return withAddress(
      withSpec(known, spec => kept(fitted(spec, before), before)),
      context
    )
  },
  validate: (object, current, { subresource }) => {
    if (subresource === 'status') return serviceStatusProblems(object)
    const spec = fields(object['spec'])
    return [
      ...(current === undefined ? [] : serviceChangeProblems(spec, fields(current['spec']))),
      ...serviceProblems(spec)
    ]
  }
}

/** Whether nodes have a port for each of the service's. */
const isOutside = ({ type }: Fields): boolean => type === 'NodePort' || type === 'LoadBalancer'

function specDefaults(spec: Fields): Fields {
  const type = text(spec['type']) ?? 'ClusterIP'
  const affinity = text(spec['sessionAffinity']) ?? 'None'
  const sticky = affinity === 'ClientIP' ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } } : {}
  const ports = list(spec['ports']).map(port => ({ protocol: 'TCP', targetPort: port['port'], ...port }))
  return {
    ...(type === 'ExternalName' ? {} : { ...families(spec), internalTrafficPolicy: 'Cluster' }),
    ...(isOutside({ type }) ? { externalTrafficPolicy: 'Cluster' } : {}),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: true } : {}),
    ...sticky,
    ...spec,
    type,
    sessionAffinity: affinity,
    ...(spec['ports'] === undefined ? {} : { ports })
  }
}

/** A headless service that selects nothing may have endpoints of both families. */
function families({ clusterIP, selector }: Fields): Fields {
  return clusterIP === 'None' && selector === undefined
    ? { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' }
    : { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }
}

/** Without what its former type had and its new one has not, unless that was changed as well. */
function fitted(spec: Fields, before: Fields): Fields {
  if (spec['type'] === before['type']) return spec
  const ports = list(spec['ports']).map(port => (isFormer(port, before) ? without(port, 'nodePort') : port))
  const inside = isOutside(spec) || spec['ports'] === undefined ? spec : { ...spec, ports }
  const policy = isOutside(spec) ? inside : without(inside, 'externalTrafficPolicy', 'allocateLoadBalancerNodePorts')
  if (spec['type'] !== 'ExternalName' || !equal(spec['clusterIPs'], before['clusterIPs'])) return policy
  return without(policy, 'clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy')
}

const isFormer = (port: Fields, { ports }: Fields): boolean =>
  list(ports).some(old => old['port'] === port['port'] && old['nodePort'] === port['nodePort'])

/** With the address and the node ports that it had, where it names none; of an address and a list of them, one gives the other. */
function kept(spec: Fields, before: Fields): Fields {
  const ports = list(spec['ports']).map(port => {
    const old = list(before['ports']).find(
      other => other['port'] === port['port'] && other['protocol'] === port['protocol']
    )
    const nodePort = port['nodePort'] ?? old?.['nodePort']
    return isOutside(spec) && nodePort !== undefined ? { ...port, nodePort } : port
  })
  return { ...spec, ...addresses(spec, before), ...(spec['ports'] === undefined ? {} : { ports }) }
}

function addresses({ type, clusterIP, clusterIPs }: Fields, before: Fields): Fields {
  if (type === 'ExternalName' || before['clusterIP'] === undefined) return {}
  if (clusterIP === undefined && clusterIPs === undefined)
    return { clusterIP: before['clusterIP'], clusterIPs: before['clusterIPs'] }
  if (clusterIP === undefined || !equal(clusterIPs, before['clusterIPs'])) return {}
  return clusterIP === before['clusterIP'] ? {} : { clusterIPs: [clusterIP, ...texts(clusterIPs).slice(1)] }
}

/** Draws a cluster address, and node ports where the type wants them; throws where one that it names is another's. */
function withAddress(service: KubeObject, { store, random, resource }: Context): KubeObject {
  const spec = fields(service['spec'])
  if (spec['type'] === 'ExternalName') return service
  // One without an address takes nothing of anybody's.
  if (isHeadless(spec)) return withField(service, 'spec', { ...spec, clusterIPs: spec['clusterIPs'] ?? ['None'] })
  const taken = takenBy(store, service)
  refuse(resource, service.metadata.name, takenProblems(spec, taken))
  const [listed] = texts(spec['clusterIPs'])
  const clusterIP = text(spec['clusterIP']) ?? listed ?? freeAddress(taken.addresses, random)
  const address = { clusterIP, clusterIPs: spec['clusterIPs'] ?? [clusterIP] }
  if (!isOutside(spec)) return withField(service, 'spec', { ...spec, ...address })
  const ports = list(spec['ports']).map(port => ({
    ...port,
    nodePort: port['nodePort'] ?? freePort(taken.ports, random)
  }))
  return withField(service, 'spec', { ...spec, ports, ...address })
}

const isHeadless = (spec: Fields): boolean =>
  spec['clusterIP'] === 'None' && !isOutside(spec) && list(spec['ports']).every(({ nodePort }) => !nodePort)

/** What other services have. */
type Taken = { readonly addresses: ReadonlySet<unknown>; readonly ports: Set<unknown> }

function takenBy(store: Store, { metadata }: KubeObject): Taken {
  const all = store.table('services').list()
  const specs = all.flatMap(({ metadata: { uid }, spec }) => (uid === metadata.uid ? [] : [fields(spec)]))
  return {
    addresses: new Set(specs.map(({ clusterIP }) => clusterIP)),
    ports: new Set(specs.flatMap(({ ports }) => list(ports).map(({ nodePort }) => nodePort)))
  }
}

const range = [30000, 32767] as const

function takenProblems({ clusterIP, ports }: Fields, taken: Taken): readonly Problem[] {
  const problems: Problem[] = []
  if (clusterIP && clusterIP !== 'None' && taken.addresses.has(clusterIP)) {
    const detail = `failed to allocate IP ${text(clusterIP)}: provided IP is already allocated`
    problems.push({ field: 'spec.clusterIPs', type: 'invalid', value: [clusterIP], detail })
  }
  for (const [index, { nodePort }] of list(ports).entries()) {
    const isWithin = Number(nodePort) >= range[0] && Number(nodePort) <= range[1]
    const within = `provided port is not in the valid range. The range of valid ports is ${range.join('-')}`
    const detail = isWithin ? 'provided port is already allocated' : within
    if (nodePort && (!isWithin || taken.ports.has(nodePort)))
      problems.push({ field: `spec.ports[${index}].nodePort`, type: 'invalid', value: nodePort, detail })
  }
  return problems
}

function freeAddress(taken: ReadonlySet<unknown>, random: () => number): string {
  for (;;) {
    const number = 1 + Math.floor(random() * 65533)
    const address = `10.96.${number >> 8}.${number & 255}`
    if (!taken.has(address)) return address
  }
}

/** From now on it is taken. */
function freePort(taken: Set<unknown>, random: () => number): number {
  for (let tries = 0; tries < 10_000; tries++) {
    const port = range[0] + Math.floor(random() * (range[1] - range[0] + 1))
    if (!taken.has(port) && taken.add(port)) return port
  }
  throw new StatusError(500, 'InternalError', 'Internal error occurred: failed to allocate a nodePort: range is full')
}
