import { run } from './main.ts'
import { type Demo, tally, withCluster } from './demo.ts'
import { replicated } from './replicated.ts'

/** Three replicas behind one Service. */
export const loadBalancing: Demo = {
  name: 'load-balancing',
  title: 'Three replicas share the work',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(replicated(3), { file: import.meta.filename })
      await cluster.ready('who')
      print('ReplicaSet "who" keeps who-0, who-1, who-2; Service "who" selects "who-*".')
      const answers = await Promise.all(Array.from({ length: 60 }, () => cluster.api.requestService('who', '?')))
      print(`60 requests went to: ${tally(answers as string[])}`)
    })
}

if (import.meta.main) await run(loadBalancing)
