import * as fc from 'fast-check'
import t from 'tap'
import { node, pod, type PodBuilder } from '../builders.ts'
import { harness, type Harness } from './harness.ts'

const gangs = 10_000
const batch = 100

/** Of every kind: it starts, waits, evicts, moves others, lacks members, or is declared wrongly. */
const anyGang = fc.record({
  name: fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/),
  size: fc.integer({ min: 1, max: 3 }),
  missing: fc.constantFrom(0, 0, 0, 1),
  priority: fc.constantFrom(0, 0, 0, 10, 20),
  cpu: fc.constantFrom(100, 200, 1_000, 9_000),
  isGated: fc.boolean(),
  isMovable: fc.boolean(),
  odd: fc.constantFrom(undefined, undefined, undefined, 'preemption-policy', 'min-runtime', 'segment-size'),
  value: fc.string({ maxLength: 20 })
})
type AnyGang = typeof anyGang extends fc.Arbitrary<infer Gang> ? Gang : never

function membersOf(gang: AnyGang, index: number): PodBuilder[] {
  const { name, size, missing, priority, cpu, isGated, isMovable, odd, value } = gang
  return Array.from({ length: size }, (_, member) => {
    const one = pod(`${name}-${index}-${member}`)
      .gang(`${name}-${index}`, size + missing)
      .priority(priority)
      .cpu(cpu)
    const declared = odd === undefined ? one : one.annotation(`muster.dev/${odd}`, value)
    const marked = isMovable ? declared.annotation('muster.dev/movable', 'true') : declared
    return isGated ? marked.gated() : marked
  })
}

/** The names and labels of all series. */
async function seriesOf(h: Harness): Promise<string[]> {
  const lines = (await h.metrics()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return lines.map(line => line.slice(0, line.lastIndexOf(' '))).toSorted()
}

t.test('10,000 random gangs do not add one series', async t => {
  const h = harness({ nodes: [1, 2, 3, 4].map(index => node(`n${index}`).cpu(2)), concurrency: 64 })
  const before = await seriesOf(h)
  t.ok(before.length > 100, `${before.length} series`)
  const all = fc.sample(anyGang, { numRuns: gangs, seed: 1 })
  for (let from = 0; from < gangs; from += batch) {
    const some = all.slice(from, from + batch).map((gang, index) => membersOf(gang, from + index))
    // Whoever comes second finds others on the nodes.
    for (const half of [some.slice(batch / 2), some.slice(0, batch / 2)]) {
      h.add(...half)
      await h.run(1_000)
    }
    h.delete(...[...h.api.pods.values()].map(({ name }) => name))
    await h.run(500)
  }
  t.strictSame(await seriesOf(h), before)
  const counted = { muster_gang_transitions_total: { to: 'running' }, muster_preemptions_total: { outcome: 'planned' } }
  for (const [name, labels] of Object.entries(counted)) t.ok((await h.metric(name, labels)) > 100, name)
  for (const to of ['forming', 'waiting', 'planned', 'refused'])
    t.ok((await h.metric('muster_gang_transitions_total', { to })) > 100, `gangs were ${to}`)
  t.strictSame(h.violations, [])
})
