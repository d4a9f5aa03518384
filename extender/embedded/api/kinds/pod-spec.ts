import { type Fields, fields, isFields, list, text } from '../fields.ts'
import { quantity } from '../quantity.ts'

/** What upstream writes into every pod spec, a pod's own or a template's. */
export function podSpecDefaults(given: unknown): Fields {
  // Go takes an empty text for none.
  const meant = Object.entries(fields(given)).filter(([name, value]) => value !== '' || !optional.has(name))
  const spec: Fields = Object.fromEntries(meant)
  const hostNetwork = spec['hostNetwork'] === true
  const account = text(spec['serviceAccountName']) ?? text(spec['serviceAccount'])
  return {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    ...spec,
    ...(account === undefined ? {} : { serviceAccountName: account, serviceAccount: account }),
    ...each(spec, 'volumes', volumeDefaults),
    ...each(spec, 'initContainers', container => containerDefaults(container, hostNetwork)),
    ...each(spec, 'containers', container => containerDefaults(container, hostNetwork))
  }
}

const optional = new Set(['restartPolicy', 'dnsPolicy', 'schedulerName', 'nodeName', 'hostname', 'priorityClassName'])

/** One field of an object, a list, with every entry completed; nothing where there is no such list. */
function each(object: Fields, name: string, complete: (entry: Fields) => Fields): Fields {
  const entries = object[name]
  if (!Array.isArray(entries)) return {}
  return { [name]: entries.map((entry: unknown) => (isFields(entry) ? complete(entry) : entry)) }
}

/** One field of an object, an object, completed; nothing where there is no such field. */
function inner(object: Fields, name: string, complete: (value: Fields) => Fields): Fields {
  const value = object[name]
  return isFields(value) ? { [name]: complete(value) } : {}
}

function containerDefaults(container: Fields, hostNetwork: boolean): Fields {
  return {
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: pullPolicy(text(container['image']) ?? ''),
    ...container,
    ...each(container, 'ports', port => portDefaults(port, hostNetwork)),
    ...each(container, 'env', envDefaults),
    ...inner(container, 'livenessProbe', probeDefaults),
    ...inner(container, 'readinessProbe', probeDefaults),
    ...inner(container, 'startupProbe', probeDefaults),
    ...inner(container, 'lifecycle', lifecycle => ({
      ...lifecycle,
      ...inner(lifecycle, 'postStart', handlerDefaults),
      ...inner(lifecycle, 'preStop', handlerDefaults)
    }))
  }
}

/** `Always` where the image has no tag or `latest`, since it may be another one next time. */
function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent'
  const tag = /:([^/:]+)$/.exec(image)?.[1]
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent'
}

function portDefaults(port: Fields, hostNetwork: boolean): Fields {
  const host = hostNetwork && port['hostPort'] === undefined ? { hostPort: port['containerPort'] } : {}
  return { protocol: 'TCP', ...host, ...port }
}

function envDefaults(env: Fields): Fields {
  const complete = (value: Fields): Fields => ({
    ...value,
    ...inner(value, 'fieldRef', reference => ({ apiVersion: 'v1', ...reference })),
    ...inner(value, 'resourceFieldRef', reference => ({ divisor: '0', ...reference }))
  })
  return { ...env, ...inner(env, 'valueFrom', complete) }
}

const probeDefaults = (probe: Fields): Fields => ({
  timeoutSeconds: 1,
  periodSeconds: 10,
  successThreshold: 1,
  failureThreshold: 3,
  ...probe,
  ...handlerDefaults(probe)
})

const handlerDefaults = (handler: Fields): Fields => ({
  ...handler,
  ...inner(handler, 'httpGet', get => ({ path: '/', scheme: 'HTTP', ...get })),
  ...inner(handler, 'grpc', grpc => ({ service: '', ...grpc }))
})

const withMode = (source: Fields): Fields => ({ defaultMode: 420, ...source })

function volumeDefaults(volume: Fields): Fields {
  if (Object.keys(volume).length < 2) return { ...volume, emptyDir: {} }
  return {
    ...volume,
    ...inner(volume, 'configMap', withMode),
    ...inner(volume, 'secret', withMode),
    ...inner(volume, 'projected', withMode),
    ...inner(volume, 'downwardAPI', withMode),
    ...inner(volume, 'hostPath', source => ({ type: '', ...source }))
  }
}

/** A pod's requests are at least named as far as its limits are; upstream leaves templates as they are. */
export function requestsFromLimits(spec: Fields): Fields {
  return { ...spec, ...each(spec, 'containers', withRequests), ...each(spec, 'initContainers', withRequests) }
}

function withRequests(container: Fields): Fields {
  const resources = fields(container['resources'])
  if (!isFields(resources['limits'])) return container
  const requests = { ...resources['limits'], ...fields(resources['requests']) }
  return { ...container, resources: { ...resources, requests } }
}

/** Upstream's class of service: by cpu and memory of all containers. */
export function qosClass(spec: Fields): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...list(spec['containers']), ...list(spec['initContainers'])]
  let guaranteed = true
  let anything = false
  for (const container of containers) {
    const { requests, limits } = fields(container['resources'])
    for (const name of ['cpu', 'memory']) {
      const [request, limit] = [amount(requests, name), amount(limits, name)]
      if (request > 0 || limit > 0) anything = true
      if (limit === 0 || request !== limit) guaranteed = false
    }
  }
  if (!anything) return 'BestEffort'
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

const amount = (values: unknown, name: string): number => quantity(fields(values)[name] ?? 0)
