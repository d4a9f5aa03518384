import type { Test } from 'tap'
import { buildTools } from '../control-plane/build.ts'
import { Lab, type LabOptions } from '../control-plane/lab.ts'
import { gangs } from '../control-plane/muster.ts'
import { isBound, isNominated } from '../control-plane/objects.ts'

/** The longest that a gang may stay bound in part when nothing is broken. */
const longestPartial = 5_000

/** Opens the file's laboratory; undefined, with the file skipped and the reason told, where it cannot be had. */
export async function openLab(t: Test, options: LabOptions = {}): Promise<Lab | undefined> {
  t.setTimeout(1_200_000)
  const tools = await buildTools()
  if (tools.kind === 'absent') {
    t.plan(0, `no control plane on this machine: ${tools.reason}`)
    return undefined
  }
  const lab = await Lab.open(tools, options)
  t.teardown(() => lab.close())
  return lab
}

/** What a case does besides its body. */
export interface ScenarioOptions {
  /** False: muster and kube-scheduler are not running when the body begins. */
  readonly started?: boolean
  /** True: something is broken on purpose, so a gang may be bound in part for longer. */
  readonly faults?: boolean
}

/** `TEST_CASE='two gangs' node test/conformance/…` runs only the cases whose name contains that text. */
const only = process.env['TEST_CASE'] ?? ''

/** Whether a case is one of those that were asked for. */
export const isWanted = (name: string): boolean => name.includes(only)

let cases = 0

/** Runs a case in a namespace of its own; whatever happens, the next one finds the laboratory running and empty. */
export function scenario(
  t: Test,
  lab: Lab,
  [name, options]: readonly [string, ScenarioOptions?],
  body: (t: Test, namespace: string) => Promise<void>
): void {
  if (!isWanted(name)) return
  t.test(name, async t => {
    t.setTimeout(600_000)
    const namespace = await lab.createNamespace(`case-${cases++}`)
    if (options?.started ?? true) await lab.start()
    else await lab.halt()
    lab.forget()
    try {
      await body(t, namespace)
      checkSafety(t, lab, options?.faults ?? false)
    } finally {
      lab.api.intercept({})
      lab.api.thaw()
      lab.verbs.fault = () => undefined
      // After an outage kube-scheduler's reflectors wait for up to a minute, the longer the more outages it has seen.
      if (options?.faults) await lab.scheduler.kill()
      await lab.start()
      await lab.clear()
    }
  })
}

function checkSafety(t: Test, lab: Lab, faults: boolean): void {
  const problems = lab.history.problems(faults ? Number.POSITIVE_INFINITY : longestPartial)
  t.strictSame(problems, [], `no pod is bound twice, and no gang in part for longer than ${longestPartial / 1000} s`)
  t.ok(lab.muster.process.running, 'muster is alive')
}

/** Waits until a whole gang is bound. */
export async function gangIsBound(lab: Lab, namespace: string, gang: string, size: number, timeout = 30_000) {
  const bound = () => lab.podsIn(namespace, gang).filter(isBound).length
  await lab.waitFor(`gang ${gang} of ${size} is bound`, () => bound() === size, timeout)
}

/** Waits until muster says that a gang is complete and has no room. */
export async function gangWaits(lab: Lab, namespace: string, gang: string): Promise<void> {
  await lab.until(`gang ${gang} waits`, async () => {
    const view = (await gangs(lab.muster)).find(each => each.namespace === namespace && each.name === gang)
    return view?.state === 'waiting'
  })
}

/** How many pods of a namespace, or of one gang in it, have a node. */
export const boundIn = (lab: Lab, namespace: string, gang?: string): number =>
  lab.podsIn(namespace, gang).filter(isBound).length

/** Waits until muster keeps room for nobody and no waiting pod names a node. */
export async function nothingIsHeld(lab: Lab, timeout = 15_000): Promise<void> {
  const quiet = async () => !lab.pods.values().some(isNominated) && (await lab.holds()) === 0
  await lab.until('no hold and no nomination is left', quiet, timeout)
}

/** The gangs of a namespace that are bound whole, and those that are bound in part. */
export function tally(lab: Lab, namespace: string, gangs: readonly string[], size: number) {
  const counts = gangs.map(gang => [gang, boundIn(lab, namespace, gang)] as const)
  const whole = counts.filter(([, bound]) => bound === size).map(([gang]) => gang)
  return { whole, partial: counts.filter(([, bound]) => bound > 0 && bound < size) }
}
