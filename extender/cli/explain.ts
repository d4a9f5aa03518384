import { UsageError } from '../errors.ts'
import { ask, clientArgs, clientOptions } from './client.ts'
import { show } from './gangs.ts'
import type { PodReport } from './reports.ts'

const usage = `Usage: muster explain POD [options]

Says why a pod is where it is, or why it waits.

${clientOptions('namespace (default: default)')}

Example:
  muster explain worker-0 -n training
`

export const explain = {
  name: 'explain',
  summary: 'say why a pod waits',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { server, namespace = 'default', json, name: pod } = clientArgs(args)
    if (!pod) throw new UsageError('name the pod: muster explain POD')
    // Logs write NAMESPACE/POD; it works as well.
    const [where = namespace, name = ''] = pod.includes('/') ? pod.split('/', 2) : [namespace, pod]
    const path = `/explain/${encodeURIComponent(name)}?namespace=${encodeURIComponent(where)}`
    const report = (await ask(server, path)) as PodReport
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${text(report)}\n`)
  }
}

function text({ namespace, name, explanation, gang }: PodReport): string {
  return `${namespace}/${name}: ${explanation}${gang ? `\n\n${show(gang)}` : ''}`
}
