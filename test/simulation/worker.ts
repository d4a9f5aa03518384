/** A process that simulates the seeds that it is sent, one at a time. */
import { simulate } from './simulate.ts'

/** Every so many seeds one is run twice, to see that a seed says all. */
const twiceEvery = 50

/** What a run showed, as it goes from process to process. */
export type Report = {
  readonly seed: number
  readonly digest: string
  readonly broken: readonly string[]
  readonly sometimes: readonly (readonly [string, number])[]
  readonly steps: number
  readonly lines: readonly string[]
}

async function report(seed: number): Promise<Report> {
  const { digest, broken, sometimes, steps, lines } = await simulate(seed)
  const said = { seed, digest, broken, sometimes: [...sometimes], steps, lines: broken.length > 0 ? lines : [] }
  if (seed % twiceEvery !== 0) return said
  const again = await simulate(seed)
  if (again.digest === digest) return said
  return { ...said, broken: [...broken, `the seed says not all: ${digest} and then ${again.digest}`] }
}

process.on('message', (seed: number) => {
  void report(seed).then(
    said => process.send?.(said),
    (error: unknown) => {
      const broken = [error instanceof Error ? (error.stack ?? error.message) : String(error)]
      process.send?.({ seed, digest: '', broken, sometimes: [], steps: 0, lines: [] })
    }
  )
})

// Whoever asked is gone.
process.on('disconnect', () => process.exit(0))
