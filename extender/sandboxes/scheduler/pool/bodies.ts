import { createHash } from 'node:crypto'
import { annotations as scheduling } from '../../../../policies/names.ts'
import { annotations, labels } from '../../labels.ts'
import { type Claim, launchNote } from '../claim.ts'
import { object, objects } from '../../../json.ts'
import type { Json } from '../ports.ts'
import { carefulSpec, labelsOf, ownerOf, type Template } from '../templates.ts'
import { classOf } from './classes.ts'
import type { PoolPod, Way } from './pool-pod.ts'

/** What the pods of a pool are made from; `make` tells one state of a template from another. */
export type Mould = { readonly way: Way; readonly template: string; readonly make: string; readonly body: Json }

export function mouldOf(way: Way, name: string, template: Template): Mould {
  const body = way === 'warm' ? warm(template) : placeholder(template)
  const make = createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 16)
  return { ...{ way, template: name, make }, body }
}

/** The pod of that number of a pool. */
export function bodyOf({ way, template, make, body }: Mould, number: number): Json {
  const metadata = object(body.metadata)
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      name: nameOf({ way, template }, number),
      labels: {
        ...object(metadata.labels),
        [labels.managed]: 'true',
        [labels.pool]: way,
        [labels.template]: template
      },
      annotations: { ...object(metadata.annotations), [annotations.make]: make }
    },
    spec: { ...object(body.spec), priorityClassName: classOf(way) }
  }
}

/** Several of us that see the same make the same pods: the API server lets each be made once. */
export const nameOf = ({ way, template }: Pick<Mould, 'way' | 'template'>, number: number): string =>
  `${way}-${template}-${number}`

const warm = (template: Template): Json => ({ metadata: template.metadata, spec: carefulSpec(template) })

/** What decides on which nodes a pod may be. */
const placing = [
  'nodeSelector',
  'affinity',
  'tolerations',
  'topologySpreadConstraints',
  'runtimeClassName',
  'resources'
]

const pause = 'registry.k8s.io/pause:3.10'

/** Takes the room of a sandbox, and nothing else: it is gone the moment that it is deleted. */
function placeholder(template: Template): Json {
  const { labels: own } = object(template.metadata)
  const spec = carefulSpec(template)
  const containers = objects(spec.containers).map(({ name, resources, securityContext }) => ({
    ...{ name, image: pause, securityContext },
    ...(resources !== undefined && { resources })
  }))
  const { schedulerName, automountServiceAccountToken, enableServiceLinks, securityContext } = spec
  return {
    metadata: { labels: own },
    spec: {
      ...Object.fromEntries(placing.filter(field => spec[field] !== undefined).map(field => [field, spec[field]])),
      ...{ schedulerName, automountServiceAccountToken, enableServiceLinks, securityContext, containers },
      terminationGracePeriodSeconds: 0
    }
  }
}

/**
 * The one patch that gives a warm pod to a claim, if nobody has touched the pod since. It keeps its low priority, which
 * nobody can change, so from now on it is protected for as long as the sandbox may live.
 */
export function adoptionOf(claim: Claim, { uid, version, startedAt }: PoolPod, now: number): Json {
  const age = Math.max(0, now - (startedAt ?? now))
  const seconds = Math.ceil((age + claim.spec.maxLifetimeMs) / 1000)
  return {
    metadata: {
      ...{ uid, resourceVersion: version },
      labels: labelsOf(claim),
      annotations: { ...launchNote({ way: 'WARM', reason: '' }), [scheduling.minRuntime]: `${seconds}s` },
      ownerReferences: [ownerOf(claim)]
    },
    spec: { activeDeadlineSeconds: seconds }
  }
}
