import type { WorkerArguments } from '../kubelet/worker-api.ts'

type Step = 'upper' | 'lower' | 'reverse' | 'trim' | 'count'
type Params = {
  /** What to do with the text. Default `upper`. */
  readonly step?: Step
  /** The Service that gets the result. */
  readonly forwardTo?: string
}

const steps: Readonly<Record<Step, (text: string) => unknown>> = {
  upper: text => text.toUpperCase(),
  lower: text => text.toLowerCase(),
  reverse: text => Array.from(text).toReversed().join(''),
  trim: text => text.trim(),
  count: text => text.length
}

/** Changes text, and hands the result on to a Service, to whoever asked, or to both. */
export async function worker({ queue, api, params }: WorkerArguments<Params>): Promise<void> {
  const { step = 'upper', forwardTo } = params
  const change = steps[step]
  if (change === undefined) throw new Error(`unknown step "${step}": there are ${Object.keys(steps).join(', ')}`)
  for await (const { value, reply, fail } of queue) {
    if (typeof value !== 'string') {
      fail?.('a processor wants text')
      continue
    }
    const result = change(value)
    if (forwardTo !== undefined) api.sendToService(forwardTo, result)
    reply?.(result)
  }
}
