import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { systemClock } from '../../extender/clock.ts'
import type { ClusterOptions } from '../../extender/embedded/cluster.ts'
import { connectTo } from '../../extender/kubernetes/connection.ts'
import { kubernetesMetrics } from '../../extender/kubernetes/metrics.ts'
import { object, text } from '../../extender/json.ts'
import { Reflector } from '../../extender/kubernetes/reflector.ts'
import { RecordingLog } from '../kubernetes/parts.ts'
import { pod, pods, rig } from './http-rig.ts'
import { untilTrue } from './until.ts'

type Item = { readonly name: string; readonly uid: string }

/** muster's own reflector of pods, and what it knows. */
async function reflected(t: Test, options: ClusterOptions = {}) {
  const it = await rig(t, options)
  const metrics = kubernetesMetrics(new Registry())
  const api = connectTo(it.cluster.url, { clock: systemClock, metrics })
  const known = new Set<string>()
  const log = new RecordingLog()
  let lists = 0
  const reflector = new Reflector<Item>({
    ...{ api, metrics, log, clock: systemClock, random: () => 0, resource: 'pods', path: '/api/v1/pods', pageSize: 7 },
    project: json => {
      const metadata = object(json.metadata)
      return { name: text(metadata.name) ?? '', uid: text(metadata.uid) ?? '' }
    },
    handler: {
      replace: items => {
        lists += 1
        known.clear()
        for (const { name } of items) known.add(name)
      },
      apply: (type, { name }) => void (type === 'DELETED' ? known.delete(name) : known.add(name))
    }
  })
  t.teardown(async () => {
    await reflector.stop()
    await api.close()
  })
  const agrees = async (what: string) => {
    const { client } = it.cluster
    const names = () => new Set(client.list('pods').items.map(({ metadata }) => metadata.name))
    await untilTrue(what, () => names().size === known.size && known.isSubsetOf(names()), 20_000)
  }
  return { ...it, reflector, known, log, agrees, lists: () => lists }
}

t.test("S0.47 muster's reflector on the embedded cluster lists in pages and follows", async t => {
  const { cluster, reflector, agrees, lists } = await reflected(t)
  for (let index = 0; index < 20; index++) cluster.client.create('pods', pod(`p-${index}`))
  reflector.start()
  await reflector.whenSynced()
  await agrees('the list')
  for (let index = 20; index < 200; index++) cluster.client.create('pods', pod(`p-${index}`))
  for (let index = 0; index < 100; index++) cluster.client.delete({ resource: 'pods', name: `p-${index}` })
  await agrees('the changes')
  t.equal(lists(), 1)
})

const cases = {
  'it survives watches that are cut': { history: 8192, relists: false },
  'it lists again when what it missed is forgotten': { history: 30, relists: true }
}
for (const [name, { history, relists }] of Object.entries(cases))
  t.test(name, async t => {
    const watches = { backlog: 20, patienceMs: -1 }
    const { cluster, reflector, agrees, ask, log, lists } = await reflected(t, { watches, history })
    reflector.start()
    await reflector.whenSynced()
    const spec = { containers: [{ name: 'main', image: 'x'.repeat(50_000) }] }
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 100; index++) cluster.client.create('pods', pod(`r${round}-${index}`, spec))
      await agrees(`round ${round}`)
    }
    await ask('DELETE', pods)
    await agrees('the end')
    t.ok(
      log.lines.some(line => line.includes('cannot read pods')),
      'the server did cut it'
    )
    t.equal(lists() > 1, relists)
  })
