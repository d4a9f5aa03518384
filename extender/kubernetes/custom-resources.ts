import type { PodGroup } from '../facts.ts'
import type { State } from '../state.ts'
import { type Json, object, objects, text } from '../json.ts'
import type { Fields } from './fields.ts'
import type { ReflectorHandler } from './object-store.ts'
import { OptionalReflector } from './optional-reflector.ts'
import { type PodGroupKind, podGroupKinds, podGroupProjection } from './pod-groups.ts'
import { identity } from './read-fields.ts'
import type { ReflectorOptions } from './reflector.ts'

/** A CRD, as far as it decides whether its objects can be watched. */
type Definition = { readonly name: string; readonly served: readonly string[] }

export type CustomResourcesParts = Omit<ReflectorOptions<unknown>, 'resource' | 'path' | 'project' | 'handler'> & {
  readonly state: State
}

/** What is read of definitions: not the schemas, which are the most of them. */
const fields: Fields = {
  metadata: identity,
  spec: { versions: { name: 'whole', served: 'whole' } },
  status: { conditions: { type: 'whole', status: 'whole' } }
}

/**
 * Watches the PodGroups of other schedulers as long as their CRDs are there: CRDs may come and go at any time. Without
 * the right to read them muster goes on without.
 */
export class CustomResources {
  readonly #definitions: OptionalReflector<Definition>
  readonly #watches: ReadonlyMap<string, PodGroupWatch>

  constructor(parts: CustomResourcesParts) {
    this.#watches = new Map(
      podGroupKinds.map(kind => [`podgroups.${kind.api}`, new PodGroupWatch(kind, parts)] as const)
    )
    this.#definitions = new OptionalReflector<Definition>({
      ...parts,
      ...{ resource: 'customresourcedefinitions', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions' },
      project: json => this.#project(json),
      fields,
      handler: this.#handler()
    })
  }

  /** True once the PodGroups of every CRD that is there are listed. */
  get synced(): boolean {
    return this.#definitions.synced && [...this.#watches.values()].every(watch => watch.synced)
  }

  /** Resolves with `synced`. */
  async start(): Promise<void> {
    this.#definitions.start()
    await this.#definitions.whenSynced()
    await Promise.all([...this.#watches.values()].map(watch => watch.whenSynced()))
  }

  async stop(): Promise<void> {
    await this.#definitions.stop()
    await Promise.all([...this.#watches.values()].map(watch => watch.set(undefined)))
  }

  /** All others are of no interest. */
  #project(json: Json): Definition | undefined {
    const name = text(object(json.metadata).name) ?? ''
    if (!this.#watches.has(name)) return undefined
    const established = objects(object(json.status).conditions).some(
      ({ type, status }) => type === 'Established' && status === 'True'
    )
    const served = objects(object(json.spec).versions).flatMap(version =>
      version.served === true ? [text(version.name) ?? ''] : []
    )
    return { name, served: established ? served : [] }
  }

  #handler(): ReflectorHandler<Definition> {
    const set = (name: string, served: readonly string[]): void => void this.#watches.get(name)?.set(served)
    return {
      replace: definitions => {
        const served = new Map(definitions.map(definition => [definition.name, definition.served]))
        for (const name of this.#watches.keys()) set(name, served.get(name) ?? [])
      },
      apply: (type, { name, served }) => set(name, type === 'DELETED' ? [] : served)
    }
  }
}

/** The PodGroups of one API, watched while it is served. */
class PodGroupWatch {
  readonly #kind: PodGroupKind
  readonly #parts: CustomResourcesParts
  readonly #handler: ReflectorHandler<PodGroup>
  #reflector: OptionalReflector<PodGroup> | undefined
  /** One change after the other: what an old watch leaves behind is cleared before a new one begins. */
  #turn: Promise<void> = Promise.resolve()

  constructor(kind: PodGroupKind, parts: CustomResourcesParts) {
    this.#kind = kind
    this.#parts = parts
    this.#handler = podGroupsInto(parts.state)
  }

  get synced(): boolean {
    return this.#reflector?.synced ?? true
  }

  async whenSynced(): Promise<void> {
    await this.#turn
    await this.#reflector?.whenSynced()
  }

  /** These versions are served now; none where the API is gone. */
  set(served: readonly string[] = []): Promise<void> {
    this.#turn = this.#turn.then(() => (served.includes(this.#kind.version) ? this.#begin() : this.#end()))
    return this.#turn
  }

  #begin(): void {
    if (this.#reflector) return
    const { api, version } = this.#kind
    this.#reflector = new OptionalReflector<PodGroup>({
      ...this.#parts,
      ...{ resource: `podgroups.${api}`, path: `/apis/${api}/${version}/podgroups` },
      project: podGroupProjection(this.#kind),
      handler: this.#handler
    })
    this.#parts.log.info({ api, version }, `watching the PodGroups of ${api}`)
    this.#reflector.start()
  }

  async #end(): Promise<void> {
    const reflector = this.#reflector
    if (!reflector) return
    const { metrics, log } = this.#parts
    const { api } = this.#kind
    await reflector.stop()
    this.#reflector = undefined
    log.info({ api }, `the PodGroups of ${api} are gone`)
    this.#handler.replace([])
    // Nothing grows stale where nothing is read.
    metrics.watchCache(`podgroups.${api}`, { synced: false, staleness: () => 0 })
  }
}

const keyOf = ({ api, namespace, name }: PodGroup): string => `${api}/${namespace}/${name}`

/** The APIs share the state's one table, so each takes out only its own. */
function podGroupsInto(state: State): ReflectorHandler<PodGroup> {
  const known = new Set<string>()
  const set = (key: string, group: PodGroup | undefined): void => {
    if (group) known.add(key)
    else known.delete(key)
    state.facts.setPodGroup(key, group)
  }
  return {
    replace(groups) {
      const listed = new Set(groups.map(keyOf))
      for (const key of [...known]) if (!listed.has(key)) set(key, undefined)
      for (const group of groups) set(keyOf(group), group)
    },
    apply: (type, group) => set(keyOf(group), type === 'DELETED' ? undefined : group)
  }
}
