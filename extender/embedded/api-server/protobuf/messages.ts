import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a field of a message is in JSON. */
export type MessageField = {
  readonly json: string
  /** Its fields are the message's own in JSON. */
  readonly inline: boolean
  /** A zero, an empty text or false counts; elsewhere it is the same as nothing. */
  readonly zero: boolean
  readonly is: 'one' | 'list' | 'map'
  /** A scalar, or the name of a message. */
  readonly type: string
}

export type Message = ReadonlyMap<number, MessageField>

type Known = { readonly kinds: ReadonlyMap<string, string>; readonly messages: ReadonlyMap<string, string> }

let known: Known | undefined
const parsed = new Map<string, Message>()

/**
 * Reads messages.txt, which test/embedded/api-protobuf.ts writes: a line per message, each field as `name=number:type`;
 * `?` is a zero that counts, `~` an inlined message, `[]` a list, `{}` a map by text.
 */
function all(): Known {
  if (known) return known
  const [kinds = '', messages = ''] = readFileSync(join(import.meta.dirname, 'messages.txt'), 'utf8').split('\n\n')
  known = { kinds: pairs(kinds, ' = '), messages: pairs(messages, ' ') }
  return known
}

function pairs(text: string, separator: string): Map<string, string> {
  const lines = text
    .trim()
    .split('\n')
    .map((line): [string, string] => {
      const at = line.indexOf(separator)
      return [line.slice(0, at), line.slice(at + separator.length)]
    })
  return new Map(lines)
}

/** The name of the message of a kind; undefined where we do not know it. */
export function messageOfKind(apiVersion: string, kind: string): string | undefined {
  if (kind === 'DeleteOptions') return kind
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion]
  return version === 'v1' ? all().kinds.get(`${group.split('.')[0]}/${kind}`) : undefined
}

/** A message by its name; undefined for a scalar. */
export function messageNamed(name: string): Message | undefined {
  const found = parsed.get(name)
  if (found) return found
  const line = all().messages.get(name)
  if (line === undefined) return undefined
  const message = new Map(line.split(' ').filter(Boolean).map(fieldOf))
  parsed.set(name, message)
  return message
}

function fieldOf(word: string): readonly [number, MessageField] {
  const [, json = '', marks = '', number = '', open = '', type = ''] =
    /^([^~?=]*)([~?]*)=(\d+):([[{]?)([^\]}]+)/.exec(word) ?? []
  const is = open === '[' ? 'list' : open === '{' ? 'map' : 'one'
  return [Number(number), { json, inline: marks.includes('~'), zero: marks.includes('?'), is, type }]
}
