import t from 'tap'
import { simulateAll } from './pool.ts'
import { kept } from './seeds.ts'
import { Summary } from './summary.ts'

/** Every commit; `SEEDS=20` for a quick look, `npm run simulate` for more. */
const seeds = Number(process.env['SEEDS'] ?? 1_000)

t.test('whatever happens, what muster promises holds, and in the end every gang runs whole or waits whole', async t => {
  const summary = new Summary()
  await simulateAll(Array.from({ length: seeds }, (_, index) => index + 1).values(), report => {
    summary.add(report)
    return summary.failures.length < 5
  })
  t.comment(summary.text())
  for (const { seed, broken, lines } of summary.failures) {
    t.comment(lines.slice(-60).join('\n'))
    t.strictSame(broken, [], `npm run simulate -- --seed ${seed}`)
  }
  t.equal(summary.seeds, seeds)
  if (seeds >= 1_000) t.strictSame(summary.never, [], 'what must occur sometimes has occurred')
})

t.test('seeds that once showed a defect', async t => {
  const broken = new Map<number, readonly string[]>()
  await simulateAll(
    kept.map(({ seed }) => seed).values(),
    report => {
      broken.set(report.seed, report.broken)
      return true
    },
    { workers: Math.min(2, kept.length) }
  )
  for (const { seed, why } of kept) t.strictSame(broken.get(seed), [], `seed ${seed}: ${why}`)
})
