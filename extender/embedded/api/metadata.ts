import type { Clock, Random } from '../../clock.ts'
import type { KubeObject, ObjectMeta } from '../store/objects.ts'
import type { Fields } from './fields.ts'

/** Where time and identity come from. */
export type Sources = { readonly clock: Clock; readonly random: Random }

/** A time as API objects hold it: whole seconds. */
export function timestamp(clock: Clock): string {
  return `${new Date(clock.wall()).toISOString().slice(0, 19)}Z`
}

/** A random UUID of version 4. */
function uuid(random: Random): string {
  const digits = (count: number): string => {
    let text = ''
    while (text.length < count)
      text += Math.floor(random() * 0x10000)
        .toString(16)
        .padStart(4, '0')
    return text.slice(0, count)
  }
  const variant = '89ab'[Math.floor(random() * 4)] ?? '8'
  return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`
}

/** Upstream's alphabet: no vowels and nothing that is mistaken for another. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** The name that generateName asks for: its prefix, cut to make room, and five random characters. */
function generatedName(prefix: string, random: Random): string {
  let suffix = ''
  for (let count = 0; count < 5; count++) suffix += alphabet[Math.floor(random() * alphabet.length)] ?? 'x'
  return prefix.slice(0, 58) + suffix
}

/** An object with other metadata; fields that are undefined in `changes` are taken out. */
export function withMetadata(
  object: KubeObject,
  changes: { readonly [Name in keyof ObjectMeta]?: ObjectMeta[Name] | undefined }
): KubeObject {
  const metadata: Record<string, unknown> = { ...object.metadata, ...changes }
  for (const name of Object.keys(changes)) if (metadata[name] === undefined) delete metadata[name]
  return { ...object, metadata: metadata as ObjectMeta }
}

/** An object with another value in one of its top-level fields; undefined takes it out. */
export function withField(object: KubeObject, name: string, value: unknown): KubeObject {
  if (value !== undefined) return { ...object, [name]: value }
  const { [name]: _, ...rest } = object
  return rest as KubeObject
}

/** As upstream, draws again where a name is taken, up to eight times. */
function freeName(prefix: string, random: Random, isTaken: (name: string) => boolean): string {
  let name = generatedName(prefix, random)
  for (let tries = 1; tries < 8 && isTaken(name); tries++) name = generatedName(prefix, random)
  return name
}

/** What the server alone writes into a new object's metadata. */
export function newMetadata(object: KubeObject, sources: Sources, isTaken: (name: string) => boolean): KubeObject {
  const { generateName } = object.metadata as Fields & ObjectMeta
  const name = object.metadata.name || (generateName ? freeName(generateName, sources.random, isTaken) : '')
  return withMetadata(object, {
    name,
    uid: uuid(sources.random),
    creationTimestamp: timestamp(sources.clock),
    resourceVersion: undefined,
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
    generation: undefined
  })
}
