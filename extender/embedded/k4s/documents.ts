import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, visit } from 'yaml'
import type { KubeObject } from '../store/objects.ts'
import { ManifestError } from './manifest-error.ts'

/** One document of a manifest. */
export type ManifestDocument = {
  readonly object: KubeObject
  /** An error that names where in the file a field stands. */
  error(path: readonly string[], message: string): ManifestError
}

type Place = { readonly file: string; readonly line: number; readonly column: number }

/** Reads a manifest of any number of documents; throws a ManifestError for what is no object of an API. */
export function readDocuments(text: string, file: string): readonly ManifestDocument[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })
  if ('empty' in documents) return []
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  return documents.flatMap(document => {
    const [problem] = document.errors
    if (problem !== undefined)
      throw new ManifestError(problem.message.split('\n')[0] ?? problem.code, at(problem.pos[0]))
    if (document.contents === null || isEmpty(document.contents)) return []
    const error = (path: readonly string[], message: string): ManifestError =>
      new ManifestError(message, at(offsetOf(document, path)))
    checkAliases(document, at)
    return [{ object: objectOf(document, error), error }]
  })
}

const isEmpty = (contents: Node): boolean => isScalar(contents) && contents.value === null

function checkAliases(document: Document, at: (offset: number) => Place): void {
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined)
        throw new ManifestError(`there is no anchor "${alias.source}" before this`, at(alias.range?.[0] ?? 0))
    }
  })
}

/** Aliases of aliases of aliases may stand for more than fits. */
function valueOf(document: Document, error: ManifestDocument['error']): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (problem) {
    throw error([], problem instanceof Error ? problem.message : String(problem))
  }
}

function objectOf(document: Document, error: ManifestDocument['error']): KubeObject {
  const value = valueOf(document, error)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw error([], 'a document is a map with apiVersion, kind and metadata')
  const object = value as Partial<KubeObject>
  for (const field of ['apiVersion', 'kind'] as const)
    if (typeof object[field] !== 'string') throw error([field], `${field} is missing`)
  if (typeof object.metadata?.name !== 'string' || object.metadata.name === '')
    throw error(['metadata'], 'metadata.name is missing')
  return object as KubeObject
}

/** Where the last field of a path stands; where it is not there, the one before it. */
function offsetOf(document: Document, path: readonly string[]): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const step of path) {
    const found = stepInto(isAlias(node) ? node.resolve(document) : node, step)
    if (found === undefined) return offset
    offset = found.offset ?? offset
    node = found.node
  }
  return offset
}

function stepInto(
  node: unknown,
  step: string
): { readonly node: unknown; readonly offset: number | undefined } | undefined {
  if (isSeq(node)) return { node: node.items[Number(step)], offset: rangeOf(node.items[Number(step)]) }
  const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && String(key.value) === step) : undefined
  return pair === undefined ? undefined : { node: pair.value, offset: rangeOf(pair.key) }
}

const rangeOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0]
