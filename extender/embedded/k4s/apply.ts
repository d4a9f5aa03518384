import type { EmbeddedApi } from '../api/types.ts'
import { canonical } from '../controllers/hash.ts'
import { type Json, type KubeObject, type Reference, StatusError } from '../store/objects.ts'
import { type ManifestDocument, readDocuments } from './documents.ts'
import { check } from './schema.ts'
import { asked, shortVersion, translate } from './translate.ts'

export type Applied = {
  /** As the manifest names it. */
  readonly kind: string
  readonly object: KubeObject
  readonly outcome: 'created' | 'configured' | 'unchanged' | 'replaced'
}

type Ground = {
  readonly client: EmbeddedApi
  /** Resolves once there is no such object any more. */
  readonly gone: (reference: Reference) => Promise<void>
}

/** Creates or updates all objects of a manifest, in their order; nothing is written when one of them is no object. */
export async function applyManifest(
  ground: Ground,
  text: string,
  file: string | undefined
): Promise<readonly Applied[]> {
  const documents = readDocuments(text, file ?? 'manifest')
  const planned = documents.map(document => ({
    document,
    object: objectOf(document, file),
    resource: resourceOf(ground.client, document)
  }))
  const applied: Applied[] = []
  for (const { document, object, resource } of planned) {
    try {
      applied.push({ kind: document.object.kind, ...(await applyOne(ground, resource, object)) })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      throw document.error(pathIn(error), error.message)
    }
  }
  return applied
}

function objectOf(document: ManifestDocument, file: string | undefined): KubeObject {
  if (document.object.apiVersion !== shortVersion) return document.object
  check(document)
  return translate(document.object, file)
}

type Target = { readonly id: string; readonly namespaced: boolean }

const shortKinds: Readonly<Record<string, Target>> = {
  Container: { id: 'pods', namespaced: true },
  ReplicaSet: { id: 'replicasets.apps', namespaced: true },
  Service: { id: 'services', namespaced: true }
}

function resourceOf(client: EmbeddedApi, document: ManifestDocument): Target {
  const { apiVersion, kind } = document.object
  const short = apiVersion === shortVersion ? shortKinds[kind] : undefined
  const found = short ?? client.resources.ofKind(apiVersion, kind)
  if (found === undefined) throw document.error(['kind'], `unknown kind "${kind}" of ${apiVersion}`)
  return found
}

/** The field that an API error is about, where it names one. */
function pathIn({ details, message }: StatusError): readonly string[] {
  const [cause] = (details?.['causes'] ?? []) as readonly { readonly field?: string }[]
  const field = cause?.field ?? /unknown field "([^"]+)"/.exec(message)?.[1] ?? ''
  return field.split(/[.[\]]+/).filter(step => step !== '')
}

async function applyOne(
  { client, gone }: Ground,
  { id, namespaced }: Target,
  object: KubeObject
): Promise<Omit<Applied, 'kind'>> {
  const { name, namespace = 'default' } = object.metadata
  const reference = namespaced ? { resource: id, namespace, name } : { resource: id, name }
  const before = client.get(reference)
  if (before === undefined) return { object: create(client, id, object), outcome: 'created' }
  if (id === 'pods' && needsNewPod(before, object)) {
    // What the API refuses must not cost the container that runs.
    const { name: _, ...unnamed } = object.metadata
    client.create(id, { ...object, metadata: { ...unnamed, generateName: 'k4s-' } as KubeObject['metadata'] }, dry)
    client.delete(reference)
    await gone(reference)
    return { object: create(client, id, object), outcome: 'replaced' }
  }
  const after = client.patch(reference, object as unknown as Json, { type: 'apply', fieldValidation: 'Strict' })
  const same = after.metadata.resourceVersion === before.metadata.resourceVersion
  return { object: after, outcome: same ? 'unchanged' : 'configured' }
}

const create = (client: EmbeddedApi, id: string, object: KubeObject): KubeObject =>
  client.create(id, object, { fieldValidation: 'Strict' })

const dry = { fieldValidation: 'Strict', dryRun: true } as const

const told = ['k4s/module', 'k4s/function', 'k4s/params', asked]

/** A container that is to run something else is a new one; a pod cannot change what it runs. */
function needsNewPod(before: KubeObject, after: KubeObject): boolean {
  return after.metadata.annotations?.['k4s/module'] !== undefined && whatRuns(before) !== whatRuns(after)
}

const whatRuns = ({ metadata }: KubeObject): string => canonical(told.map(name => metadata.annotations?.[name]))
