import { Code } from '@connectrpc/connect'
import { annotations as gangNotes } from '../../../policies/names.ts'
import { configPath, isReserved, labels } from '../labels.ts'
import { refusal } from '../refusals.ts'
import { type Claim, generationOf, type Launched, launchNote, podNameOf } from './claim.ts'
import { object, objects, text } from '../../json.ts'
import { whole } from './json.ts'
import type { Json } from './ports.ts'

/** A pod template, as in a Deployment: metadata with labels and annotations, and a spec. */
export type Template = Json

/** What the sandbox runs where nothing else is configured. */
export const defaultTemplate = (image: string): Template => ({
  metadata: { annotations: { [configPath]: '/_config' } },
  spec: {
    containers: [
      {
        name: 'sandbox',
        image,
        imagePullPolicy: 'IfNotPresent',
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } }
      }
    ]
  }
})

/** What pods of sandboxes can be made from, by name. */
export class Templates {
  readonly #templates: ReadonlyMap<string, Template>

  constructor(templates: ReadonlyMap<string, Template>) {
    this.#templates = templates
  }

  /** Throws the refusal of a template that is not there or that may not be used. */
  of(name: string): Template {
    const template = this.#templates.get(name)
    if (template === undefined) {
      const known = [...this.#templates.keys()].join(', ')
      const message = `there is no template ${JSON.stringify(name.slice(0, 80))}; known are ${known}`
      throw refusal(Code.InvalidArgument, 'unknown_template', message, { subject: 'template' })
    }
    const problem = problemOf(template)
    if (problem === undefined) return template
    throw refusal(Code.InvalidArgument, 'invalid_field', `template ${name} ${problem}`, { subject: 'template' })
  }
}

/** What is wrong with a template; undefined where nothing is. */
function problemOf(template: Template): string | undefined {
  const { labels: own, annotations } = object(template.metadata)
  const reserved = [...Object.keys(object(own)), ...Object.keys(object(annotations))].find(isReserved)
  if (reserved !== undefined)
    return `sets ${reserved}, and only muster may: by such labels a Service chooses where traffic goes`
  const path = object(annotations)[configPath]
  if (path !== undefined && !/^\/[\w./-]*$/.test(text(path) ?? '')) return `sets ${configPath} to what is no path`
  return portOf(template) === undefined ? 'has no containerPort, so that nobody could reach it' : undefined
}

/** Where a running sandbox of that template takes its variables; undefined where it takes none. */
export const configPathOf = (template: Template): string | undefined =>
  text(object(object(template.metadata).annotations)[configPath])

/** The port of a template's sandboxes: the first one of its containers. */
export function portOf(template: Template): number | undefined {
  const containers = objects(object(template.spec).containers)
  return whole(containers.flatMap(({ ports }) => objects(ports))[0]?.containerPort)
}

/** A pod and a container that may do nothing special, unless the template says otherwise. */
const careful = {
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  restartPolicy: 'Never',
  schedulerName: 'muster',
  terminationGracePeriodSeconds: 5
}
const carefulPod = { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } }
const carefulContainer = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, privileged: false }

/** The spec of a pod of that template, with those variables in every container. */
export function carefulSpec(template: Template, env: readonly Json[] = []): Json {
  const spec = object(template.spec)
  return {
    ...careful,
    ...spec,
    securityContext: { ...carefulPod, ...object(spec.securityContext) },
    containers: objects(spec.containers).map(container => contained(container, env)),
    ...(spec.initContainers !== undefined && {
      initContainers: objects(spec.initContainers).map(container => contained(container, env))
    })
  }
}

/** How a claim's pod is to be made; the node is one where room was made for it. */
export type Start = { readonly launched: Launched; readonly node?: string }

/** The pod of a claim. Its deadline is a backstop for the time when nobody of us is there to end it. */
export function podOf(claim: Claim, template: Template, { launched, node }: Start): Json {
  const { labels: own, annotations } = object(template.metadata)
  const spec = carefulSpec(template, envOf(claim))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podNameOf(claim),
      labels: { ...object(own), ...labelsOf(claim) },
      annotations: { ...object(annotations), ...schedulingOf(claim), ...launchNote(launched) },
      ownerReferences: [ownerOf(claim)]
    },
    spec: {
      ...spec,
      ...(node !== undefined && { affinity: preferring(node, object(spec.affinity)) }),
      activeDeadlineSeconds: Math.ceil(claim.spec.maxLifetimeMs / 1000)
    }
  }
}

/** A wish, not a must: where somebody else was faster on that node, any other will do. */
function preferring(node: string, affinity: Json): Json {
  const given = object(affinity.nodeAffinity)
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }]
  const preferred = [
    ...objects(given.preferredDuringSchedulingIgnoredDuringExecution),
    { weight: 100, preference: { matchFields } }
  ]
  return { ...affinity, nodeAffinity: { ...given, preferredDuringSchedulingIgnoredDuringExecution: preferred } }
}

/** It goes with its claim, whoever deletes that. */
export const ownerOf = ({ id, uid }: Claim): Json => ({
  ...{ apiVersion: 'v1', kind: 'Service', name: id, uid, controller: true }
})

function contained(container: Json, env: readonly Json[]): Json {
  const given = objects(container.env).filter(({ name }) => !env.some(each => each.name === name))
  const securityContext = { ...carefulContainer, ...object(container.securityContext) }
  return { ...container, env: [...given, ...env], securityContext }
}

/** The variables of a sandbox. */
export const variablesOf = ({ id, projectId, spec }: Claim): Readonly<Record<string, string>> => ({
  ...spec.env,
  SANDBOX_ID: id,
  SANDBOX_PROJECT: projectId
})

const envOf = (claim: Claim): readonly Json[] =>
  Object.entries(variablesOf(claim)).map(([name, value]) => ({ name, value }))

export const labelsOf = (claim: Claim): Json => ({
  [labels.managed]: 'true',
  [labels.id]: claim.id,
  [labels.project]: claim.projectId,
  [labels.generation]: generationOf(claim)
})

/** Sandboxes take part in the order, and in gangs, as any pod of muster's. */
function schedulingOf({ spec: { priority, gang } }: Claim): Json {
  return {
    ...(priority !== 0 && { [gangNotes.priority]: String(priority) }),
    ...(gang && { [gangNotes.gang]: gang.name, [gangNotes.minMember]: String(gang.minMember) })
  }
}
