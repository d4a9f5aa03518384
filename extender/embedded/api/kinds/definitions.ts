import type { KubeObject } from '../../store/objects.ts'
import type { Store } from '../../store/store.ts'
import { at, type Fields, fields, list, text, texts } from '../fields.ts'
import { timestamp, withField, withMetadata } from '../metadata.ts'
import { type CustomVersion, idOf, type Resource, type ScalePaths } from '../resource.ts'
import type { Strategy } from '../strategy.ts'
import type { Ground } from '../strategy.ts'
import { definitionProblems } from './definition-rules.ts'
import { withSpec } from './workloads.ts'

/** How CustomResourceDefinitions are completed and checked; one is served from its creation to its end. */
export const definitionStrategy: Partial<Strategy> = {
  defaults: object =>
    withSpec(object, spec => {
      const names = fields(spec['names'])
      const kind = text(names['kind']) ?? ''
      const whole = { singular: kind.toLowerCase(), listKind: `${kind}List`, ...names }
      return { conversion: { strategy: 'None' }, ...spec, names: whole }
    }),

  create: (object, { clock }) => {
    const spec = fields(object['spec'])
    const lastTransitionTime = timestamp(clock)
    const condition = (type: string, reason: string, message: string): Fields => ({
      type,
      status: 'True',
      lastTransitionTime,
      reason,
      message
    })
    return withField(object, 'status', {
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted')
      ],
      acceptedNames: spec['names'],
      storedVersions: storageOf(spec)
    })
  },

  update: (object, _current, { options }) => {
    if (options.subresource === 'status') return object
    const spec = fields(object['spec'])
    const status = fields(object['status'])
    const storedVersions = [...new Set([...texts(status['storedVersions']), ...storageOf(spec)])]
    return withField(object, 'status', { ...status, acceptedNames: spec['names'], storedVersions })
  },

  validate: (object, current, { subresource }) => {
    if (subresource === 'status') return []
    return definitionProblems(object, current)
  },

  stored: (object, { resources, store }) => {
    const resource = resourceOf(object)
    resources.add(resource)
    // Whoever watches sees objects in the version that is stored now.
    for (const instance of store.table(resource.id).list()) {
      const apiVersion = `${resource.group}/${resource.version}`
      if (instance.apiVersion !== apiVersion) store.replace(resource.id, instance, { ...instance, apiVersion })
    }
  },

  removed: (object, { resources }) => resources.remove(resourceOf(object).id)
}

/** The version that new objects are stored in. */
const storageOf = (spec: Fields): readonly string[] =>
  list(spec['versions']).flatMap(version => (version['storage'] === true ? [nameOf(version)] : []))

const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
const cleanup = 'customresourcecleanup.apiextensions.k8s.io'

/** A definition on its way out, which is held until the last of its objects is gone. */
export function leaving(definition: KubeObject, lastTransitionTime: string): KubeObject {
  const { finalizers = [] } = definition.metadata
  const held = finalizers.includes(cleanup) ? finalizers : [...finalizers, cleanup]
  const others = list(fields(definition['status'])['conditions']).filter(({ type }) => type !== 'Terminating')
  const [reason, message] = ['InstanceDeletionInProgress', 'CustomResource deletion is in progress']
  const condition = { type: 'Terminating', status: 'True', lastTransitionTime, reason, message }
  const status = { ...fields(definition['status']), conditions: [...others, condition] }
  return withField(withMetadata(definition, { finalizers: held }), 'status', status)
}

/** Whether the definition of a custom resource is leaving. */
export function isLeaving(store: Store, id: string): boolean {
  return store.table(definitions).get('', id)?.metadata.deletionTimestamp !== undefined
}

/** Lets go of a definition that leaves, once it has no objects any more. */
export function release({ store, resources }: Ground, id: string): void {
  const definition = store.table(definitions).get('', id)
  if (definition?.metadata.deletionTimestamp === undefined || store.table(id).size > 0) return
  const left = (definition.metadata.finalizers ?? []).filter(name => name !== cleanup)
  const last = withMetadata(definition, { finalizers: left.length === 0 ? undefined : left })
  if (left.length > 0) store.replace(definitions, definition, last)
  else {
    store.remove(definitions, definition, last)
    resources.remove(id)
  }
}

/** What a definition has served. */
function resourceOf(object: KubeObject): Resource {
  const spec = fields(object['spec'])
  const names = fields(spec['names'])
  const group = text(spec['group']) ?? ''
  const plural = text(names['plural']) ?? ''
  const kind = text(names['kind']) ?? ''
  const all = list(spec['versions'])
  const served = all
    .filter(version => version['served'] === true)
    .map(nameOf)
    .toSorted(byPreference)
  const storage = nameOf(all.find(version => version['storage'] === true) ?? {})
  const id = idOf(group, plural)
  const versions = Object.fromEntries(all.map(version => [nameOf(version), versionOf(version)]))
  const subresources = ['status', 'scale'].filter(name =>
    all.some(version => at(version, 'subresources', name) !== undefined)
  )
  return {
    id,
    group,
    version: storage,
    versions: served,
    plural,
    singular: text(names['singular']) ?? kind.toLowerCase(),
    kind,
    shortNames: texts(names['shortNames']),
    categories: texts(names['categories']),
    namespaced: spec['scope'] === 'Namespaced',
    subresources,
    stored: id,
    custom: { versions, selectable: selectableOf(all) }
  }
}

const nameOf = (version: Fields): string => text(version['name']) ?? ''

function versionOf(version: Fields): CustomVersion {
  const schema = at(version, 'schema', 'openAPIV3Schema')
  const scale = at(version, 'subresources', 'scale')
  return {
    schema: schema === undefined ? undefined : fields(schema),
    status: at(version, 'subresources', 'status') !== undefined,
    scale: scale === undefined ? undefined : (scale as ScalePaths),
    columns: list(version['additionalPrinterColumns'])
  }
}

const selectableOf = (versions: readonly Fields[]): readonly string[] =>
  versions
    .flatMap(version => list(version['selectableFields']))
    .flatMap(({ jsonPath }) => text(jsonPath)?.slice(1) ?? [])

/** Upstream's order of versions: stable before beta before alpha, higher before lower. */
function byPreference(one: string, other: string): number {
  const [a, b] = [rankOf(one), rankOf(other)]
  for (let index = 0; index < 3; index++) if (a[index] !== b[index]) return (b[index] ?? 0) - (a[index] ?? 0)
  return one < other ? -1 : 1
}

const stages = ['alpha', 'beta', '']

function rankOf(version: string): readonly number[] {
  const [, major, stage = '', minor = '0'] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? []
  return major === undefined ? [-1, 0, 0] : [stages.indexOf(stage), Number(major), Number(minor)]
}
