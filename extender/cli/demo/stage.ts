import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../config.ts'
import { embed, type Embedded } from '../../embed.ts'
import { schedulerConfiguration } from '../scheduler-config.ts'
import { MusterChild } from './child.ts'
import type { Row, View } from './view.ts'

const examples = fileURLToPath(new URL('../../../manifests/examples/', import.meta.url))
const nodes = 8

/** A pod in the words of a demo. */
export type Member = { readonly name: string; readonly node: string | undefined; readonly state: string }

/** What a demo plays on: the embedded cluster with its scheduling loop, and the real muster beside it. */
export class Stage {
  readonly view: View
  readonly kubeconfig: string
  readonly muster: MusterChild
  readonly #embedded: Embedded

  private constructor(parts: { view: View; kubeconfig: string; embedded: Embedded; muster: MusterChild }) {
    this.view = parts.view
    this.kubeconfig = parts.kubeconfig
    this.muster = parts.muster
    this.#embedded = parts.embedded
  }

  static async open(view: View): Promise<Stage> {
    const dir = mkdtempSync(join(tmpdir(), 'muster-demo-'))
    process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
    const kubeconfig = join(dir, 'kubeconfig')
    const embedded = await embed({ nodes, kubeconfigFile: kubeconfig })
    try {
      const muster = await MusterChild.start(kubeconfig)
      const config = loadConfig(['--kubeconfig', kubeconfig], {})
      embedded.schedule({ ...schedulerConfiguration(config, muster.url) })
      return new Stage({ view, kubeconfig, embedded, muster })
    } catch (error) {
      await embedded.stop()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.muster.stop()
    await this.#embedded.stop()
  }

  /** Of the API server. */
  get url(): string {
    return this.#embedded.cluster.url
  }

  /** Creates what an example file holds and is not there yet. */
  apply(file: string): void {
    const { client } = this.#embedded.cluster
    for (const document of parseAllDocuments(readFileSync(join(examples, file), 'utf8'))) {
      const object = document.toJS() as Parameters<typeof client.create>[1]
      const resource = client.resources.ofKind(object.apiVersion, object.kind)
      if (!resource) throw new Error(`${file}: the cluster has no ${object.kind} of ${object.apiVersion}`)
      const { namespace = 'default', name } = object.metadata
      if (!client.get({ resource: resource.id, namespace, name })) client.create(resource.id, object)
    }
    this.view.hint(`$ kubectl apply -f manifests/examples/${file}`)
  }

  deleteJob(name: string): void {
    const reference = { resource: 'jobs.batch', namespace: 'default', name }
    this.#embedded.cluster.client.delete(reference, { propagationPolicy: 'Background' })
    this.view.hint(`$ kubectl delete job ${name}`)
  }

  /** The pods of a job, by their index. */
  pods(job: string): readonly Member[] {
    const { client } = this.#embedded.cluster
    const { items } = client.list('pods', { namespace: 'default', labelSelector: `job-name=${job}` })
    return items
      .map(({ metadata, spec, status }) => memberOf(metadata.name, spec as PodSpec, status as PodStatus))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  rows(job: string): readonly Row[] {
    return this.pods(job).map(({ name, state, node = '' }) => ({
      key: name,
      text: `  ${name.padEnd(16)} ${state.padEnd(10)} ${node}`.trimEnd()
    }))
  }
}

type PodSpec = { readonly nodeName?: string; readonly schedulingGates?: readonly unknown[] }
type PodStatus = { readonly phase?: string; readonly nominatedNodeName?: string }

/** A pod without a node is gated or pending, or planned once muster has nominated one. */
function memberOf(name: string, spec: PodSpec, { phase = 'Pending', nominatedNodeName }: PodStatus): Member {
  const { nodeName, schedulingGates = [] } = spec
  if (nodeName !== undefined) return { name, node: nodeName, state: phase }
  if (nominatedNodeName !== undefined) return { name, node: nominatedNodeName, state: 'planned' }
  return { name, node: undefined, state: schedulingGates.length > 0 ? 'gated' : phase }
}
