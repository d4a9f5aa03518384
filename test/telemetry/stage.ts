import { join } from 'node:path'
import type { Test } from 'tap'
import { loadConfig } from '../../extender/config.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { embed } from '../../extender/embed.ts'
import { type Env, serving } from '../cli/run.ts'

export type StageOptions = { readonly nodes?: number; readonly args?: readonly string[]; readonly env?: Env }

/** A real `muster serve` beside an embedded cluster whose scheduler asks it, until the test ends. */
export async function stage(t: Test, { nodes = 4, args = [], env = {} }: StageOptions = {}) {
  const kubeconfig = join(t.testdir(), 'kubeconfig')
  const embedded = await embed({ nodes, kubeconfigFile: kubeconfig })
  t.teardown(() => embedded.stop())
  const { client } = embedded.cluster
  client.create('priorityclasses.scheduling.k8s.io', {
    ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'urgent' }, value: 1_000 }
  })
  const free = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
  const muster = serving(t, ['--kubeconfig', kubeconfig, ...free, ...args], env)
  const { url = '' } = await muster.line(/^the extender listens/)
  const { url: apiUrl = '' } = await muster.line(/^the API listens/)
  await muster.line(/^ready$/)
  embedded.schedule({ ...schedulerConfiguration(loadConfig([], {}), url) })

  /** Creates the members of a gated gang; answers their uids. */
  const gang = (name: string, size: number, { cpu = '100m', priority }: Member = {}): string[] =>
    Array.from({ length: size }, (_, index) => {
      const annotations = { 'muster.dev/gang': name, 'muster.dev/min-member': String(size) }
      const made = client.create('pods', {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'default', name: `${name}-${index}`, annotations } },
        spec: {
          ...{ schedulerName: 'muster', schedulingGates: [{ name: 'muster.dev/gang' }] },
          ...(priority !== undefined && { priorityClassName: priority }),
          containers: [{ name: 'main', image: 'none', resources: { requests: { cpu } } }]
        }
      })
      return String(made.metadata.uid)
    })
  const metric = async (series: string): Promise<number> => {
    const scrape = await (await fetch(`${apiUrl}/metrics`)).text()
    const line = scrape.split('\n').find(each => each.startsWith(`${series} `))
    return Number(line?.slice(series.length) ?? Number.NaN)
  }
  return { embedded, muster, client, gang, metric, url, kubeconfig }
}

type Member = { readonly cpu?: string; readonly priority?: string }
