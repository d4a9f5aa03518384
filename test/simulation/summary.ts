import { sometimes } from './journal.ts'
import type { Report } from './worker.ts'

/** What many seeds have shown. */
export class Summary {
  readonly failures: Report[] = []
  readonly #seen = new Map<string, number>(sometimes.map(what => [what, 0]))
  readonly #from = performance.now()
  seeds = 0
  steps = 0

  add(report: Report): void {
    this.seeds += 1
    this.steps += report.steps
    for (const [what, count] of report.sometimes) this.#seen.set(what, (this.#seen.get(what) ?? 0) + count)
    if (report.broken.length > 0) this.failures.push(report)
  }

  /** What should have occurred and has not. */
  get never(): readonly string[] {
    return [...this.#seen].filter(([, count]) => count === 0).map(([what]) => what)
  }

  get seconds(): number {
    return (performance.now() - this.#from) / 1000
  }

  /** One line. */
  rate(): string {
    const { seeds, steps, seconds } = this
    return `${seeds} seeds, ${steps} steps, ${seconds.toFixed(0)} s, ${(seeds / seconds).toFixed(1)} seeds/s`
  }

  text(): string {
    const seen = [...this.#seen].map(([what, count]) => `${String(count).padStart(9)}  ${what}`)
    const failed = this.failures.map(({ seed, broken }) => `seed ${seed}: ${broken.join('; ')}`)
    return ['', 'sometimes:', ...seen, '', ...failed, `${this.rate()}, ${failed.length} failed`].join('\n')
  }
}
