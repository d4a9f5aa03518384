#!/usr/bin/env node
import { reasonOf, UsageError } from '../errors.ts'
import { keepCode } from './code-cache.ts'

/** A command of `muster`: throws UsageError for what the user can mend, answers when it is done. */
export type Command = {
  readonly name: string
  readonly summary: string
  run(args: readonly string[]): Promise<void>
}

/** Each is loaded only when it is wanted: most need little of what others do. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  'scheduler-config': async () => (await import('./scheduler-config.ts')).schedulerConfig,
  lint: async () => (await import('./lint.ts')).lint,
  plan: async () => (await import('./plan.ts')).plan,
  gangs: async () => (await import('./gangs.ts')).gangs,
  explain: async () => (await import('./explain.ts')).explain,
  doctor: async () => (await import('./doctor.ts')).doctor,
  certs: async () => (await import('./certs.ts')).certs,
  uninstall: async () => (await import('./uninstall.ts')).uninstall,
  embedded: async () => (await import('./embedded.ts')).embedded,
  sandbox: async () => (await import('./sandbox.ts')).sandbox,
  version: async () => (await import('./version.ts')).version
}

async function help(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(load => load()))
  const rows = all.map(({ name, summary }) => `  ${name.padEnd(18)}${summary}`)
  return `muster: gangs of pods on the stock kube-scheduler\n\nUsage: muster COMMAND [options]\n\n${rows.join('\n')}\n\nmuster COMMAND --help tells more.\n`
}

async function main([first, ...args]: readonly string[]): Promise<void> {
  const name = first === '--version' ? 'version' : first
  if (name === undefined || name === '--help' || name === 'help') {
    process.stdout.write(await help())
    return
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!load)
    throw new UsageError(`there is no command ${JSON.stringify(name)}; known are ${Object.keys(commands).join(', ')}`)
  await (await load()).run(args)
}

keepCode(process.env)
main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof UsageError
  process.stderr.write(`muster: ${expected ? error.message : reasonOf(error)}\n`)
  // A server that has begun to listen must not keep a failed start alive.
  process.exit(expected ? 2 : 1)
})
