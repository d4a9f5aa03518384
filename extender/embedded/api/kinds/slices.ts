import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { list, texts } from '../fields.ts'
import { immutable } from '../metadata-rules.ts'
import { addressProblems } from '../names.ts'
import type { Strategy } from '../strategy.ts'
import { choice } from './choices.ts'

/** How EndpointSlices are completed and checked. Other than upstream, addresses may be loopback: the kubelet's are. */
export const endpointSliceStrategy: Partial<Strategy> = {
  defaults: object => {
    const ports = list(object['ports']).map(port => ({ name: '', protocol: 'TCP', ...port }))
    const endpoints = list(object['endpoints']).map(endpoint => ({ conditions: {}, ...endpoint }))
    return { ...object, ...(object['ports'] === undefined ? {} : { ports }), endpoints }
  },
  validate: (object, current) => {
    const type = object['addressType']
    const known = ['FQDN', 'IPv4', 'IPv6']
    return [
      ...(type ? choice(type, known, 'addressType') : [{ field: 'addressType', type: 'required' } as const]),
      ...endpointProblems(object),
      ...(current === undefined ? [] : immutable(current['addressType'], type, 'addressType'))
    ]
  }
}

function endpointProblems(object: KubeObject): readonly Problem[] {
  const isNumber = object['addressType'] !== 'FQDN'
  return list(object['endpoints']).flatMap(({ addresses }, index): readonly Problem[] => {
    const field = `endpoints[${index}].addresses`
    const all = texts(addresses)
    if (all.length === 0) return [{ field, type: 'required', detail: 'must contain at least 1 address' }]
    return isNumber ? all.flatMap((address, place) => addressProblems(`${field}[${place}]`, address)) : []
  })
}
