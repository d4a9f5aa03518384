import { setTimeout as sleep } from 'node:timers/promises'
import { isBinding } from '../control-plane/api-proxy.ts'
import { unaskedBindings } from '../control-plane/history.ts'
import type { Lab } from '../control-plane/lab.ts'
import { gangs, type MusterServer } from '../control-plane/muster.ts'
import { answers } from '../control-plane/probe.ts'
import type { Dice } from '../control-plane/random.ts'
import { Churn, namespaces, slots } from './churn.ts'
import { conditions, type Outcome } from './report.ts'
import { type Trouble, troublesOf } from './troubles.ts'
import { seriesOf, type Vitals, vitalsOf } from './vitals.ts'

const bindTimeoutMs = 15_000
/** Of `muster serve`, so that each trouble is over within the run. */
export const musterArgs = ['--bind-timeout', `${bindTimeoutMs / 1000}s`, '--watch-timeout', '10s']
const nodes = 40
/** A trouble lasts so long, and then there is peace for so long. */
const [troubleMs, peaceMs] = [6_000, 9_000]
/** Between two moves of the churn, in the mean. */
const pauseMs = 250
const settleMs = 180_000
/** The last muster is warm after so long. */
const warmMs = 30_000
/** What its process may have more in the end. */
const spare = { handles: 16, rss: 64 }

/**
 * One run. In its first half muster itself is killed now and then; in the second one muster lives on, and its memory,
 * handles, holds and series are looked at.
 */
export class Soak {
  readonly #lab: Lab
  readonly #dice: Dice
  readonly #churn: Churn
  readonly #troubles: Record<string, number> = {}
  readonly #broken: string[] = []

  constructor(lab: Lab, dice: Dice) {
    this.#lab = lab
    this.#dice = dice
    this.#churn = new Churn(lab, dice)
  }

  async run(minutes: number): Promise<Outcome> {
    const lab = this.#lab
    const half = minutes * 30_000
    await lab.start()
    await this.#churn.prepare(nodes)
    const all = troublesOf(lab, this.#dice)
    await this.#round(half, all)
    await this.#round(Math.min(warmMs, half / 4), [])
    const { pid } = lab.muster.process
    const samples = [await vitalsOf(lab.muster)]
    await this.#round(
      half,
      all.filter(({ ends }) => !ends),
      samples
    )
    await this.#holds('muster has found its way back', isReady(lab.muster))
    const history = await this.#settled()
    await this.#holds('nothing is left once all is deleted', () => lab.clear().then(() => true))
    const after = await this.#rested()
    if (lab.muster.process.pid !== pid) this.#broken.push('muster has ended by itself')
    await this.#judge(samples[0]!, after)
    return {
      ...conditions(),
      ...{ minutes, seed: this.#dice.seed, churn: this.#churn.done, troubles: this.#troubles },
      ...{ before: samples[0]!, most: [...samples, after].reduce(most), after },
      ...history,
      broken: this.#broken
    }
  }

  /** Churn for so long, with these troubles one after the other. */
  async #round(ms: number, troubles: readonly Trouble[], samples: Vitals[] = []): Promise<void> {
    const end = performance.now() + ms
    const churning = this.#churnUntil(end)
    while (performance.now() < end) {
      await sleep(Math.min(peaceMs, end - performance.now()))
      const trouble = troubles[Math.floor(this.#dice.next() * troubles.length)]
      if (!trouble || performance.now() + troubleMs > end) continue
      process.stdout.write(`${trouble.name}\n`)
      this.#troubles[trouble.name] = (this.#troubles[trouble.name] ?? 0) + 1
      await trouble.begin()
      await sleep(troubleMs)
      await trouble.end()
      await vitalsOf(this.#lab.muster).then(
        sample => samples.push(sample),
        () => {}
      )
    }
    await churning
  }

  async #churnUntil(end: number): Promise<void> {
    while (performance.now() < end) {
      await this.#churn.step()
      await sleep(this.#dice.next() * 2 * pauseMs)
    }
  }

  /** Waits until every gang that nobody disturbed is whole or not begun, and asks the history what has happened. */
  async #settled(): Promise<Pick<Outcome, 'gangs' | 'longestPartial' | 'bindings'>> {
    const { history, verbs, api } = this.#lab
    const inPart = (): readonly string[] => this.#inPart()
    await this.#lab
      .waitFor('no gang is bound in part', () => inPart().length === 0, settleMs)
      .catch(() => this.#broken.push(`gangs are bound in part: ${inPart().join(', ')}`))
    const disturbed = history.disturbed()
    const partial = [...history.longestPartial()].filter(([gang]) => !disturbed.has(gang)).map(([, time]) => time)
    for (const pod of history.boundTwice()) this.#broken.push(`${pod} was bound twice`)
    for (const node of history.crowded(slots)) this.#broken.push(`${node} held more pods than it takes`)
    for (const pod of unaskedBindings(verbs.calls, api.calls, bindTimeoutMs))
      this.#broken.push(`a Binding of ${pod} was sent that nobody waited for`)
    return {
      gangs: history.tally(),
      longestPartial: Math.ceil(Math.max(0, ...partial) / 1000),
      bindings: api.calls.filter(isBinding).length
    }
  }

  /** Gangs of which something is missing though no member ever left. */
  #inPart(): readonly string[] {
    const { history } = this.#lab
    const disturbed = history.disturbed()
    return history.inPart().filter(gang => !disturbed.has(gang))
  }

  /** Waits for it; what does not come is broken, and the run goes on. */
  async #holds(what: string, condition: () => Promise<boolean>): Promise<void> {
    const from = performance.now()
    await this.#lab
      .until(what, condition, settleMs)
      .catch(() => this.#broken.push(`not within ${settleMs / 1000} s: ${what}`))
    process.stdout.write(`${what}: ${Math.round((performance.now() - from) / 1000)} s\n`)
  }

  /** When muster knows of no gang any more, and garbage has had the time to be collected. */
  async #rested(): Promise<Vitals> {
    const { muster } = this.#lab
    await this.#holds('muster knows of no gang', async () => (await gangs(muster)).length === 0)
    await sleep(2 * peaceMs)
    return await vitalsOf(muster)
  }

  async #judge(before: Vitals, after: Vitals): Promise<void> {
    const broken = this.#broken
    if (after.holds > 0) broken.push(`${after.holds} holds are left`)
    if (after.handles > before.handles + spare.handles)
      broken.push(`${after.handles} files and sockets are open, ${before.handles} before`)
    if (after.rss > before.rss + spare.rss) broken.push(`RSS grew from ${before.rss} to ${after.rss} MiB`)
    const own = new RegExp(`${namespaces.join('|')}|gang-\\d|node-\\d`)
    const named = (await seriesOf(this.#lab.muster)).find(each => own.test(each))
    if (named !== undefined) broken.push(`a series names what is in the cluster: ${named}`)
  }
}

const isReady =
  ({ url }: MusterServer) =>
  async (): Promise<boolean> =>
    await answers(`${url}/readyz`)

const most = (one: Vitals, other: Vitals): Vitals => ({
  rss: Math.max(one.rss, other.rss),
  handles: Math.max(one.handles, other.handles),
  holds: Math.max(one.holds, other.holds),
  series: Math.max(one.series, other.series)
})
