import { parseDuration } from '../../../policies/parse.ts'
import type { Value } from './document.ts'
import { type Configuration, flag, type Found, number, placeOf, quote, type Rule, text } from './rule.ts'

/** The field that names a verb, and where muster serves it. */
const routes = { filterVerb: 'filter', preemptVerb: 'preempt', prioritizeVerb: 'prioritize', bindVerb: 'bind' } as const
type Verb = keyof typeof routes
const verbs = Object.keys(routes) as Verb[]

/** kube-scheduler's, where an entry says none. */
const defaultTimeoutMs = 5_000
/** So much earlier than --bind-timeout ends the barrier: extender/gangs/gangs.ts. */
const barrierMarginMs = 5_000
/** The largest sum of all in-tree scores is 1200; an extender's 10 weighs 100 times its weight. */
const dominantWeight = 13

const has = (entry: Value, verb: Verb): boolean => text(entry, verb) !== ''
const binds = (entry: Value): boolean => has(entry, 'bindVerb')
/** Verbs that hold up the scheduling loop. */
const decides = (entry: Value): boolean => verbs.some(verb => verb !== 'bindVerb' && has(entry, verb))
const seconds = (ms: number): string => `${ms / 1000}s`

/** The timeout as kube-scheduler takes it; undefined where it is no duration (wrong-type says so). */
function timeoutOf(entry: Value): number | undefined {
  const written = entry.field('httpTimeout')
  if (written === undefined) return defaultTimeoutMs
  const ms = parseDuration(String(written.scalar))
  return ms === 0 ? defaultTimeoutMs : ms
}

/** `httpTimeout: 3s`, or that there is none. */
function timeoutText(entry: Value): string {
  const written = text(entry, 'httpTimeout')
  return written === '' ? 'no httpTimeout, so 5s' : `httpTimeout: ${quote(written).slice(1, -1)}`
}

/** Entries whose timeout is judged: an entry of all verbs must be split first. */
function alone({ muster }: Configuration, is: (entry: Value) => boolean): readonly Value[] {
  return muster.filter(entry => is(entry) && binds(entry) !== decides(entry))
}

function missing(verb: Verb, why: string): Rule {
  return {
    name: `${routes[verb]}-missing`,
    severity: 'error',
    why,
    *check({ muster }) {
      const [first] = muster
      if (!first || muster.some(entry => has(entry, verb))) return
      const where = verb === 'bindVerb' ? 'in an entry of its own' : 'in the entry that does not bind'
      yield { at: first.place, problem: `no entry has ${verb}`, fix: `${verb}: ${routes[verb]}, ${where}` }
    }
  }
}

function* unknownVerbs(entry: Value): Generator<Found> {
  for (const verb of verbs) {
    const said = text(entry, verb)
    if (said === '' || said.replace(/\/+$/, '') === routes[verb]) continue
    yield {
      at: placeOf(entry, verb),
      problem: `${verb}: ${quote(said)} is no verb of muster`,
      fix: `${verb}: ${routes[verb]}`
    }
  }
}

const timeoutRules: readonly Rule[] = [
  {
    name: 'bind-timeout',
    severity: 'error',
    why: 'kube-scheduler gives up while muster still waits at the barrier or writes bindings, and a gang is torn',
    *check(configuration) {
      const { bindTimeoutMs } = configuration
      for (const entry of alone(configuration, binds)) {
        const ms = timeoutOf(entry)
        if (ms === undefined || ms < 0 || ms >= bindTimeoutMs) continue
        const barrier = `the barrier ends at ${seconds(bindTimeoutMs - barrierMarginMs)}, --bind-timeout is ${seconds(bindTimeoutMs)}`
        const fix = `httpTimeout: ${seconds(bindTimeoutMs)}`
        yield { at: placeOf(entry, 'httpTimeout'), problem: `bind has ${timeoutText(entry)}; ${barrier}`, fix }
      }
    }
  },
  {
    name: 'bind-timeout-longer',
    severity: 'warning',
    why: 'muster ends its barrier by its own --bind-timeout, and a bind that is lost is noticed late',
    *check(configuration) {
      const { bindTimeoutMs } = configuration
      for (const entry of alone(configuration, binds)) {
        if ((timeoutOf(entry) ?? 0) <= bindTimeoutMs) continue
        const problem = `bind has ${timeoutText(entry)}, --bind-timeout is ${seconds(bindTimeoutMs)}`
        const fix = `httpTimeout: ${seconds(bindTimeoutMs)}, or the same --bind-timeout for muster serve and lint`
        yield { at: placeOf(entry, 'httpTimeout'), problem, fix }
      }
    }
  },
  {
    name: 'timeout-negative',
    severity: 'error',
    why: 'kube-scheduler then waits without end, and one lost answer stops it',
    *check({ muster, bindTimeoutMs }) {
      for (const entry of muster) {
        if ((timeoutOf(entry) ?? 0) >= 0) continue
        const fix = `httpTimeout: ${binds(entry) ? seconds(bindTimeoutMs) : '2s'}`
        yield { at: placeOf(entry, 'httpTimeout'), problem: timeoutText(entry), fix }
      }
    }
  },
  {
    name: 'filter-timeout',
    severity: 'error',
    why: 'filter, prioritize and preempt hold up the loop: for so long nothing is scheduled at all',
    *check(configuration) {
      for (const entry of alone(configuration, decides)) {
        if ((timeoutOf(entry) ?? 0) <= 5_000) continue
        yield { at: placeOf(entry, 'httpTimeout'), problem: `filter has ${timeoutText(entry)}`, fix: 'httpTimeout: 2s' }
      }
    }
  },
  {
    name: 'filter-timeout-missing',
    severity: 'warning',
    why: 'while muster does not answer, each pod stops the loop for that long',
    *check(configuration) {
      for (const entry of alone(configuration, decides)) {
        if (entry.field('httpTimeout') !== undefined) continue
        yield { at: entry.place, problem: `filter has ${timeoutText(entry)}`, fix: 'httpTimeout: 2s' }
      }
    }
  }
]

