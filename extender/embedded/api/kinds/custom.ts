import { forbidden, type Problem } from '../errors.ts'
import { type Fields, fields } from '../fields.ts'
import type { CustomVersion, Resource } from '../resource.ts'
import { structuralDefaults } from '../schema/structural-defaults.ts'
import { structuralProblems } from '../schema/structural.ts'
import type { Strategy } from '../strategy.ts'
import type { KubeObject } from '../../store/objects.ts'
import { isLeaving, release } from './definitions.ts'

/** How custom resources are completed and checked: by the schema of their definition. */
export const customStrategy: Partial<Strategy> = {
  defaults: (object, resource) => {
    const schema = versionOf(resource)?.schema
    return schema === undefined ? object : (structuralDefaults(schema, object) as KubeObject)
  },
  create: (object, { store, resource }) => {
    if (!isLeaving(store, resource.id)) return object
    const reason = 'create not allowed while custom resource definition is terminating'
    throw forbidden(resource, object.metadata.name, reason)
  },
  validate: (object, _current, { resource }) => customProblems(resource, object),
  removed: ({ apiVersion, kind }, ground) => {
    const resource = ground.resources.ofKind(apiVersion, kind)
    if (resource !== undefined) release(ground, resource.id)
  }
}

/** The part of the definition for the version that is stored. */
function versionOf(resource: Resource): CustomVersion | undefined {
  return resource.custom?.versions[resource.version]
}

/** What a custom object says against its schema. */
function customProblems(resource: Resource, object: KubeObject): readonly Problem[] {
  const schema = versionOf(resource)?.schema
  if (schema === undefined) return []
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...rest } = object
  const { apiVersion: _a, kind: _k, metadata: _m, ...properties } = fields(schema['properties'])
  const required = Array.isArray(schema['required']) ? schema['required'].filter(name => name in properties) : []
  const own: Fields = { ...schema, properties, required }
  return structuralProblems(own, rest, '')
}
