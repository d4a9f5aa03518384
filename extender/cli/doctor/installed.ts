import { type Json, object, objects, text, texts } from '../../json.ts'
import type { Operations } from '../../operations.ts'

/** What the cluster says of the muster that is installed in it. */
export type Installed = {
  /** `Deployment NAMESPACE/NAME`; undefined where none is found. */
  readonly where: string | undefined
  readonly replicas: number
  /** Those of its options that say how it schedules, and not where its files are. */
  readonly flags: readonly string[]
  /** NAMESPACE/NAME, as it is told. */
  readonly lease: string | undefined
  /** The ConfigMaps that its pods mount, kube-scheduler's configuration among them. */
  readonly configMaps: readonly string[]
}

const nothing: Installed = { where: undefined, replicas: 0, flags: [], lease: undefined, configMaps: [] }
const kept = ['bind-timeout', 'scheduler-name']

/** The Deployment of that namespace that runs `muster serve`. */
export async function findInstalled(operations: Pick<Operations, 'get'>, namespace: string): Promise<Installed> {
  const path = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/deployments`
  const { body } = await operations.get(path, { limit: 100 })
  for (const deployment of objects(body.items)) {
    const told = argumentsOf(deployment)
    if (!told) continue
    const { replicas = 1 } = object(deployment.spec)
    return {
      where: `Deployment ${namespace}/${text(object(deployment.metadata).name) ?? ''}`,
      replicas: typeof replicas === 'number' ? replicas : 1,
      flags: kept.flatMap(name => valuesOf(told, name).map(value => `--${name}=${value}`)),
      lease: valuesOf(told, 'lease').at(-1),
      configMaps: mountedBy(deployment)
    }
  }
  return nothing
}

function mountedBy(deployment: Json): readonly string[] {
  const { volumes } = object(object(object(deployment.spec).template).spec)
  return objects(volumes).flatMap(({ configMap }) => text(object(configMap).name) ?? [])
}

/** What follows `serve`; undefined where no container is a muster. */
function argumentsOf(deployment: Json): readonly string[] | undefined {
  const spec = object(object(object(deployment.spec).template).spec)
  for (const { command, args } of [...objects(spec.initContainers), ...objects(spec.containers)]) {
    const words = [...texts(command), ...texts(args)]
    if (words.includes('serve')) return words.slice(words.indexOf('serve') + 1)
  }
  return undefined
}

/** `--name=value` and `--name value`. */
function valuesOf(words: readonly string[], name: string): readonly string[] {
  return words.flatMap((word, index) => {
    if (word.startsWith(`--${name}=`)) return [word.slice(name.length + 3)]
    return word === `--${name}` ? (words[index + 1] ?? []) : []
  })
}
