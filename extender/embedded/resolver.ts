import { isIP, type LookupFunction } from 'node:net'
import type { Client } from './store/client.ts'
import type { KubeObject } from './store/objects.ts'

type Endpoints = readonly {
  readonly addresses: readonly string[]
  readonly conditions?: { readonly ready?: boolean }
}[]

const slices = 'endpointslices.discovery.k8s.io'
const serviceName = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.cluster\.local)?\.?$/

/**
 * The DNS of the cluster for programs in its process, as `lookup` of a socket: `SERVICE.NAMESPACE.svc.cluster.local` is
 * the addresses of the Service's ready pods. It knows no other names.
 */
export function lookupIn(client: Client): LookupFunction {
  return (hostname, options, callback) => {
    const addresses = isIP(hostname) === 0 ? addressesOf(client, hostname) : [hostname]
    const [first] = addresses
    if (first === undefined) {
      const error = new Error(`the cluster knows no ready pod behind ${hostname}`)
      callback(Object.assign(error, { code: 'ENOTFOUND', hostname }), '')
    } else if (options.all === true) {
      callback(
        null,
        addresses.map(address => ({ address, family: isIP(address) }))
      )
    } else callback(null, first, isIP(first))
  }
}

function addressesOf(client: Client, hostname: string): readonly string[] {
  const [, service, namespace = ''] = serviceName.exec(hostname.toLowerCase()) ?? []
  if (service === undefined) return []
  const { items } = client.list(slices, { namespace, labelSelector: `kubernetes.io/service-name=${service}` })
  return items.flatMap(readyIn)
}

function readyIn(slice: KubeObject): readonly string[] {
  const endpoints = (slice['endpoints'] ?? []) as Endpoints
  return endpoints.filter(({ conditions }) => conditions?.ready !== false).flatMap(({ addresses }) => addresses)
}
