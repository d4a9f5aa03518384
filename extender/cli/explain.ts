import { UsageError } from '../errors.ts'
import { ask, clientArgs, clientOptions } from './client.ts'
import { show } from './gangs.ts'
import type { PodReport } from './reports.ts'

const usage = `Usage: muster explain POD [options]

Says why a pod is where it is, or why it waits.

${clientOptions}

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
    const { server, namespace, json, positionals } = clientArgs(args)
    const [pod] = positionals
    if (pod === undefined) throw new UsageError('name the pod: muster explain POD')
    // `kubectl` habits: NAMESPACE/POD works as well.
    const [where, name] = pod.includes('/') ? pod.split('/', 2) : [namespace ?? 'default', pod]
    const query = new URLSearchParams({ namespace: where ?? 'default' })
    const report = (await ask(server, `/explain/${encodeURIComponent(name ?? '')}?${query}`)) as PodReport
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${text(report)}\n`)
  }
}

function text({ namespace, name, explanation, gang }: PodReport): string {
  return `${namespace}/${name}: ${explanation}${gang ? `\n\n${show(gang)}` : ''}`
}
