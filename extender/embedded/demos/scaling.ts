import { run } from './main.ts'
import { type Demo, tally, withCluster } from './demo.ts'
import { replicated } from './replicated.ts'

/** More replicas, fewer replicas, and nobody who sends notices. */
export const scaling: Demo = {
  name: 'scaling',
  title: 'Scaling up and down while requests keep coming',
  run: print =>
    withCluster(async cluster => {
      await cluster.applyYaml(replicated(1), { file: import.meta.filename })
      await cluster.ready('who')
      const ask = async (count: number): Promise<string> =>
        tally(
          (await Promise.all(Array.from({ length: count }, () => cluster.api.requestService('who', '?')))) as string[]
        )
      print(`1 replica:  ${await ask(40)}`)
      await cluster.scale('who', 4)
      await cluster.ready('who')
      print(`4 replicas: ${await ask(40)}`)
      const during = ask(200)
      await cluster.scale('who', 2)
      print(`200 requests while it shrinks to 2: ${await during}`)
      await cluster.ready('who')
      print(`2 replicas: ${await ask(40)}`)
    })
}

if (import.meta.main) await run(scaling)
