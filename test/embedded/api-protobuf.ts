/**
 * Writes extender/embedded/api-server/protobuf/messages.txt, by which the bodies of Go's typed clients are read, from
 * Kubernetes' own Go modules: `node test/embedded/api-protobuf.ts [FOLDER]`. Numbers and types stand in generated.proto;
 * names in JSON, and whether a zero counts, in types.go.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

type Field = { readonly name: string; readonly number: string; readonly type: string }
type Tag = { readonly json: string; readonly inline: boolean; readonly zero: boolean }

const version = 'v0.36.3'
const modules = process.argv[2] ?? join(homedir(), 'go/pkg/mod/k8s.io')
const api = (path: string): string => join(modules, `api@${version}`, path)
const groups = ['core', 'apps', 'batch', 'autoscaling', 'coordination', 'discovery', 'events', 'policy', 'scheduling']
groups.push('storage', 'resource', 'authentication', 'authorization')
/** By package. */
const folders = new Map(groups.map(group => [`k8s.io.api.${group}.v1`, api(`${group}/v1`)]))
folders.set('k8s.io.apimachinery.pkg.apis.meta.v1', join(modules, `apimachinery@${version}/pkg/apis/meta/v1`))

const scalars: Readonly<Record<string, string>> = {
  ...{ string: 'string', bool: 'bool', bytes: 'bytes', double: 'double' },
  ...{ int32: 'int', int64: 'int', uint32: 'int', uint64: 'int' },
  'k8s.io.apimachinery.pkg.api.resource.Quantity': 'text',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': 'intstr',
  'k8s.io.apimachinery.pkg.runtime.RawExtension': 'json',
  'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1': 'json',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime': 'microtime'
}
const roots =
  /^k8s\.io\.api\.\w+\.v1\.([A-Z]\w*Review|Binding|ConfigMap|Endpoints|Event|LimitRange|Namespace|Node|PersistentVolume|PersistentVolumeClaim|Pod|PodTemplate|ReplicationController|ResourceQuota|Secret|Service|ServiceAccount|ControllerRevision|DaemonSet|Deployment|ReplicaSet|StatefulSet|Scale|CronJob|Job|Lease|EndpointSlice|PriorityClass|Eviction|PodDisruptionBudget|StorageClass|CSINode|CSIDriver|CSIStorageCapacity|VolumeAttachment|ResourceClaim|ResourceClaimTemplate|DeviceClass|ResourceSlice)$/

const messages = new Map<string, readonly Field[]>()
const tags = new Map<string, Tag>()
for (const [name, folder] of folders) readPackage(name, folder)

function readPackage(name: string, folder: string): void {
  const proto = readFileSync(join(folder, 'generated.proto'), 'utf8').replaceAll(/\/\/.*$/gm, '')
  for (const [, message = '', body = ''] of proto.matchAll(/^message (\w+) \{([^}]*)\}/gm)) {
    const fields = [...body.matchAll(/^\s*(optional |repeated |)(\S.*?) (\w+) = (\d+);/gm)]
    messages.set(
      `${name}.${message}`,
      fields.map(([, label = '', type = '', field = '', number = '']) => ({
        name: field,
        number,
        type: label === 'repeated ' ? `[${qualified(name, type)}]` : qualified(name, type)
      }))
    )
  }
  for (const file of ['types.go', 'toleration.go', 'taint.go', 'generated.go'].map(each => join(folder, each)))
    if (existsSync(file)) readTags(name, readFileSync(file, 'utf8'))
}

/** The name of a type as it is seen from a package. */
function qualified(name: string, type: string): string {
  const [, of] = /^map<string, (.*)>$/.exec(type) ?? []
  if (of !== undefined) return `{${qualified(name, of)}}`
  if (type in scalars) return type
  return type.startsWith('.') ? type.slice(1) : `${name}.${type}`
}

/** `Replicas *int32 \`json:"replicas,omitempty" protobuf:"varint,1,opt,name=replicas"\``, struct by struct. */
function readTags(name: string, source: string): void {
  const structs = source.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)
  for (const [, struct = '', body = ''] of structs)
    for (const [, type = '', json = '', field = ''] of body.matchAll(
      /^\s+(?:\w+\s+)?(\S+)\s+`json:"([^"]*)" protobuf:"[^"]*name=(\w+)/gm
    )) {
      const [own = '', ...options] = json.split(',')
      const zero = type.startsWith('*') || !options.includes('omitempty')
      tags.set(`${name}.${struct}.${field}`, { json: own, inline: options.includes('inline'), zero })
    }
}

const reached = new Set<string>()
for (const name of messages.keys()) if (roots.test(name)) reach(name)
reach('k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions')

function reach(type: string): void {
  const name = type.replaceAll(/^[[{]|[\]}]$/g, '')
  if (name in scalars || reached.has(name)) return
  if (!messages.has(name)) throw new Error(`no package has a message ${name}`)
  reached.add(name)
  for (const field of messages.get(name) ?? []) reach(field.type)
}

/** The last part of a name, or the last and its group where others have the same. */
function short(name: string): string {
  const last = name.slice(name.lastIndexOf('.') + 1)
  const same = [...reached].filter(each => each.endsWith(`.${last}`))
  return same.length === 1 ? last : `${name.split('.').at(-3)}.${last}`
}

function typeText(type: string): string {
  const [, open = '', name = '', close = ''] = /^([[{]?)(.*?)([\]}]?)$/.exec(type) ?? []
  return `${open}${scalars[name] ?? short(name)}${close}`
}

const kinds: string[] = []
const lines: string[] = []
for (const name of [...reached].toSorted()) {
  const [, group = ''] = /^k8s\.io\.api\.(\w+)\.v1\./.exec(name) ?? []
  if (roots.test(name)) kinds.push(`${group}/${name.slice(name.lastIndexOf('.') + 1)} = ${short(name)}`)
  const fields = (messages.get(name) ?? []).map(field => {
    const tag = tags.get(`${name}.${field.name}`) ?? { json: field.name, inline: false, zero: false }
    const marks = `${tag.inline ? '~' : ''}${tag.zero ? '?' : ''}`
    return `${tag.inline ? '' : tag.json}${marks}=${field.number}:${typeText(field.type)}`
  })
  lines.push(`${short(name)} ${fields.join(' ')}`)
}
const file = join(import.meta.dirname, '../../extender/embedded/api-server/protobuf/messages.txt')
writeFileSync(file, `${kinds.join('\n')}\n\n${lines.join('\n')}\n`)
console.log(`${kinds.length} kinds, ${lines.length} messages`)
