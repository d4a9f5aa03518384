/**
 * `npm run integration -- basic | priority | group`: the same three tests wherever there is a cluster. They run against
 * kubectl's current context, where muster has been installed before; without a context, against the local real control
 * plane, and where that cannot be had, against the embedded cluster. The first line says which.
 */
import { type Ground, openGround } from './ground.ts'
import { scenarios } from './scenarios.ts'

const names = process.argv.slice(2)
const unknown = names.filter(name => !Object.hasOwn(scenarios, name))
if (names.length === 0 || unknown.length > 0) {
  process.stderr.write(`integration: name one or more of ${Object.keys(scenarios).join(', ')}\n`)
  process.exit(2)
}

let ground: Ground | undefined
try {
  ground = await openGround()
  process.stdout.write(`On ${ground.name}.\n`)
  for (const name of names) {
    process.stdout.write(`\n${name}\n`)
    await scenarios[name]?.(ground, line => void process.stdout.write(`  ${line}\n`))
  }
  process.stdout.write('\npassed\n')
} catch (error) {
  process.stdout.write(`\nfailed: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await ground?.close()
}
