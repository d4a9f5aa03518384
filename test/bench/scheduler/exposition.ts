type Labels = Readonly<Record<string, string>>
type Sample = { readonly labels: ReadonlyMap<string, string>; readonly value: number }

/** A Prometheus histogram; each bucket counts what is no larger than its bound. */
export type Histogram = {
  readonly sum: number
  readonly count: number
  readonly buckets: readonly { readonly bound: number; readonly count: number }[]
}

/** What a process tells at /metrics, in Prometheus' text format. */
export class Exposition {
  readonly #lines: readonly string[]

  constructor(text: string) {
    this.#lines = text.split('\n')
  }

  /** The sum over all series of that name with those labels; 0 where there are none. */
  sum(name: string, labels: Labels = {}): number {
    return this.#samples(name, labels).reduce((sum, { value }) => sum + value, 0)
  }

  /** All series of that name with those labels as one histogram. */
  histogram(name: string, labels: Labels = {}): Histogram {
    const counts = new Map<number, number>()
    for (const sample of this.#samples(`${name}_bucket`, labels)) {
      const bound = boundOf(sample.labels.get('le') ?? '')
      counts.set(bound, (counts.get(bound) ?? 0) + sample.value)
    }
    const buckets = [...counts].map(([bound, count]) => ({ bound, count })).toSorted((a, b) => a.bound - b.bound)
    return { sum: this.sum(`${name}_sum`, labels), count: this.sum(`${name}_count`, labels), buckets }
  }

  #samples(name: string, wanted: Labels): readonly Sample[] {
    return this.#lines
      .filter(line => line.startsWith(name) && (line[name.length] === '{' || line[name.length] === ' '))
      .map(sampleOf)
      .filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels.get(key) === value))
  }
}

/**
 * The value that the share `q` of all observations does not exceed, as Prometheus' histogram_quantile reckons it: evenly
 * spread inside a bucket, and the largest finite bound where it lies beyond. Undefined where nothing was observed.
 */
export function quantile({ buckets, count }: Histogram, q: number): number | undefined {
  const rank = q * count
  const at = buckets.findIndex(bucket => bucket.count >= rank)
  const bucket = buckets[at]
  if (count === 0 || !bucket) return undefined
  const below = buckets[at - 1] ?? { bound: 0, count: 0 }
  if (bucket.bound === Number.POSITIVE_INFINITY) return below.bound
  return below.bound + ((bucket.bound - below.bound) * (rank - below.count)) / (bucket.count - below.count)
}

function sampleOf(line: string): Sample {
  const open = line.indexOf('{')
  const close = line.lastIndexOf('}')
  const inside = open < 0 ? '' : line.slice(open + 1, close)
  const pairs = [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
    ([, key = '', value = '']) => [key, value] as const
  )
  const [, value = ''] = /^\s*(\S+)/.exec(line.slice(open < 0 ? line.indexOf(' ') : close + 1)) ?? []
  return { labels: new Map(pairs), value: Number(value) }
}

function boundOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
}
