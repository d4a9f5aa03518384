import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node'
import { Stage } from '../../extender/cli/demo/stage.ts'
import { View } from '../../extender/cli/demo/view.ts'
import { buildTools } from '../control-plane/build.ts'
import { Lab } from '../control-plane/lab.ts'
import { release } from '../control-plane/release.ts'

/** Where a test runs: a cluster whose pods of `custom-scheduler` muster plans, with at least `nodes` free nodes. */
export interface Ground {
  /** In words. */
  readonly name: string
  readonly api: CoreV1Api
  /** How many nodes take pods. */
  readonly nodes: number
  close(): Promise<void>
}

const localNodes = 3

/** kubectl's context, else the local control plane, else the embedded cluster. */
export async function openGround(): Promise<Ground> {
  return (await currentContext()) ?? (await localControlPlane()) ?? (await embeddedGround())
}

async function currentContext(): Promise<Ground | undefined> {
  const files = process.env['KUBECONFIG']?.split(delimiter) ?? [join(homedir(), '.kube', 'config')]
  if (!files.some(file => existsSync(file))) return undefined
  const config = new KubeConfig()
  config.loadFromDefault()
  const context = config.getCurrentContext()
  if (config.getContextObject(context) === null) return undefined
  const api = config.makeApiClient(CoreV1Api)
  const { items } = await api.listNode()
  const open = items.filter(({ spec }) => spec?.unschedulable !== true && !spec?.taints?.some(isClosing))
  return { name: `the current context of kubectl, ${context}`, api, nodes: open.length, close: async () => {} }
}

const isClosing = ({ effect }: { readonly effect: string }): boolean => effect !== 'PreferNoSchedule'

async function localControlPlane(): Promise<Ground | undefined> {
  const tools = await buildTools()
  if (tools.kind === 'absent') return undefined
  const lab = await Lab.open(tools, { controllerManager: true })
  await lab.createNodes('node', localNodes, { slots: 110 })
  await lab.start()
  const api = clientOf(await lab.cluster.kubeconfig('admin'))
  return {
    name: `the local control plane (Kubernetes ${release}, fake nodes)`,
    api,
    nodes: localNodes,
    close: () => lab.close()
  }
}

/** Needs nothing. */
export async function embeddedGround(): Promise<Ground> {
  const stage = await Stage.open(new View({ write: () => true }))
  const api = clientOf(stage.kubeconfig)
  const { items } = await api.listNode()
  return { name: 'the embedded cluster', api, nodes: items.length, close: () => stage.close() }
}

function clientOf(kubeconfig: string): CoreV1Api {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  return config.makeApiClient(CoreV1Api)
}
