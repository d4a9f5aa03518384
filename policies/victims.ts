import { type Body, type Budget, type Step, stepsOf } from './bodies.ts'
import { cheapest } from './cheapest.ts'
import type { Profile } from './framework.ts'
import type { Explanation, PlanRequest } from './plan.ts'
import { plan } from './planner.ts'
import type { Snapshot } from './snapshot.ts'
import { compare } from './text.ts'
import { Trial } from './trial.ts'
import type { Pod } from './types.ts'

/** Room for `need` of `pods`, once others have gone. All pods of the bodies rank lower and are not protected. */
export type VictimRequest = PlanRequest & { readonly bodies: readonly Body[]; readonly budgets: readonly Budget[] }

/** A pod that has to go, and the key of its body. */
export type Victim = { readonly pod: Pod; readonly body: string }

/** Every member's node, by pod uid, free once the victims have gone. */
export type Eviction = {
  readonly outcome: 'evict'
  readonly nodes: ReadonlyMap<string, string>
  readonly victims: readonly Victim[]
}

/** Plans made in one search at most; what is found is valid in any case, only maybe not the least. */
const budget = 1_000
/** Among so many steps the very cheapest set is searched for. */
const few = 10

/**
 * Who must go so that the members fit: nobody where they fit anyway, or the explanation where no eviction helps. Of
 * those who are named nobody can be spared, no gang is named in part but by its surplus, and no disruption budget is
 * exceeded. They are the cheapest by the highest priority among them, gangs ended whole, lost work and number: for
 * certain among few, and as far as the search goes among many. The same question gives the same answer; never changes
 * its arguments.
 */
export function victims(snapshot: Snapshot, request: VictimRequest, profile: Profile): Eviction | Explanation {
  const asIs = plan(snapshot, request, profile)
  if (asIs.outcome === 'planned') return { outcome: 'evict', nodes: asIs.nodes, victims: [] }
  const steps = stepsOf(request.bodies)
  const trial = new Trial(snapshot, { request, profile, budgets: request.budgets, steps })
  const going = needed(trial, steps)
  const nodes = going && trial.nodes()
  if (!nodes) return { ...asIs, message: `${asIs.message}; no eviction of pods of lower priority would help` }
  const named = going.flatMap(({ body, pods }) => pods.map(pod => ({ pod, body: body.key })))
  return { outcome: 'evict', nodes, victims: named.toSorted(byName) }
}

const byName = (a: Victim, b: Victim): number =>
  compare(a.pod.namespace, b.pod.namespace) || compare(a.pod.name, b.pod.name)

/** The steps that are done in the end, as the trial then has them; undefined where all together do not help. */
function needed(trial: Trial, steps: readonly Step[]): readonly Step[] | undefined {
  const going = enough(trial, steps)
  if (!going) return undefined
  const last = going.at(-1)?.cost[0] ?? 0
  // Cheaper sets have no higher priority among them than the first that is enough.
  const candidates = steps.filter(step => step.cost[0] <= last)
  if (candidates.length <= few) {
    putAll(trial, going)
    return cheapest(trial, candidates)
  }
  return spared(trial, going)
}

/**
 * The shortest run of steps, cheapest first, after which the members fit. While amounts alone say no, nothing is
 * planned; then the gap is closed by doubling and halving. Steps that a budget forbids are passed over.
 */
function enough(trial: Trial, steps: readonly Step[]): readonly Step[] | undefined {
  const run = new Run(trial, steps)
  while (!trial.mayFit()) if (!run.advance(1)) return run.fail()
  let base = 0
  for (let stride = 1; !trial.fits(); stride *= 2) {
    base = run.done.length
    if (!run.advance(stride)) return run.fail()
  }
  return run.halved(base)
}

/** Steps that are taken in their turn. */
class Run {
  done: readonly Step[] = []
  readonly #trial: Trial
  readonly #rest: ArrayIterator<Step>
  /** Body → its steps that are done. */
  readonly #levels = new Map<Body, number>()

  constructor(trial: Trial, steps: readonly Step[]) {
    this.#trial = trial
    this.#rest = steps.values()
  }

  /** Takes up to so many more; false where there are none. */
  advance(count: number): boolean {
    const more: Step[] = []
    while (more.length < count) {
      const next = this.#rest.next()
      if (next.done === true) break
      if (this.#mayGo(next.value)) more.push(next.value)
    }
    this.done = [...this.done, ...more]
    return more.length > 0
  }

  fail(): undefined {
    putAll(this.#trial, this.done)
  }

  /** The first `from` are too few, all are enough: puts back what is too much at the end. */
  halved(from: number): readonly Step[] {
    let [low, high, now] = [from, this.done.length, this.done.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      this.#set(now, middle)
      now = middle
      if (this.#trial.fits()) high = middle
      else low = middle
    }
    this.#set(now, high)
    return this.done.slice(0, high)
  }

  #mayGo(step: Step): boolean {
    const { body, level, pods } = step
    if ((this.#levels.get(body) ?? 0) !== level || !this.#trial.allows(pods)) return false
    this.#levels.set(body, level + 1)
    this.#trial.take(pods)
    return true
  }

  #set(was: number, count: number): void {
    for (const step of this.done.slice(was, count)) this.#trial.take(step.pods)
    putAll(this.#trial, this.done.slice(count, was))
  }
}

function putAll(trial: Trial, steps: readonly Step[]): void {
  for (const step of steps) trial.put(step.pods)
}

/**
 * Puts back whoever is not needed: first all who stand where nobody is placed, then the dearest first. A step whose
 * body goes on to a later one stays with it.
 */
function spared(trial: Trial, going: readonly Step[]): readonly Step[] {
  const left = new Set(idle(trial, going))
  const levels = new Map<Body, number>()
  for (const { body, level } of left) levels.set(body, Math.max(level, levels.get(body) ?? 0))
  for (const step of [...left].toReversed()) {
    if (levels.get(step.body) !== step.level) continue
    trial.put(step.pods)
    if (trial.plans < budget && trial.fits()) {
      left.delete(step)
      levels.set(step.body, step.level - 1)
    } else trial.take(step.pods)
  }
  return [...left]
}

/** Where each trial costs a plan, those who are plainly not needed go back together. */
function idle(trial: Trial, going: readonly Step[]): readonly Step[] {
  if (trial.isCounted) return going
  const used = new Set(trial.nodes()?.values())
  const levels = new Map<Body, number>()
  for (const { body, level, pods } of going)
    if (pods.some(pod => used.has(pod.nodeName ?? ''))) levels.set(body, Math.max(level, levels.get(body) ?? 0))
  const needless = going.filter(({ body, level }) => level > (levels.get(body) ?? -1))
  putAll(trial, needless)
  const gone = new Set(needless)
  return going.filter(step => !gone.has(step))
}
