import { run } from './main.ts'
import { type Demo, eventually, withCluster } from './demo.ts'

const yaml = `
apiVersion: k4s/v1
kind: Container
metadata: { name: sum }
spec: { module: "muster:aggregator", params: { batchSize: 4, windowMs: 300 } }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: sum }
spec: { selector: sum }
`

/** Batches that are closed by number or by time. */
export const aggregation: Demo = {
  name: 'aggregation',
  title: 'Batches of four, or whatever came within 300 ms',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(yaml)
      await cluster.ready('sum')
      for (let value = 1; value <= 10; value++) cluster.api.sendToService('sum', value)
      print('sent 1 to 10 at once: two batches are full, the rest waits for its window')
      const ask = (): Promise<{ count: number; sum: number }[]> =>
        cluster.api.requestService('sum', 'batches') as Promise<{ count: number; sum: number }[]>
      for (const { count, sum } of await eventually(ask, batches => batches.length === 3))
        print(`batch of ${count}: sum ${sum}`)
    })
}

if (import.meta.main) await run(aggregation)
