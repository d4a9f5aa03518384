/**
 * `npm run bench -- [embedded | sandboxes | victims | schedule | tracing]`: prints what was measured; timings are no tests. Kept
 * tables, with the conditions under which they were made, are in results/.
 */
import { cpus, totalmem } from 'node:os'
import { embedded } from './embedded.ts'
import { sandboxes } from './sandboxes.ts'
import { schedules } from './schedule.ts'
import { tracingCost } from './tracing.ts'
import { victimSearch } from './victims.ts'

const benches: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  embedded,
  sandboxes: () => sandboxes(),
  victims: victimSearch,
  schedule: schedules,
  tracing: tracingCost
}

const names = process.argv.slice(2)
const unknown = names.filter(name => !Object.hasOwn(benches, name))
if (unknown.length > 0) {
  process.stderr.write(`bench: there is no ${unknown.join(', ')}; known are ${Object.keys(benches).join(', ')}\n`)
  process.exit(2)
}

const gib = (totalmem() / 2 ** 30).toFixed(0)
process.stdout.write(`Node ${process.version}, ${cpus().length} cores, ${gib} GiB, ${cpus()[0]?.model ?? 'unknown'}\n`)
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  process.stdout.write(`\n${name}\n\n`)
  for (const line of (await benches[name]?.()) ?? []) process.stdout.write(`${line}\n`)
}
