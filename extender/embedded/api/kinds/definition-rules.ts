import type { KubeObject } from '../../store/objects.ts'
import type { Problem } from '../errors.ts'
import { at, equal, type Fields, fields, isFields, list, text, texts } from '../fields.ts'
import { structuralProblems } from '../schema/structural.ts'
import { immutable } from '../metadata-rules.ts'
import { choice } from './choices.ts'

/** What is wrong with a CustomResourceDefinition. */
export function definitionProblems(object: KubeObject, current: KubeObject | undefined): readonly Problem[] {
  const spec = fields(object['spec'])
  const names = fields(spec['names'])
  const versions = list(spec['versions'])
  return [
    ...(current === undefined ? nameProblems(object) : fixedProblems(spec, fields(current['spec']))),
    ...approvalProblems(object, String(spec['group'])),
    ...neededProblems(spec['group'], 'spec.group'),
    ...neededProblems(spec['scope'], 'spec.scope'),
    ...choice(spec['scope'] || undefined, ['Cluster', 'Namespaced'], 'spec.scope'),
    ...storageProblems(versions),
    ...neededProblems(names['plural'], 'spec.names.plural'),
    ...neededProblems(names['kind'], 'spec.names.kind'),
    ...versionsProblems(versions),
    ...storedProblems(versions, texts(at(object, 'status', 'storedVersions')))
  ]
}

function nameProblems({ metadata: { name }, spec }: KubeObject): readonly Problem[] {
  const { names, group } = fields(spec)
  if (name === `${String(fields(names)['plural'])}.${String(group)}`) return []
  return [{ field: 'metadata.name', type: 'invalid', value: name, detail: 'must be spec.names.plural+"."+spec.group' }]
}

/** What stays as it is while a definition is served. */
function fixedProblems(spec: Fields, before: Fields): readonly Problem[] {
  const [names, namesBefore] = [fields(spec['names']), fields(before['names'])]
  return [
    ...immutable(before['group'], spec['group'], 'spec.group'),
    ...immutable(before['scope'], spec['scope'], 'spec.scope'),
    ...immutable(namesBefore['kind'], names['kind'], 'spec.names.kind'),
    ...immutable(namesBefore['plural'], names['plural'], 'spec.names.plural')
  ]
}

const neededProblems = (value: unknown, field: string): readonly Problem[] =>
  value ? [] : [{ field, type: 'required' }]

/** Kubernetes' own groups are given out by its community. */
function approvalProblems({ metadata }: KubeObject, group: string): readonly Problem[] {
  const name = 'api-approved.kubernetes.io'
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group) || metadata.annotations?.[name]) return []
  const detail = `protected groups must have approval annotation "${name}", see https://github.com/kubernetes/enhancements/pull/1111`
  return [{ field: `metadata.annotations[${name}]`, type: 'required', detail }]
}

function storageProblems(versions: readonly Fields[]): readonly Problem[] {
  const problem = (detail: string): Problem => ({ field: 'spec.versions', type: 'invalid', value: versions, detail })
  const names = new Set(versions.map(version => version['name']))
  const isOne = versions.filter(version => version['storage'] === true).length === 1
  return [
    ...(names.size < versions.length ? [problem('must contain unique version names')] : []),
    ...(isOne ? [] : [problem('must have exactly one version marked as storage version')])
  ]
}

/** A version that something may still be stored in may not go. */
function storedProblems(versions: readonly Fields[], stored: readonly string[]): readonly Problem[] {
  const names = versions.map(version => version['name'])
  if (stored.length === 0) {
    const detail = 'must have at least one stored version'
    return [{ field: 'status.storedVersions', type: 'invalid', value: null, detail }]
  }
  return stored.flatMap((value, index): readonly Problem[] => {
    const detail = `missing from spec.versions; ${value} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${value} and removes ${value} from status.storedVersions`
    if (names.includes(value)) return []
    return [{ field: `status.storedVersions[${index}]`, type: 'invalid', value, detail }]
  })
}

