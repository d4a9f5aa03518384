/**
 * `node extender/embedded/demos/list.ts`: names all demos. With names: runs those. With `all`: the whole suite.
 */
import { aggregation } from './aggregation.ts'
import type { Demo } from './demo.ts'
import { loadBalancing } from './load-balancing.ts'
import { run } from './main.ts'
import { pipeline } from './pipeline.ts'
import { requestResponse } from './request-response.ts'
import { scaling } from './scaling.ts'
import { schedule } from './schedule.ts'
import { selfHealing } from './self-healing.ts'
import { simpleService } from './simple-service.ts'
import { stepByStep } from './step-by-step.ts'

/** The demo suite. */
export const suite: readonly Demo[] = [
  ...[simpleService, loadBalancing, scaling, pipeline],
  ...[requestResponse, aggregation, schedule, selfHealing]
]

/** The suite, and the step-by-step example. */
export const list = (): readonly Demo[] => [...suite, stepByStep]

if (import.meta.main) {
  const names = process.argv.slice(2)
  const wanted = names.includes('all') ? suite : list().filter(({ name }) => names.includes(name))
  if (names.length === 0) for (const { name, title } of list()) process.stdout.write(`${name.padEnd(18)}${title}\n`)
  const unknown = names.filter(name => name !== 'all' && !list().some(demo => demo.name === name))
  if (unknown.length > 0) throw new Error(`there is no demo ${unknown.join(', ')}`)
  for (const demo of wanted) await run(demo)
}
