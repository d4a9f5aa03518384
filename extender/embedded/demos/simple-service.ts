import { run } from './main.ts'
import { type Demo, withCluster } from './demo.ts'

const yaml = `
apiVersion: k4s/v1
kind: Container
metadata: { name: echo }
spec: { module: "muster:echo", params: { prefix: "you said: " } }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: echo }
spec: { selector: echo }
`

/** One container behind one Service. */
export const simpleService: Demo = {
  name: 'simple-service',
  title: 'One container, one service, one message',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(yaml)
      await cluster.ready('echo')
      print('Container "echo" runs in a thread of its own; Service "echo" leads to it.')
      cluster.api.sendToService('echo', 'nobody waits for this')
      print('sent without waiting; now a request:')
      print(`  ${String(await cluster.api.requestService('echo', 'hello'))}`)
      print(`its log: ${(cluster.logs('echo') ?? []).map(line => line.text).join(' | ')}`)
    })
}

if (import.meta.main) await run(simpleService)
