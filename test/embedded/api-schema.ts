/**
 * Writes extender/embedded/api/schema/kubernetes.txt from the OpenAPI documents of a real kube-apiserver:
 * `node test/embedded/api-schema.ts DOCUMENT…` with one file per group, as `kubectl get --raw /openapi/v3/api/v1` says it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** As much of a schema as is read here. */
type Node = {
  readonly $ref?: string
  readonly allOf?: readonly Node[]
  readonly type?: string
  readonly items?: Node
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node
  readonly required?: readonly string[]
  readonly 'x-kubernetes-patch-merge-key'?: string
  readonly 'x-kubernetes-patch-strategy'?: string
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-list-type'?: string
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[]
}

type OpenApi = { readonly components: { readonly schemas: Readonly<Record<string, Node>> } }

const prefix = '#/components/schemas/'
const scalars: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intstr',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'any'
}

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]) => (one < other ? -1 : 1)

/** The text of the schema: a line per type, every type that an object of a served kind may hold. */
export function schemaText(documents: readonly OpenApi[]): string {
  const all: Record<string, Node> = Object.assign({}, ...documents.map(document => document.components.schemas))
  const names = new Map<string, string>()
  const lines = new Map<string, string>()
  const nameOf = (id: string): string => {
    const short = id.split('.').at(-1)!
    const known = names.get(short)
    if (known === undefined || known === id) return names.set(short, id) && short
    return `${id.split('.').at(-3)}.${short}`
  }
  const typeOf = (node: Node): string => {
    const ref = node.$ref ?? node.allOf?.[0]?.$ref
    if (ref !== undefined) return scalars[ref.slice(prefix.length)] ?? visit(ref.slice(prefix.length))
    if (node.type === 'array') return `[${typeOf(node.items!)}${keysOf(node)}]`
    if (node.type === 'object') return node.additionalProperties ? `{${typeOf(node.additionalProperties)}}` : 'any'
    return { string: 'string', integer: 'int', number: 'number', boolean: 'bool' }[node.type as string] ?? 'any'
  }
  const keysOf = (node: Node): string => {
    const merge = node['x-kubernetes-patch-merge-key'] ?? ''
    const strategic = node['x-kubernetes-patch-strategy']?.includes('merge')
    const apply = node['x-kubernetes-list-map-keys']?.join(',') ?? ''
    if (strategic || apply) return `/${strategic ? merge || '*' : ''}${apply && apply !== merge ? `/${apply}` : ''}`
    return node['x-kubernetes-list-type'] === 'set' ? '//*' : ''
  }
  const visit = (id: string): string => {
    const name = nameOf(id)
    if (lines.has(name)) return name
    lines.set(name, '')
    const { properties = {}, required = [] } = all[id]!
    const fields = Object.entries(properties).map(([field, node]) => {
      const retain = node['x-kubernetes-patch-strategy']?.includes('retainKeys') ? '^' : ''
      return `${field}${required.includes(field) ? '!' : ''}${retain}:${typeOf(node)}`
    })
    lines.set(name, fields.join(' '))
    return name
  }
  const kinds: string[] = []
  const skipped = /List$|Options$|Status$|^WatchEvent$|^TokenRequest$|^HorizontalPodAutoscaler$|^ComponentStatus$/
  for (const [id, node] of Object.entries(all).toSorted(byName))
    for (const { group, version, kind } of node['x-kubernetes-group-version-kind'] ?? [])
      if (node.properties?.['metadata'] !== undefined && !skipped.test(kind) && id.endsWith(`.${version}.${kind}`))
        kinds.push(`${group === '' ? '' : `${group}/`}${version}/${kind} = ${visit(id)}`)
  const types = [...lines].toSorted(byName).map(([name, line]) => `${name} ${line}`)
  return `${kinds.join('\n')}\n\n${types.join('\n')}\n`
}

if (import.meta.main) {
  const text = schemaText(process.argv.slice(2).map(file => JSON.parse(readFileSync(file, 'utf8'))))
  writeFileSync(join(import.meta.dirname, '../../extender/embedded/api/schema/kubernetes.txt'), text)
}
