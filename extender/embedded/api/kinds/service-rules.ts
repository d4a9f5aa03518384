import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { type Fields, fields, list, text, texts } from '../fields.ts'
import { addressProblems, labelMapProblems, labelProblems, subdomainProblems } from '../names.ts'
import { choice, isPort, portRange } from './choices.ts'

/** What is wrong with the spec of a Service. */
export function serviceProblems(spec: Fields): readonly Problem[] {
  const { type, sessionAffinity, clusterIP } = spec
  const ports = list(spec['ports'])
  const headless = clusterIP === 'None' || type === 'ExternalName'
  const missing: readonly Problem[] = ports.length === 0 && !headless ? [{ field: 'spec.ports', type: 'required' }] : []
  const name = text(spec['externalName'])
  return [
    ...missing,
    ...(type === 'ExternalName' ? externalNameProblems(name) : []),
    ...ports.flatMap((port, index) => portProblems(ports, port, `spec.ports[${index}]`)),
    ...labelMapProblems('spec.selector', fields(spec['selector'])),
    ...choice(sessionAffinity, ['ClientIP', 'None'], 'spec.sessionAffinity'),
    ...(type === 'ExternalName' ? [] : addressesProblems(spec)),
    ...choice(type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'], 'spec.type'),
    ...ports.flatMap((port, index) => placeProblems(spec, ports, port, index))
  ]
}

const externalNameProblems = (name: string | undefined): readonly Problem[] =>
  name === undefined
    ? [{ field: 'spec.externalName', type: 'required' }]
    : subdomainProblems('spec.externalName', name.replace(/\.$/, ''))

function portProblems(ports: readonly Fields[], port: Fields, path: string): readonly Problem[] {
  const { port: number, targetPort } = port
  const name = text(port['name'])
  const problems: Problem[] = name === undefined ? [] : [...labelProblems(`${path}.name`, name)]
  if (ports.length > 1 && name === undefined) problems.push({ field: `${path}.name`, type: 'required' })
  if (name !== undefined && ports.find(other => other['name'] === name) !== port)
    problems.push({ field: `${path}.name`, type: 'duplicate', value: name })
  if (!isPort(number)) problems.push({ field: `${path}.port`, type: 'invalid', value: number ?? 0, detail: portRange })
  if (typeof targetPort === 'number' && !isPort(targetPort))
    problems.push({ field: `${path}.targetPort`, type: 'invalid', value: targetPort, detail: portRange })
  return [...problems, ...choice(port['protocol'], ['SCTP', 'TCP', 'UDP'], `${path}.protocol`)]
}

/** Node ports are for what nodes serve, and no two ports of a service are the same. */
function placeProblems(spec: Fields, ports: readonly Fields[], port: Fields, index: number): readonly Problem[] {
  const problems: Problem[] = []
  const field = `spec.ports[${index}]`
  if (spec['type'] === 'ClusterIP' && port['nodePort']) {
    const detail = "may not be used when `type` is 'ClusterIP'"
    problems.push({ field: `${field}.nodePort`, type: 'forbidden', detail })
  }
  const { protocol, port: number } = port
  if (ports.find(other => other['protocol'] === protocol && other['port'] === number) !== port)
    problems.push({ field, type: 'duplicate', value: { protocol, port: number } })
  return problems
}

function addressesProblems({ type, clusterIP, clusterIPs }: Fields): readonly Problem[] {
  const field = 'spec.clusterIPs'
  if (clusterIP === 'None') {
    const detail = `may not be set to 'None' for ${String(type)} services`
    return type === 'ClusterIP' ? [] : [{ field: `${field}[0]`, type: 'invalid', value: 'None', detail }]
  }
  const problems = texts(clusterIPs).flatMap((address, index) => addressProblems(`${field}[${index}]`, address))
  if (texts(clusterIPs)[0] === clusterIP) return problems
  return [...problems, { field, type: 'invalid', value: clusterIPs, detail: 'first value must match `clusterIP`' }]
}

/** An address stays as long as the service has one. */
export function serviceChangeProblems(spec: Fields, before: Fields): readonly Problem[] {
  if (spec['type'] === 'ExternalName' || before['type'] === 'ExternalName') return []
  const [was, is] = [texts(before['clusterIPs']), texts(spec['clusterIPs'])]
  if (was[0] === undefined || was[0] === is[0]) return []
  return [{ field: 'spec.clusterIPs[0]', type: 'invalid', value: is, detail: 'may not change once set' }]
}

/** Only load balancers have addresses outside. */
export function serviceStatusProblems({ spec, status }: KubeObject): readonly Problem[] {
  const ingress = list(fields(fields(status)['loadBalancer'])['ingress'])
  if (ingress.length === 0 || fields(spec)['type'] === 'LoadBalancer') return []
  const detail = "may only be used when `spec.type` is 'LoadBalancer'"
  return [{ field: 'status.loadBalancer.ingress', type: 'forbidden', detail }]
}
