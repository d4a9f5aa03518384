/**
 * Writes extender/embedded/api-server/openapi/descriptions.txt, which is what `kubectl explain` says, from the OpenAPI
 * documents in Kubernetes' own Go module: `node test/embedded/api-descriptions.ts [FOLDER]`. The types themselves stand
 * in extender/embedded/api/schema/kubernetes.txt.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Definition = {
  readonly description?: string
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>
}

const version = '1.36.3'
const groups = ['api', 'apis__apps', 'apis__batch', 'apis__coordination.k8s.io', 'apis__discovery.k8s.io']
groups.push('apis__events.k8s.io', 'apis__policy', 'apis__scheduling.k8s.io', 'apis__storage.k8s.io')
groups.push('apis__resource.k8s.io', 'apis__apiextensions.k8s.io', 'apis__autoscaling')
const folder = process.argv[2] ?? join(homedir(), `go/pkg/mod/k8s.io/kubernetes@v${version}/api/openapi-spec/v3`)
const embedded = join(import.meta.dirname, '../../extender/embedded')
/** Said once, since every kind has them. */
const common = new Set(['apiVersion', 'kind'])
const longest = 110

const definitions = new Map<string, Definition>()
for (const group of groups) {
  const document = JSON.parse(readFileSync(join(folder, `${group}__v1_openapi.json`), 'utf8')) as {
    readonly components: { readonly schemas: Readonly<Record<string, Definition>> }
  }
  for (const [id, definition] of Object.entries(document.components.schemas)) definitions.set(id, definition)
}

/** The first sentence, cut to a line. */
function sentence(text = ''): string {
  const first = text.replaceAll(/\s+/g, ' ').split(/(?<=[^.][.])(?<!e\.g\.|i\.e\.)\s/)[0] ?? ''
  return first.length <= longest ? first : `${first.slice(0, longest).replace(/\s\S*$/, '')} …`
}

/** The definition of a type: the one that has just its fields. */
function definitionOf(name: string, fields: readonly string[]): Definition {
  const [short, group] = name.split('.').toReversed()
  const found = [...definitions].find(
    ([id, { properties = {} }]) =>
      id.endsWith(`.${short}`) &&
      (group === undefined || id.includes(`.${group}.`)) &&
      fields.every(field => field in properties)
  )
  if (!found) throw new Error(`the documents have no type ${name}`)
  return found[1]
}

const lines = [
  `# From the OpenAPI documents of Kubernetes ${version}, shortened (Apache License 2.0, The Kubernetes Authors)`,
  '# by test/embedded/api-descriptions.ts: a type and what it is, then its fields.'
]
const [, types = ''] = readFileSync(join(embedded, 'api/schema/kubernetes.txt'), 'utf8').split('\n\n')
for (const line of types.trim().split('\n')) {
  const [name = '', ...words] = line.split(' ')
  const fields = words.filter(Boolean).map(word => word.slice(0, word.indexOf(':')).replace(/[!^]+$/, ''))
  const { description, properties = {} } = definitionOf(name, fields)
  lines.push(`${name} ${sentence(description)}`)
  for (const field of fields)
    if (!common.has(field)) lines.push(` ${field} ${sentence(properties[field]?.description)}`)
}
writeFileSync(join(embedded, 'api-server/openapi/descriptions.txt'), `${lines.join('\n')}\n`)
console.log(`${lines.length} lines`)
