import { dirname, resolve } from 'node:path'
import { ordinalNames } from '../controllers/replica-set.ts'
import type { PodSpec, PodTemplate, Probe } from '../kinds.ts'
import { canonical } from '../controllers/hash.ts'
import { workerAnnotations } from '../kubelet/worker-spec.ts'
import { globSelector } from '../selectors.ts'
import type { KubeObject, ObjectMeta } from '../store/objects.ts'

/** The `apiVersion` of the short kinds. */
export const shortVersion = 'k4s/v1'

/** The annotation that holds what a Container was asked to be: one that is asked to be something else is a new one. */
export const asked = 'k4s/asked'

/** The image of a container whose thread runs a module. */
const workerImage = 'muster.dev/worker'

type Values = Readonly<Record<string, unknown>>
type ShortContainer = {
  readonly module: string
  readonly function?: string
  readonly params?: Values
  readonly env?: Values
  readonly memory?: string
  readonly restartPolicy?: NonNullable<PodSpec['restartPolicy']>
  readonly gracePeriodSeconds?: number
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
}

/** The core object that a checked `k4s/v1` object stands for; a module that starts with a dot is next to the file. */
export function translate(object: KubeObject, file: string | undefined): KubeObject {
  switch (object.kind) {
    case 'Container':
      return containerPod(object, file)
    case 'ReplicaSet':
      return replicaSet(object, file)
    default:
      return service(object)
  }
}

function containerPod({ metadata, spec }: KubeObject, file: string | undefined): KubeObject {
  const template = templateOf(spec as ShortContainer, metadata, file)
  const labels = { ...template.metadata?.labels, 'k4s/container': metadata.name }
  const annotations = { ...template.metadata?.annotations, [asked]: canonical(spec) }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, labels, annotations }, spec: template.spec }
}

function replicaSet({ metadata, spec }: KubeObject, file: string | undefined): KubeObject {
  const { replicas = 1, template } = spec as {
    readonly replicas?: number
    readonly template: { readonly metadata?: Partial<ObjectMeta>; readonly spec: ShortContainer }
  }
  const own = { 'k4s/replica-set': metadata.name }
  const pods = templateOf(template.spec, template.metadata ?? {}, file)
  const labels = { ...pods.metadata?.labels, ...own }
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { ...metadata, annotations: { ...metadata.annotations, [ordinalNames]: 'true' } },
    spec: { replicas, selector: { matchLabels: own }, template: { ...pods, metadata: { ...pods.metadata, labels } } }
  }
}

function service({ metadata, spec }: KubeObject): KubeObject {
  const { selector } = spec as { readonly selector: string | Readonly<Record<string, string>> }
  const glob = typeof selector === 'string'
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...(glob && { [globSelector]: selector }) } },
    spec: { clusterIP: 'None', ...(!glob && { selector }) }
  }
}

function templateOf(
  spec: ShortContainer,
  { labels, annotations }: Partial<ObjectMeta>,
  file: string | undefined
): PodTemplate {
  const { restartPolicy = 'Always', gracePeriodSeconds = 5 } = spec
  return {
    metadata: {
      ...(labels !== undefined && { labels }),
      annotations: {
        ...annotations,
        [workerAnnotations.module]: moduleOf(spec.module, file),
        [workerAnnotations.function]: spec.function ?? 'worker',
        [workerAnnotations.params]: JSON.stringify(spec.params ?? {})
      }
    },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: gracePeriodSeconds,
      containers: [containerOf(spec)]
    }
  }
}

function containerOf({ env, memory, livenessProbe, readinessProbe }: ShortContainer): PodSpec['containers'][number] {
  const variables = Object.entries(env ?? {}).map(([name, value]) => ({ name, value: String(value) }))
  return {
    name: 'worker',
    image: workerImage,
    ...(variables.length > 0 && { env: variables }),
    ...(memory !== undefined && { resources: { limits: { memory } } }),
    ...(livenessProbe !== undefined && { livenessProbe: { ...livenessProbe, ...handler } }),
    ...(readinessProbe !== undefined && { readinessProbe: { ...readinessProbe, ...handler } })
  }
}

/** A probe has to name a handler; the kubelet pings the thread, whatever it is. */
const handler = { tcpSocket: { port: 1 } }

function moduleOf(module: string, file: string | undefined): string {
  return file !== undefined && /^\.\.?\//.test(module) ? resolve(dirname(file), module) : module
}
