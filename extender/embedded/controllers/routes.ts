import type { Informer } from '../informer.ts'
import type { Pod } from '../kinds.ts'
import { globSelector } from '../selectors.ts'
import type { KubeObject } from '../store/objects.ts'

/**
 * Which Services may send to a pod, and to which pods a Service may send, without a look at all of them: each Service
 * stands under one label that it wants, each pod under all that it has.
 */
const labelKey = (namespace = 'default', name: string, value: string): string => `${namespace}\n${name}=${value}`
/** Services that go by names of pods. */
const globKey = (namespace = 'default'): string => `${namespace}\n*`

/** An index of pods. */
export const labelIndex = ({ metadata: { namespace, labels = {} } }: Pod): readonly string[] =>
  Object.entries(labels).map(([name, value]) => labelKey(namespace, name, value))

/** An index of Services; of other kinds it knows nothing. */
export function selectorIndex(object: KubeObject): readonly string[] {
  if (object.kind !== 'Service') return []
  const { namespace, annotations } = object.metadata
  if (annotations?.[globSelector] !== undefined) return [globKey(namespace)]
  const first = firstWanted(object)
  return first === undefined ? [] : [labelKey(namespace, ...first)]
}

/** Services among which are all that send to the pod. */
export function sendersTo<T extends KubeObject>(pod: Pod, services: Informer<T>): readonly T[] {
  return [...labelIndex(pod), globKey(pod.metadata.namespace)].flatMap(key => services.by('selector', key))
}

/** Pods among which are all that the Service sends to. */
export function receiversOf(service: KubeObject, pods: Informer<Pod>): readonly Pod[] {
  const { namespace = 'default', annotations } = service.metadata
  const first = annotations?.[globSelector] === undefined ? firstWanted(service) : undefined
  return first === undefined ? pods.by('namespace', namespace) : pods.by('label', labelKey(namespace, ...first))
}

function firstWanted(service: KubeObject): readonly [string, string] | undefined {
  const { selector = {} } = (service['spec'] ?? {}) as { readonly selector?: Readonly<Record<string, string>> }
  return Object.entries(selector).toSorted(([one], [other]) => (one < other ? -1 : 1))[0]
}
