import { run } from './main.ts'
import { type Demo, withCluster } from './demo.ts'

const yaml = `
apiVersion: k4s/v1
kind: ReplicaSet
metadata: { name: calc }
spec: { replicas: 2, template: { spec: { module: "muster:calculator" } } }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: calc }
spec: { selector: "calc-*" }
`

/** Futures: many questions at once, answers, errors and a time limit. */
export const requestResponse: Demo = {
  name: 'request-response',
  title: 'Questions and answers, errors and time limits included',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(yaml)
      await cluster.ready('calc')
      const ask = (op: string, a: number, b: number): Promise<string> =>
        cluster.api.requestService('calc', { op, a, b }, { timeoutMs: 1000 }).then(
          result => `${a} ${op} ${b} = ${String(result)}`,
          (error: unknown) => `${a} ${op} ${b}: ${String(error)}`
        )
      const answers = await Promise.all([
        ...[ask('add', 2, 3), ask('multiply', 6, 7), ask('divide', 1, 4)],
        ...[ask('divide', 1, 0), ask('power', 2, 8)]
      ])
      for (const answer of answers) print(answer)
      print(
        `by name, without the service: ${String(await cluster.api.request('calc-1', { op: 'subtract', a: 50, b: 8 }))}`
      )
    })
}

if (import.meta.main) await run(requestResponse)
