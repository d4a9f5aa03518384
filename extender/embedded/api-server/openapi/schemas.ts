import { apiVersionOf, type Resource } from '../../api/resource.ts'
import { type Type, typeNamed, typeOfKind } from '../../api/schema/types.ts'
import { descriptionOf } from './descriptions.ts'

type Schema = Readonly<Record<string, unknown>>

const scalars: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  int: { type: 'integer', format: 'int64' },
  number: { type: 'number', format: 'double' },
  bool: { type: 'boolean' },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  intstr: { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
  time: { type: 'string', format: 'date-time' },
  any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
}

/** The name of a type in a document: it never reaches a user but for its last part. */
const idOf = (name: string): string => `io.k8s.${name}`
const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${idOf(name)}` })

/** The schemas of one document: of its kinds, and of every type that these hold. */
export class Schemas {
  readonly #schemas: Record<string, Schema> = {}

  /** By name, as `components.schemas` holds them. */
  get all(): Readonly<Record<string, Schema>> {
    return this.#schemas
  }

  /** Adds the kind of a resource under one of its versions. */
  addKind(resource: Resource, version: string): void {
    const { group, kind } = resource
    const gvk = { 'x-kubernetes-group-version-kind': [{ group, version, kind }] }
    const custom = resource.custom?.versions[version]
    if (custom) {
      this.#schemas[`${group}.${version}.${kind}`] = { ...this.#custom(custom.schema ?? {}), ...gvk }
      return
    }
    const type = typeOfKind(apiVersionOf(resource, version), kind)
    if (type?.is !== 'object') return
    this.#add(type.name)
    this.#schemas[idOf(type.name)] = { ...this.#schemas[idOf(type.name)], ...gvk }
  }

  /** Everybody's metadata is the same, whatever the definition says. */
  #custom(schema: Schema): Schema {
    this.#add('ObjectMeta')
    const properties = {
      apiVersion: { type: 'string', description: descriptionOf('', 'apiVersion') },
      kind: { type: 'string', description: descriptionOf('', 'kind') },
      metadata: { allOf: [refTo('ObjectMeta')], description: "Standard object's metadata." }
    }
    return { ...schema, type: 'object', properties: { ...(schema.properties as Schema | undefined), ...properties } }
  }

  #add(name: string): void {
    if (Object.hasOwn(this.#schemas, idOf(name))) return
    const type = typeNamed(name)
    if (type.is !== 'object') return
    // Before its fields, since types may hold themselves.
    this.#schemas[idOf(name)] = {}
    const properties: Record<string, Schema> = {}
    for (const [field, { type: inner }] of type.fields)
      properties[field] = { description: descriptionOf(name, field), ...this.#of(inner) }
    const required = [...type.fields].filter(([, field]) => field.required).map(([field]) => field)
    this.#schemas[idOf(name)] = {
      type: 'object',
      description: descriptionOf(name),
      properties,
      ...(required.length > 0 && { required })
    }
  }

  #of(type: Type): Schema {
    switch (type.is) {
      case 'object':
        this.#add(type.name)
        return { allOf: [refTo(type.name)] }
      case 'map':
        return { type: 'object', additionalProperties: this.#of(type.of) }
      case 'list':
        return { type: 'array', items: this.#of(type.of), ...listKeys(type) }
      default:
        return scalars[type.is] ?? {}
    }
  }
}

function listKeys({ mergeKey, applyKeys }: Extract<Type, { is: 'list' }>): Schema {
  return {
    ...(mergeKey !== undefined && { 'x-kubernetes-patch-strategy': 'merge' }),
    ...(mergeKey !== undefined && mergeKey !== '*' && { 'x-kubernetes-patch-merge-key': mergeKey }),
    ...(applyKeys.length > 0 &&
      applyKeys[0] !== '*' && {
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': applyKeys
      }),
    ...(applyKeys[0] === '*' && { 'x-kubernetes-list-type': 'set' })
  }
}
