import { run } from './main.ts'
import { type Demo, withCluster } from './demo.ts'
import type { Pod } from '../kinds.ts'

const yaml = `
apiVersion: k4s/v1
kind: ReplicaSet
metadata: { name: fragile }
spec: { replicas: 2, template: { spec: { module: ./fragile.ts } } }
---
apiVersion: k4s/v1
kind: Service
metadata: { name: fragile }
spec: { selector: "fragile-*" }
`

/** A container that crashes is started again; one that is deleted is replaced. */
export const selfHealing: Demo = {
  name: 'self-healing',
  title: 'Crashes and deletions, repaired',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(yaml, { file: import.meta.filename })
      await cluster.ready('fragile')
      const restarts = (): number =>
        (cluster.get('Pod', 'fragile-0') as Pod | undefined)?.status?.containerStatuses?.[0]?.restartCount ?? 0
      cluster.api.send('fragile-0', 'crash')
      await cluster.until(() => restarts() === 1)
      await cluster.ready('fragile')
      print(`fragile-0 threw, and was started again (restarts: ${restarts()})`)
      await cluster.delete('Container', 'fragile-1')
      await cluster.ready('fragile')
      print(`fragile-1 was deleted, and is back: ${String(await cluster.api.request('fragile-1', 'hello'))}`)
    })
}

if (import.meta.main) await run(selfHealing)
