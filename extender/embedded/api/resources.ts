import { builtIn } from './built-in.ts'
import { groupVersion, idOf, type Resource } from './resource.ts'

/** All resources, by every way in which they are asked for. */
export class Resources implements Iterable<Resource> {
  readonly #byId = new Map<string, Resource>()

  constructor() {
    for (const resource of builtIn) this.#byId.set(resource.id, resource)
  }

  [Symbol.iterator](): Iterator<Resource> {
    return this.#byId.values()
  }

  /** By id. */
  get(id: string): Resource | undefined {
    return this.#byId.get(id)
  }

  /** As a URL names it; undefined where it is not served under that version. */
  find(group: string, version: string, plural: string): Resource | undefined {
    const resource = this.#byId.get(idOf(group, plural))
    return resource?.versions.includes(version) ? resource : undefined
  }

  /** By the type that an object says it has. */
  ofKind(apiVersion: string, kind: string): Resource | undefined {
    const { group, version } = groupVersion(apiVersion)
    for (const resource of this.#byId.values())
      if (resource.group === group && resource.kind === kind && resource.versions.includes(version)) return resource
    return undefined
  }

  /** Serves a resource, in the place of one of the same id. */
  add(resource: Resource): void {
    this.#byId.set(resource.id, resource)
  }

  remove(id: string): void {
    this.#byId.delete(id)
  }
}
