import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { nodes, pods } from '../builders.ts'
import { harness, type Harness } from './harness.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const gangs = 10_000

/** Bytes in use once everything that nobody needs is gone. */
function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/** So many gangs, each under a name that was never there before, come and go again. */
async function flood(h: Harness, round: number): Promise<void> {
  for (let index = 0; index < gangs; index++)
    h.add(pods(2, `r${round}-${index}`, each => each.gang(`gang-${round}-${index}`, 3).cpu(1_000).gated()))
  await h.run(2_000)
  h.delete(...[...h.api.pods.values()].map(pod => pod.name))
  await h.run(2_000)
}

t.test('10,000 gang names leave nothing behind: no memory, no hold, no metric', async t => {
  const h = harness({ nodes: nodes(4, 'n', each => each.cpu(4)), scheduler: false })
  const series = async (): Promise<number> =>
    (await h.metrics()).split('\n').filter(line => line.startsWith('muster_')).length
  const before = await series()
  // Twice, until what is compiled and cached once is there.
  for (const round of [0, 1]) await flood(h, round)
  const first = heap()
  await flood(h, 2)
  const grown = (heap() - first) / gangs
  t.comment(`${grown.toFixed(1)} bytes a gang`)
  // A gang that is kept has some 3,000.
  t.ok(grown < 1_000, `${grown} bytes a gang are left`)
  t.strictSame(h.gangs.reports.gangs(), [])
  t.strictSame(h.held, [])
  t.equal(await series(), before)
})
