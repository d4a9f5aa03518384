import t from 'tap'
import { Backoff } from '../extender/backoff.ts'

const delays = (random: () => number, count: number, retryAfterMs?: number): number[] => {
  const backoff = new Backoff({ first: 100, most: 1_000 }, random)
  return Array.from({ length: count }, () => Math.round(backoff.next(retryAfterMs)))
}

t.test('S2.22 delays double up to the cap, with jitter between half and the whole', async t => {
  t.strictSame(
    delays(() => 1, 6),
    [100, 200, 400, 800, 1_000, 1_000]
  )
  t.strictSame(
    delays(() => 0, 6),
    [50, 100, 200, 400, 500, 500]
  )
  t.equal(delays(() => 0.5, 2_000).at(-1), 750, 'however often')
})

t.test('S2.22 what the server asks for is waited, with jitter on top, and no longer than the cap', async t => {
  t.strictSame(
    delays(() => 0, 1, 600),
    [600]
  )
  t.strictSame(
    delays(() => 1, 1, 600),
    [660]
  )
  t.strictSame(
    delays(() => 0, 1, 3_600_000),
    [1_000]
  )
})

t.test('after a success the first delay is the first again', async t => {
  const backoff = new Backoff({ first: 100, most: 1_000 }, () => 1)
  backoff.next()
  backoff.next()
  backoff.reset()
  t.equal(backoff.next(), 100)
})
