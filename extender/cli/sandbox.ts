import { UsageError } from '../errors.ts'
import { activator } from './sandbox/activator.ts'
import { demo } from './sandbox/demo.ts'
import { events } from './sandbox/events.ts'
import { global } from './sandbox/global.ts'
import { list } from './sandbox/list.ts'
import { mock } from './sandbox/mock.ts'
import { scheduler } from './sandbox/scheduler.ts'

type SubCommand = { readonly name: string; readonly summary: string; run(args: readonly string[]): Promise<void> }

const commands: readonly SubCommand[] = [scheduler, global, events, activator, mock, list, demo]
const known = commands.map(({ name }) => name).join(', ')

const usage = `Usage: muster sandbox COMMAND [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}

muster sandbox COMMAND --help tells more.
`

export const sandbox = {
  name: 'sandbox',
  summary: 'run a service of the sandboxes, or their demo client',
  async run([name, ...args]: readonly string[]): Promise<void> {
    if (name === undefined || name === '--help' || name === 'help') {
      process.stdout.write(usage)
      return
    }
    const command = commands.find(each => each.name === name)
    if (!command) throw new UsageError(`there is no command sandbox ${JSON.stringify(name)}; known are ${known}`)
    await command.run(args)
  }
}
