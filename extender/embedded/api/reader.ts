import type { ListOptions, WatchEvent } from '../store/client.ts'
import { labelMatcher } from '../store/label-selector.ts'
import { type KubeObject, type Reference, StatusError } from '../store/objects.ts'
import type { Matcher, Store } from '../store/store.ts'
import { keyOf as orderOf } from '../store/table.ts'
import { badRequest } from './errors.ts'
import { outOf, same } from './events.ts'
import { fieldMatcher } from './field-selector.ts'
import { keyOf, type Resource } from './resource.ts'
import type { Resources } from './resources.ts'
import type { Page, PageOptions } from './types.ts'

/** Everything that only reads: get, list, pages of lists, watches. */
export class Reader {
  readonly #store: Store
  readonly #resources: Resources

  constructor(store: Store, resources: Resources) {
    this.#store = store
    this.#resources = resources
  }

  /** Throws a 404 for a resource that is not served. */
  resource(id: string): Resource {
    const resource = this.#resources.get(id)
    if (resource === undefined)
      throw new StatusError(404, 'NotFound', 'the server could not find the requested resource')
    return resource
  }

  get(reference: Reference): KubeObject | undefined {
    const resource = this.resource(reference.resource)
    const { namespace, name } = keyOf(resource, reference)
    const object = this.#store.table(resource.stored).get(namespace, name)
    return object === undefined ? undefined : outOf(resource)(object)
  }

  page(id: string, options: PageOptions): Page {
    const resource = this.resource(id)
    const token = options.continue ? parseToken(options.continue) : undefined
    const version = token?.version ?? (options.exactly === undefined ? undefined : parseVersion(options.exactly))
    const matches = matcherOf(resource, options)
    const objects = this.#objects(resource, options, version)
    const after = token === undefined ? objects : objects.slice(firstAfter(objects, token.after))
    const found = matches === undefined ? after : after.filter(matches)
    return pageOf(resource, found, String(version ?? this.#store.version), options)
  }

  #objects(resource: Resource, options: ListOptions, version: number | undefined): readonly KubeObject[] {
    const table = this.#store.table(resource.stored)
    const namespace = resource.namespaced ? options.namespace : undefined
    if (version === undefined) return table.list(namespace)
    this.#store.checkVersion(resource.stored, version)
    return table.listAt(version, namespace)
  }

  watch(
    id: string,
    listener: (event: WatchEvent) => void,
    options: ListOptions & { readonly from?: string }
  ): () => void {
    const resource = this.resource(id)
    // Version 0 asks for whatever is there, as none does.
    const from = options.from === undefined || options.from === '0' ? undefined : parseVersion(options.from)
    const matches = matcherOf(resource, options)
    const out = outOf(resource)
    const told = out === same ? listener : ({ type, object }: WatchEvent) => listener({ type, object: out(object) })
    return this.#store.watch(resource.stored, told, { from, matches })
  }
}

/** Undefined where the options select everything. */
function matcherOf(resource: Resource, { namespace, labelSelector, fieldSelector }: ListOptions): Matcher | undefined {
  const own: Matcher | undefined =
    namespace === undefined || !resource.namespaced ? undefined : object => object.metadata.namespace === namespace
  const all = [own, labels(labelSelector), fieldMatcher(resource, fieldSelector)].filter(each => each !== undefined)
  if (all.length < 2) return all[0]
  return object => all.every(matches => matches(object))
}

function labels(selector: string | undefined): Matcher | undefined {
  try {
    return labelMatcher(selector)
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error))
  }
}

function parseVersion(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw badRequest(
    `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`
  )
}

type Token = { readonly version: number; readonly after: string }

/** The key of the last object of the page and the version of the list that it belongs to. */
function tokenOf(version: string, last: KubeObject): string {
  return Buffer.from(JSON.stringify({ v: version, after: orderOf(last) })).toString('base64url')
}

function parseToken(token: string): Token {
  try {
    const { v, after } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>
    if (typeof v === 'string' && typeof after === 'string') return { version: parseVersion(v), after }
  } catch {
    // Told below.
  }
  throw badRequest('invalid continue token: continue key is not valid: it was not made by this server')
}

/** By halving: the objects are in the order of their keys. */
function firstAfter(objects: readonly KubeObject[], key: string): number {
  const slash = key.indexOf('/')
  const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)]
  let [low, high] = [0, objects.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const { namespace: itsNamespace = '', name: itsName = '' } = objects[middle]?.metadata ?? {}
    if (itsNamespace < namespace || (itsNamespace === namespace && itsName <= name)) low = middle + 1
    else high = middle
  }
  return low
}

function pageOf(
  resource: Resource,
  found: readonly KubeObject[],
  version: string,
  { limit = 0, ...options }: PageOptions
): Page {
  const cut = limit > 0 && found.length > limit
  const page = cut ? found.slice(0, limit) : found
  const out = outOf(resource)
  const items = out === same ? page : page.map(out)
  const last = page.at(-1)
  if (!cut || last === undefined) return { items, resourceVersion: version }
  const selects = Boolean(options.labelSelector || options.fieldSelector)
  return {
    items,
    resourceVersion: version,
    continue: tokenOf(version, last),
    ...(selects ? {} : { remainingItemCount: found.length - limit })
  }
}
