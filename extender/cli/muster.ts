#!/usr/bin/env node
import { reasonOf, UsageError } from '../errors.ts'
import { embedded } from './embedded.ts'
import { explain } from './explain.ts'
import { gangs } from './gangs.ts'
import { lint } from './lint.ts'
import { plan } from './plan.ts'
import { schedulerConfig } from './scheduler-config.ts'
import { sandbox } from './sandbox.ts'
import { serve } from './serve.ts'

/** A command of `muster`: throws UsageError for what the user can mend, answers when it is done. */
export type Command = {
  readonly name: string
  readonly summary: string
  run(args: readonly string[]): Promise<void>
}

const commands: readonly Command[] = [serve, schedulerConfig, lint, plan, gangs, explain, embedded, sandbox]

function help(): string {
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(18)}${summary}`)
  return `muster: gangs of pods on the stock kube-scheduler\n\nUsage: muster COMMAND [options]\n\n${rows.join('\n')}\n\nmuster COMMAND --help tells more.\n`
}

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === 'help') {
    process.stdout.write(help())
    return
  }
  const command = commands.find(each => each.name === name)
  if (!command)
    throw new UsageError(
      `there is no command ${JSON.stringify(name)}; known are ${commands.map(each => each.name).join(', ')}`
    )
  await command.run(args)
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof UsageError
  process.stderr.write(`muster: ${expected ? error.message : reasonOf(error)}\n`)
  // A server that has begun to listen must not keep a failed start alive.
  process.exit(expected ? 2 : 1)
})
