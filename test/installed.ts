import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

const root = join(import.meta.dirname, '..')

type Labels = Readonly<Record<string, string>>
type Probe = { readonly httpGet: { readonly path: string; readonly port: string | number } }

/** A container as the manifests write it. */
export type Container = {
  readonly name: string
  readonly image: string
  readonly restartPolicy?: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly resources: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}

/** The parts of a pod that tests read. */
export type PodSpec = {
  readonly schedulerName: string
  readonly terminationGracePeriodSeconds: number
  readonly serviceAccountName: string
  readonly initContainers: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes: readonly { readonly name: string; readonly secret?: object; readonly projected?: object }[]
}

/** The parts of a manifest that tests read. */
export type Manifest = {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Labels
    readonly annotations?: Labels
  }
  readonly spec?: {
    readonly template?: {
      readonly metadata: { readonly labels?: Labels; readonly annotations?: Labels }
      readonly spec?: PodSpec
    }
  }
  readonly data?: Readonly<Record<string, string>>
  readonly rules?: readonly Rule[]
}

/** One rule of a role. */
export type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

type Kustomization = {
  readonly resources?: readonly string[]
  readonly components?: readonly string[]
  readonly labels?: readonly { readonly pairs: Labels }[]
}

/** The documents of a file, by its path from the root. */
export const documents = (file: string): readonly Manifest[] =>
  parseAllDocuments(readFileSync(join(root, file), 'utf8')).map(document => document.toJS() as Manifest)

/** A folder's kustomization. */
export const kustomization = (folder: string): Kustomization =>
  documents(`${folder}/kustomization.yaml`)[0] as unknown as Kustomization

/** What a folder is made of, with all bases and components, before anything is patched. */
export function sources(folder: string): readonly Manifest[] {
  const { resources = [], components = [] } = kustomization(folder)
  return [...resources, ...components].flatMap(name =>
    name.endsWith('.yaml') ? documents(`${folder}/${name}`) : sources(join(folder, name))
  )
}
