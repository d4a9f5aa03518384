import { run } from './main.ts'
import { type Demo, eventually, withCluster } from './demo.ts'

const yaml = `
apiVersion: k4s/v1
kind: Container
metadata: { name: sink }
spec: { module: "muster:aggregator", params: { batchSize: 5 } }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: sink }
spec: { selector: sink }
---
apiVersion: k4s/v1
kind: Container
metadata: { name: clock }
spec:
  module: "muster:generator"
  params: { target: sink, intervalMs: 100, count: 5, template: "tick {n}" }
`

/** Messages that come by themselves. */
export const schedule: Demo = {
  name: 'schedule',
  title: 'A tick every 100 ms',
  run: print =>
    withCluster(async cluster => {
      const start = performance.now()
      await cluster.applyYaml(yaml)
      const ask = (): Promise<{ values: string[] }[]> =>
        cluster.api.requestService('sink', 'batches') as Promise<{ values: string[] }[]>
      const [batch] = await eventually(ask, batches => batches.length === 1)
      print(`after ${((performance.now() - start) / 1000).toFixed(1)} s: ${batch?.values.join(', ')}`)
      print(`the generator's log: ${(cluster.logs('clock') ?? []).map(line => line.text).join(' | ')}`)
    })
}

if (import.meta.main) await run(schedule)