export const verbRules: readonly Rule[] = [
  {
    name: 'muster-missing',
    severity: 'error',
    why: 'pods are then scheduled one by one, as if there were no gangs',
    *check({ root, muster }) {
      if (muster.length > 0) return
      const fix = 'take the extenders that muster scheduler-config prints, or name muster by --extender URL'
      yield { at: placeOf(root, 'extenders'), problem: 'no extender calls muster', fix }
    }
  },
  {
    name: 'ignorable',
    severity: 'error',
    why: 'while muster is away, kube-scheduler would bind pods by itself, and so a part of a gang',
    *check({ muster }) {
      for (const entry of muster) {
        if (flag(entry, 'ignorable'))
          yield { at: placeOf(entry, 'ignorable'), problem: 'ignorable: true', fix: 'ignorable: false' }
      }
    }
  },
  {
    name: 'one-entry',
    severity: 'error',
    why: "an entry has one httpTimeout: bind's long one would block the scheduling loop, a short one ends the barrier",
    *check({ muster, bindTimeoutMs }) {
      for (const entry of muster) {
        if (!binds(entry) || !decides(entry)) continue
        const others = verbs.filter(verb => verb !== 'bindVerb' && has(entry, verb)).join(', ')
        const fix = `a second entry of the same urlPrefix with only bindVerb: bind and httpTimeout: ${seconds(bindTimeoutMs)}`
        yield { at: placeOf(entry, 'bindVerb'), problem: `one entry has bindVerb and ${others}`, fix }
      }
    }
  },
  missing('bindVerb', 'kube-scheduler binds each pod by itself: there is no barrier, and a gang may start in part'),
  missing('filterVerb', 'pods of incomplete gangs are placed, and others take the room that is held for a gang'),
  missing('preemptVerb', 'kube-scheduler evicts pods for a single member, and members of running gangs'),
  {
    name: 'two-binders',
    severity: 'error',
    why: 'kube-scheduler refuses to start: only one extender can bind',
    *check({ extenders }) {
      for (const entry of extenders.filter(binds).slice(1)) {
        yield {
          at: placeOf(entry, 'bindVerb'),
          problem: 'a second entry has bindVerb',
          fix: 'remove bindVerb from all entries but one'
        }
      }
    }
  },
  {
    name: 'verb-unknown',
    severity: 'error',
    why: 'muster answers 404, and every call fails',
    *check({ muster }) {
      for (const entry of muster) yield* unknownVerbs(entry)
    }
  },
  {
    name: 'weight-missing',
    severity: 'error',
    why: 'kube-scheduler refuses to start with a prioritizeVerb without a positive weight',
    *check({ muster }) {
      for (const entry of muster) {
        if (!has(entry, 'prioritizeVerb') || (number(entry, 'weight') ?? 0) > 0) continue
        yield { at: placeOf(entry, 'weight'), problem: 'prioritizeVerb without a positive weight', fix: 'weight: 1' }
      }
    }
  },
  {
    name: 'weight-dominates',
    severity: 'error',
    why: "from 13 on, muster's score beats all in-tree scores together: spreading and preferred affinity are lost",
    *check({ muster }) {
      for (const entry of muster) {
        const weight = number(entry, 'weight') ?? 0
        if (!has(entry, 'prioritizeVerb') || weight < dominantWeight) continue
        yield { at: placeOf(entry, 'weight'), problem: `weight: ${weight}`, fix: 'weight: 1' }
      }
    }
  },
  {
    name: 'node-names',
    severity: 'error',
    why: 'every call then carries all nodes in full, and in-tree scores see nodes without pods',
    *check({ muster }) {
      for (const entry of muster) {
        if (!decides(entry) || flag(entry, 'nodeCacheCapable')) continue
        yield {
          at: placeOf(entry, 'nodeCacheCapable'),
          problem: 'nodeCacheCapable is not true',
          fix: 'nodeCacheCapable: true'
        }
      }
    }
  },
  ...timeoutRules
]
