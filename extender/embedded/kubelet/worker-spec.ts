import { quantity } from '../api/quantity.ts'
import type { Container, EnvVar, KeyRef, Pod } from '../kinds.ts'
import type { Client } from '../store/client.ts'

/** Annotations that make a pod's containers worker threads; `k4s/module.NAME` and so on are for one container. */
export const workerAnnotations = { module: 'k4s/module', function: 'k4s/function', params: 'k4s/params' } as const

/** What a container is to run. */
export type WorkerSpec = {
  readonly module: string
  readonly function: string
  readonly params: Readonly<Record<string, unknown>>
}

/** Whether any container of the pod is a worker. */
export function isWorkerPod(pod: Pod): boolean {
  const { module } = workerAnnotations
  return Object.keys(pod.metadata.annotations ?? {}).some(name => name === module || name.startsWith(`${module}.`))
}

/** What a container of a worker pod runs; undefined for an init container that names no module: nothing. */
export function workerSpec(pod: Pod, container: Container, isInit: boolean): WorkerSpec | undefined {
  const read = (name: string): string | undefined => {
    const { annotations = {} } = pod.metadata
    return annotations[`${name}.${container.name}`] ?? (isInit ? undefined : annotations[name])
  }
  const module = read(workerAnnotations.module)
  if (module === undefined) return undefined
  return {
    module,
    function: read(workerAnnotations.function) ?? 'worker',
    params: paramsOf(read(workerAnnotations.params))
  }
}

function paramsOf(text: string | undefined): Readonly<Record<string, unknown>> {
  if (text === undefined || text === '') return {}
  const params: unknown = JSON.parse(text)
  if (typeof params === 'object' && params !== null && !Array.isArray(params)) return params as Record<string, unknown>
  throw new Error(`annotation ${workerAnnotations.params} is no JSON object: ${text}`)
}

/** The variables of a container, and nothing of the process that it runs in. */
export function environmentOf(client: Client, pod: Pod, container: Container): Readonly<Record<string, string>> {
  const all = (container.env ?? []).map(variable => [variable.name, valueOf(client, pod, variable)] as const)
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function valueOf(client: Client, pod: Pod, { value, valueFrom }: EnvVar): string | undefined {
  if (valueFrom === undefined) return value ?? ''
  const { fieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  if (fieldRef !== undefined) return fieldOf(pod, fieldRef.fieldPath)
  if (configMapKeyRef !== undefined) return keyOf(client, pod, 'configmaps', configMapKeyRef)
  return secretKeyRef === undefined ? undefined : keyOf(client, pod, 'secrets', secretKeyRef)
}

function fieldOf(pod: Pod, path: string): string | undefined {
  const [, field, key = ''] = /^metadata\.(annotations|labels)\['(.+)'\]$/.exec(path) ?? []
  if (field === 'annotations') return pod.metadata.annotations?.[key]
  if (field === 'labels') return pod.metadata.labels?.[key]
  let found: unknown = pod
  for (const step of path.split('.')) found = (found as Readonly<Record<string, unknown>> | undefined)?.[step]
  return typeof found === 'string' ? found : undefined
}

function keyOf(client: Client, pod: Pod, resource: string, { name, key, optional }: KeyRef): string | undefined {
  const object = client.get({ resource, namespace: pod.metadata.namespace ?? 'default', name })
  const value = (object?.['data'] as Readonly<Record<string, string>> | undefined)?.[key]
  if (value !== undefined) return resource === 'secrets' ? Buffer.from(value, 'base64').toString() : value
  if (optional === true) return undefined
  throw new Error(`there is no key ${key} in ${resource} ${name}`)
}

const usualMemoryMb = 64

/** The memory limit of a container in MiB: what V8 may use for its thread, 16 at least. */
export function memoryOf(container: Container): number {
  const limit = quantity(container.resources?.limits?.['memory'])
  return Number.isNaN(limit) ? usualMemoryMb : Math.max(16, Math.floor(limit / 2 ** 20))
}
