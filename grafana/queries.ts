import type { Counter, Gauge, Histogram } from 'prom-client'
import { type Metric, nameOf } from './metrics.ts'

/** A value, any of several, or whatever matches whole. */
export type Matcher = string | readonly string[] | RegExp

/** Where a series comes from: labels that Prometheus adds to those of the metric. */
type Origin = 'job' | 'instance'

/** Which series of a metric, and by what they are told apart. */
export type Slice<Label extends string> = {
  readonly where?: { readonly [name in Label]?: Matcher }
  readonly by?: readonly (Label | Origin)[]
  /** Of a rate or an increase; unset, that of the queries. */
  readonly over?: string
}

/** Writes PromQL over metrics: their names and labels are those of the process, checked by the compiler. */
export class Queries {
  readonly #scope: readonly string[]
  readonly #over: string

  /** `scope`: matchers of every series. `over`: the range of rates that name none. */
  constructor({ scope, over }: { readonly scope: readonly string[]; readonly over: string }) {
    this.#scope = scope
    this.#over = over
  }

  /** Per second. */
  rate<Label extends string>(counter: Counter<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return sumBy(slice, `rate(${this.#range(nameOf(counter), slice)})`)
  }

  /** How often in that time. */
  increase<Label extends string>(counter: Counter<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return sumBy(slice, `increase(${this.#range(nameOf(counter), slice)})`)
  }

  sum<Label extends string>(gauge: Gauge<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return sumBy(slice, this.select(gauge, slice))
  }

  max<Label extends string>(gauge: Gauge<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return aggregate('max', slice.by, this.select(gauge, slice))
  }

  min<Label extends string>(gauge: Gauge<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return aggregate('min', slice.by, this.select(gauge, slice))
  }

  /** Changes of a gauge's value in that time. */
  changes<Label extends string>(gauge: Gauge<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return aggregate('max', slice.by, `changes(${this.#range(nameOf(gauge), slice)})`)
  }

  /** Observations per second. */
  observed<Label extends string>(histogram: Histogram<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return sumBy(slice, `rate(${this.#range(`${nameOf(histogram)}_count`, slice)})`)
  }

  /** Seconds per second that were observed. */
  busy<Label extends string>(histogram: Histogram<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return sumBy(slice, `rate(${this.#range(`${nameOf(histogram)}_sum`, slice)})`)
  }

  /** Observations per second that were no greater than one of the bounds of the histogram. */
  within<Label extends string>(histogram: Histogram<Label>, bound: number, slice: Slice<NoInfer<Label>> = {}): string {
    return sumBy(slice, `rate(${this.#range(`${nameOf(histogram)}_bucket`, slice, `le="${bound}"`)})`)
  }

  /** Observations by bucket, for a heat map. */
  buckets<Label extends string>(histogram: Histogram<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return aggregate('sum', ['le'], `increase(${this.#range(`${nameOf(histogram)}_bucket`, slice)})`)
  }

  quantile<Label extends string>(
    share: number,
    histogram: Histogram<Label>,
    slice: Slice<NoInfer<Label>> = {}
  ): string {
    const rates = `rate(${this.#range(`${nameOf(histogram)}_bucket`, slice)})`
    return `histogram_quantile(${share}, ${aggregate('sum', [...(slice.by ?? []), 'le'], rates)})`
  }

  /** The series themselves. */
  select<Label extends string>(metric: Metric<Label>, slice: Slice<NoInfer<Label>> = {}): string {
    return this.#series(nameOf(metric), slice)
  }

  #range<Label extends string>(name: string, slice: Slice<Label>, ...more: readonly string[]): string {
    return `${this.#series(name, slice, ...more)}[${slice.over ?? this.#over}]`
  }

  #series<Label extends string>(name: string, { where = {} }: Slice<Label>, ...more: readonly string[]): string {
    const own = Object.entries<Matcher | undefined>(where).flatMap(([label, matcher]) =>
      matcher === undefined ? [] : [label + matcherText(matcher)]
    )
    const all = [...this.#scope, ...own, ...more]
    return all.length === 0 ? name : `${name}{${all.join(', ')}}`
  }
}

function matcherText(matcher: Matcher): string {
  if (typeof matcher === 'string') return `="${matcher}"`
  return `=~"${matcher instanceof RegExp ? matcher.source : matcher.join('|')}"`
}

function sumBy<Label extends string>({ by }: Slice<Label>, expression: string): string {
  return aggregate('sum', by, expression)
}

function aggregate(how: 'sum' | 'max' | 'min', by: readonly string[] | undefined, expression: string): string {
  return by === undefined || by.length === 0 ? `${how}(${expression})` : `${how} by (${by.join(', ')}) (${expression})`
}
