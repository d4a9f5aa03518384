/**
 * `npm run bench -- [NAME [OPTIONS]]`: prints what was measured; timings are no tests. Without a name everything, with
 * few rounds. Kept tables, with the conditions under which they were made, are in results/.
 */
import { cpus, totalmem } from 'node:os'
import { barriers } from './barrier.ts'
import { embedded } from './embedded.ts'
import { sandboxes } from './sandboxes.ts'
import { schedules } from './schedule.ts'
import { schedulers } from './scheduler.ts'
import { states } from './state.ts'
import { tracingCost } from './tracing.ts'
import { victimSearch } from './victims.ts'
import { wire } from './wire.ts'

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<readonly string[]>>> = {
  embedded,
  sandboxes: ([only]) => sandboxes(only),
  victims: ([only]) => victimSearch(only),
  schedule: schedules,
  barrier: barriers,
  wire,
  state: states,
  scheduler: schedulers,
  tracing: tracingCost
}

const [name, ...args] = process.argv.slice(2)
if (name !== undefined && !Object.hasOwn(benches, name)) {
  process.stderr.write(`bench: there is no ${name}; known are ${Object.keys(benches).join(', ')}\n`)
  process.exit(2)
}

const gib = (totalmem() / 2 ** 30).toFixed(0)
process.stdout.write(`Node ${process.version}, ${cpus().length} cores, ${gib} GiB, ${cpus()[0]?.model ?? 'unknown'}\n`)
for (const each of name === undefined ? Object.keys(benches) : [name]) {
  process.stdout.write(`\n${each}\n\n`)
  for (const line of (await benches[each]?.(args)) ?? []) process.stdout.write(`${line}\n`)
}
