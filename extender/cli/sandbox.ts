import { UsageError } from '../errors.ts'

type SubCommand = { readonly name: string; readonly summary: string; run(args: readonly string[]): Promise<void> }

/** Each is loaded only when it is wanted. */
const commands: Readonly<Record<string, () => Promise<SubCommand>>> = {
  scheduler: async () => (await import('./sandbox/scheduler.ts')).scheduler,
  global: async () => (await import('./sandbox/global.ts')).global,
  events: async () => (await import('./sandbox/events.ts')).events,
  activator: async () => (await import('./sandbox/activator.ts')).activator,
  mock: async () => (await import('./sandbox/mock.ts')).mock,
  list: async () => (await import('./sandbox/list.ts')).list,
  demo: async () => (await import('./sandbox/demo.ts')).demo
}

async function usage(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map(load => load()))
  const rows = all.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`)
  return `Usage: muster sandbox COMMAND [options]\n\n${rows.join('\n')}\n\nmuster sandbox COMMAND --help tells more.\n`
}

export const sandbox = {
  name: 'sandbox',
  summary: 'run a service of the sandboxes, or their demo client',
  async run([name, ...args]: readonly string[]): Promise<void> {
    if (name === undefined || name === '--help' || name === 'help') {
      process.stdout.write(await usage())
      return
    }
    const load = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (!load) {
      const known = Object.keys(commands).join(', ')
      throw new UsageError(`there is no command sandbox ${JSON.stringify(name)}; known are ${known}`)
    }
    await (await load()).run(args)
  }
}
