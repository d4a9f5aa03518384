/**
 * Writes extender/embedded/api-server/openapi/digest.txt from the OpenAPI documents in Kubernetes' own Go module:
 * `node test/embedded/openapi-digest.ts [FOLDER]`. Run it when the version of Kubernetes changes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Type = {
  readonly type?: string
  readonly format?: string
  readonly $ref?: string
  readonly allOf?: readonly Type[]
  readonly oneOf?: readonly Type[]
  readonly items?: Type
  readonly additionalProperties?: Type
  readonly description?: string
  readonly 'x-kubernetes-patch-merge-key'?: string
  readonly 'x-kubernetes-patch-strategy'?: string
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
}
type Kind = { readonly group: string; readonly version: string; readonly kind: string }
type Definition = Type & {
  readonly properties?: Readonly<Record<string, Type>>
  readonly required?: readonly string[]
  readonly 'x-kubernetes-group-version-kind'?: readonly Kind[]
}

const version = '1.36.3'
const groups = [
  ...['api__v1', 'apis__apps__v1', 'apis__batch__v1', 'apis__coordination.k8s.io__v1', 'apis__discovery.k8s.io__v1'],
  ...['apis__events.k8s.io__v1', 'apis__policy__v1', 'apis__scheduling.k8s.io__v1', 'apis__storage.k8s.io__v1'],
  ...['apis__resource.k8s.io__v1', 'apis__apiextensions.k8s.io__v1', 'apis__autoscaling__v1']
]
const roots =
  /^io\.k8s\.(api\.(core|apps|batch|coordination|discovery|events|policy|scheduling|storage|resource|autoscaling)\.v1\.[A-Z]\w+|apiextensions-apiserver\.\S+\.v1\.CustomResourceDefinition)$/
const folder = process.argv[2] ?? join(homedir(), `go/pkg/mod/k8s.io/kubernetes@v${version}/api/openapi-spec/v3`)
const longest = 110

const definitions = new Map<string, Definition>()
for (const group of groups) {
  const document = JSON.parse(readFileSync(join(folder, `${group}_openapi.json`), 'utf8')) as {
    readonly components: { readonly schemas: Readonly<Record<string, Definition>> }
  }
  for (const [name, definition] of Object.entries(document.components.schemas)) definitions.set(name, definition)
}

const reached = new Set<string>()
for (const [name, definition] of definitions)
  if (roots.test(name) && definition['x-kubernetes-group-version-kind'] && !name.endsWith('List')) reach(name)

function reach(name: string): void {
  if (reached.has(name)) return
  reached.add(name)
  for (const property of Object.values(definitions.get(name)?.properties ?? {}))
    for (const ref of refsIn(property)) reach(ref)
}

function refsIn(type: Type): readonly string[] {
  const inside = [...(type.allOf ?? []), ...(type.items ? [type.items] : [])]
  if (type.additionalProperties) inside.push(type.additionalProperties)
  return [...(type.$ref === undefined ? [] : [nameOf(type.$ref)]), ...inside.flatMap(refsIn)]
}

function nameOf(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1)
}

function short(name: string): string {
  return name.replace(/^io\.k8s\./, '')
}

function typeOf(type: Type): string {
  if (type.$ref !== undefined) return `&${short(nameOf(type.$ref))}`
  const [only] = type.allOf ?? []
  if (only) return typeOf(only)
  if (type.items) return `[]${typeOf(type.items)}`
  if (type.additionalProperties) return `{}${typeOf(type.additionalProperties)}`
  if (type.oneOf) return type.oneOf.map(typeOf).join('|')
  return (type.type ?? 'any') + (type.format === undefined ? '' : `:${type.format}`)
}

function sentence(text = ''): string {
  const first = text.replaceAll(/\s+/g, ' ').split(/(?<=[^.][.])\s/)[0] ?? ''
  return first.length <= longest ? first : `${first.slice(0, longest).replace(/\s\S*$/, '')} …`
}

/** How lists are merged: `{merge:name}` by patches, `{map:name}` by apply. */
function merging(type: Type): string {
  const strategy = type['x-kubernetes-patch-strategy']
  const keys = type['x-kubernetes-list-map-keys']
  const words = [
    ...(strategy === undefined ? [] : [`strategy=${strategy}`]),
    ...(type['x-kubernetes-patch-merge-key'] === undefined ? [] : [`key=${type['x-kubernetes-patch-merge-key']}`]),
    ...(type['x-kubernetes-list-type'] === undefined ? [] : [`list=${type['x-kubernetes-list-type']}`]),
    ...(keys === undefined ? [] : [`keys=${keys.join(',')}`])
  ]
  return words.length === 0 ? '' : ` {${words.join(' ')}}`
}

const lines = [
  `# The types of Kubernetes ${version}, shortened from its OpenAPI documents (Apache License 2.0, The Kubernetes Authors)`,
  '# by test/embedded/openapi-digest.ts. A field marked * is required; & refers, [] is a list, {} a map.'
]
for (const name of [...reached].toSorted()) {
  const definition = definitions.get(name) ?? {}
  const [kind] = definition['x-kubernetes-group-version-kind'] ?? []
  // Options are types of every group; nobody asks for them by name.
  const gvk = kind && roots.test(name) ? ` <${kind.group}/${kind.version} ${kind.kind}>` : ''
  const simple = definition.properties ? '' : ` =${typeOf(definition)}`
  lines.push(`${short(name)}${gvk}${simple} ${sentence(definition.description)}`.trimEnd())
  for (const [field, type] of Object.entries(definition.properties ?? {})) {
    const star = definition.required?.includes(field) ? '*' : ''
    lines.push(` ${field}${star} ${typeOf(type)}${merging(type)} ${sentence(type.description)}`.trimEnd())
  }
}
const file = join(import.meta.dirname, '../../extender/embedded/api-server/openapi/digest.txt')
writeFileSync(file, `${lines.join('\n')}\n`)
console.log(`${reached.size} types, ${lines.length} lines`)
