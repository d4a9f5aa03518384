import { ask, clientArgs, clientOptions, table } from './client.ts'
import type { GangReport } from './reports.ts'

const usage = `Usage: muster gangs [NAME] [options]

Lists the gangs that muster knows, or one gang with its members.

${clientOptions('namespace (default: all for the list, default for one gang)')}

Example:
  muster gangs -n training
`

export const gangs = {
  name: 'gangs',
  summary: 'list gangs, or show one with its members',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { server, namespace, json, name } = clientArgs(args)
    const query = namespace === undefined ? '' : `?namespace=${encodeURIComponent(namespace)}`
    const path = name === undefined ? '/gangs' : `/gangs/${encodeURIComponent(name)}`
    const answer = await ask(server, path + query)
    if (json) process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`)
    else
      process.stdout.write(
        `${name === undefined ? list(answer as { gangs: GangReport[] }) : show(answer as GangReport)}\n`
      )
  }
}

function list({ gangs: all }: { readonly gangs: readonly GangReport[] }): string {
  if (all.length === 0) return 'No gangs.'
  const rows = all.map(gang => [gang.namespace, gang.name, gang.state, placed(gang), gang.reason ?? ''])
  return table([['NAMESPACE', 'NAME', 'STATE', 'PLACED', 'REASON'], ...rows])
}

/** A gang as people read it. */
export function show(gang: GangReport): string {
  const head = `${gang.namespace}/${gang.name}: ${gang.state}, ${placed(gang)} of its members placed${gang.reason === null ? '' : `\n${gang.reason}`}`
  const rows = gang.members.map(member => [member.name, member.state, member.node ?? '', member.planned ?? ''])
  return `${head}\n\n${table([['MEMBER', 'STATE', 'NODE', 'PLANNED'], ...rows])}`
}

function placed({ members, minMember }: GangReport): string {
  return `${members.filter(member => member.node !== null).length}/${minMember ?? '?'}`
}
