import { run } from './main.ts'
import { type Demo, eventually, withCluster } from './demo.ts'

const stage = (name: string, module: string, params: object): string => `
apiVersion: k4s/v1
kind: Container
metadata: { name: ${name} }
spec: { module: "muster:${module}", params: ${JSON.stringify(params)} }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: ${name} }
spec: { selector: ${name} }
`

/** Containers that hand on to each other. */
export const pipeline: Demo = {
  name: 'pipeline',
  title: 'trim → upper → reverse → a store',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(
        [
          stage('trim', 'processor', { step: 'trim', forwardTo: 'upper' }),
          stage('upper', 'processor', { step: 'upper', forwardTo: 'reverse' }),
          stage('reverse', 'processor', { step: 'reverse', forwardTo: 'store' }),
          stage('store', 'aggregator', { batchSize: 3 })
        ].join('---')
      )
      for (const text of ['  hello ', ' gang', 'scheduling  ']) {
        print(`in:  ${JSON.stringify(text)}`)
        cluster.api.sendToService('trim', text)
      }
      const batches = (): Promise<{ values: string[] }[]> =>
        cluster.api.requestService('store', 'batches') as Promise<{ values: string[] }[]>
      const [batch] = await eventually(batches, all => all.length > 0)
      print(`out: ${batch?.values.join(', ')}`)
    })
}

if (import.meta.main) await run(pipeline)