function versionsProblems(versions: readonly Fields[]): readonly Problem[] {
  const schemas = versions.map(version => at(version, 'schema', 'openAPIV3Schema'))
  const names = versions.map(version => text(version['name']) ?? '')
  // Upstream keeps one schema for all versions apart, and names that.
  const isOne = schemas.every(schema => equal(schema, schemas[0]))
  const wrong = names.flatMap((name, index) => versionNameProblems(`spec.versions[${index}].name`, name))
  const problems = schemas.flatMap((schema, index): readonly Problem[] => {
    const own = `spec.versions[${index}].schema.openAPIV3Schema`
    if (!isFields(schema)) return [{ field: own, type: 'required' }]
    if (isOne && index > 0) return []
    return schemaProblems(schema, isOne ? 'spec.validation.openAPIV3Schema' : own, 'at the root')
  })
  return [...wrong, ...problems]
}

function versionNameProblems(field: string, value: string): readonly Problem[] {
  if (/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(value)) return []
  const detail =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
  return [{ field, type: 'invalid', value, detail }]
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

/** A schema is structural: it says of every field which type it has. */
function schemaProblems(schema: Fields, path: string, where: string): readonly Problem[] {
  return [
    ...typeProblems(schema, path, where),
    ...listProblems(schema, path),
    ...mapProblems(schema, path),
    ...innerProblems(schema, path),
    ...(schema['default'] === undefined ? [] : defaultProblems(schema, `${path}.default`))
  ]
}

function typeProblems(schema: Fields, path: string, where: string): readonly Problem[] {
  const { type } = schema
  const field = `${path}.type`
  const isRoot = where === 'at the root'
  const isOpen = ['x-kubernetes-int-or-string', 'x-kubernetes-preserve-unknown-fields'].some(
    name => schema[name] === true
  )
  if (type) {
    if (!isRoot || type === 'object') return choice(type, types, field)
    return [{ field, type: 'invalid', value: type, detail: 'must be object at the root' }]
  }
  return isOpen && !isRoot ? [] : [{ field, type: 'required', detail: `must not be empty ${where}` }]
}

function listProblems(schema: Fields, path: string): readonly Problem[] {
  if (schema['type'] !== 'array') return []
  const problems: Problem[] = []
  if (!isFields(schema['items']))
    problems.push({ field: `${path}.items`, type: 'required', detail: 'must be specified' })
  if (schema['x-kubernetes-list-type'] === 'map' && texts(schema['x-kubernetes-list-map-keys']).length === 0) {
    const detail = 'must not be empty if x-kubernetes-list-type is map'
    problems.push({ field: `${path}.x-kubernetes-list-map-keys`, type: 'required', detail })
  }
  return problems
}

function mapProblems({ properties, additionalProperties }: Fields, path: string): readonly Problem[] {
  if (!additionalProperties || Object.keys(fields(properties)).length === 0) return []
  const detail = 'additionalProperties and properties are mutual exclusive'
  return [{ field: `${path}.additionalProperties`, type: 'forbidden', detail }]
}

function innerProblems(schema: Fields, path: string): readonly Problem[] {
  const { properties, additionalProperties, items } = schema
  const ofFields = 'for specified object fields'
  return [
    ...Object.entries(fields(properties)).flatMap(([name, property]) =>
      schemaProblems(fields(property), `${path}.properties[${name}]`, ofFields)
    ),
    ...(isFields(additionalProperties)
      ? schemaProblems(additionalProperties, `${path}.additionalProperties`, ofFields)
      : []),
    ...(isFields(items) ? schemaProblems(items, `${path}.items`, 'for specified array items') : [])
  ]
}

const defaultProblems = (schema: Fields, field: string): readonly Problem[] =>
  structuralProblems(schema, schema['default'], '').map(problem => ({ ...problem, field }))
