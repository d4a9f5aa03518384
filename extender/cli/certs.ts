import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../clock.ts'
import { reasonOf, UsageError } from '../errors.ts'
import { parsed } from '../sources.ts'
import { wantsJson } from './input.ts'
import { clientNameIn, create, rotate, rotateAuthority } from './certs/issue.ts'
import { type Files, isThere, load, replace } from './certs/store.ts'

const usage = `Usage: muster certs create --host HOST... [options]
       muster certs rotate [--ca] [options]

Makes the certificates with which muster and kube-scheduler know each other: a CA (ca.crt, ca.key), one for muster
(server.crt, server.key) and one for kube-scheduler (client.crt, client.key). Keys are readable by you alone. ca.key is
needed by rotate only: keep it away from the cluster.

  --dir DIR           the folder (default muster-certs)
  --host HOST         where kube-scheduler reaches muster, a name or an address; may be repeated
  --client-name NAME  the name that kube-scheduler shows (default system:kube-scheduler)
  --days N            so long they hold (default 365); the CA holds for ten years
  --ca                rotate: a new CA beside the old one, and nothing else
  --output json       the files, and the flags for muster

rotate makes new ones for both sides, of the same names unless others are said, and puts them in the place of the old
ones at once; muster and kube-scheduler read them again by themselves. For a new CA: rotate --ca, give ca.crt to both
sides and restart kube-scheduler, which reads it only then; then rotate. The rotation after that forgets the old CA.

Examples:
  muster certs create --host 127.0.0.1 --host localhost
  muster certs rotate --days 90
`

const spec = {
  dir: { type: 'string', default: 'muster-certs' },
  host: { type: 'string', multiple: true },
  'client-name': { type: 'string' },
  days: { type: 'string' },
  ca: { type: 'boolean', default: false },
  output: { type: 'string', short: 'o' }
} as const

type Wish = {
  readonly action: 'create' | 'rotate'
  readonly dir: string
  readonly hosts: readonly string[] | undefined
  readonly clientName: string | undefined
  readonly days: number | undefined
  readonly ca: boolean
  readonly json: boolean
}

export const certs = {
  name: 'certs',
  summary: 'make certificates for muster and kube-scheduler',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const wish = read(args)
    const now = systemClock.wall()
    const files = made(wish, now)
    try {
      replace(wish.dir, files, now)
    } catch (error) {
      throw new UsageError(`cannot write to ${wish.dir}: ${reasonOf(error)}`)
    }
    process.stdout.write(wish.json ? `${JSON.stringify(report(wish, files), null, 2)}\n` : text(report(wish, files)))
  }
}

function made(wish: Wish, now: number): Files {
  const { action, dir, hosts, clientName, days, ca } = wish
  if (action === 'create') {
    if (isThere(dir)) throw new UsageError(`${dir} has certificates already: muster certs rotate makes new ones`)
    if (!hosts) throw new UsageError('--host HOST is missing: where does kube-scheduler reach muster?')
    return create({ hosts, clientName: clientName ?? 'system:kube-scheduler', days: days ?? 365 }, now)
  }
  const old = load(dir)
  if (ca) return rotateAuthority(old, now)
  return rotate(old, { ...(hosts && { hosts }), ...(clientName && { clientName }), ...(days && { days }) }, now)
}

type Report = {
  readonly files: Readonly<Record<string, string>>
  readonly serve: readonly string[]
  readonly scheduler: readonly string[]
}

/** What the two commands are to be told. */
function report({ dir }: Wish, files: Files): Report {
  const path = (name: string): string => join(resolve(dir), name)
  const name = clientNameIn(files)
  return {
    files: Object.fromEntries(Object.keys(files).map(each => [each, path(each)])),
    serve: [
      ...['--tls-cert', path('server.crt'), '--tls-key', path('server.key')],
      ...['--tls-client-ca', path('ca.crt'), '--tls-client-name', name]
    ],
    scheduler: ['--ca', path('ca.crt'), '--client-cert', path('client.crt'), '--client-key', path('client.key')]
  }
}

function text({ serve, scheduler }: Report): string {
  return [
    'Written. Give them to both sides:',
    '',
    `  muster serve ${words(serve)}`,
    `  muster scheduler-config --extender https://HOST:8888 ${words(scheduler)}`,
    '',
    'Both read their own certificate again when it changes; kube-scheduler reads the CA only when it starts.',
    ''
  ].join('\n')
}

const words = (all: readonly string[]): string => all.map(quoted).join(' ')

/** As a shell wants it. */
const quoted = (word: string): string => (/^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

function read(args: readonly string[]): Wish {
  const { values, positionals } = parsed(() => parseArgs({ args: [...args], options: spec, allowPositionals: true }))
  const { dir, host: hosts, 'client-name': clientName, days, ca, output } = values
  const action = actionOf(positionals)
  if (ca && (action === 'create' || [hosts, clientName, days].some(each => each !== undefined)))
    throw new UsageError('--ca is for rotate, and alone: it changes nothing but the CA')
  const json = wantsJson(output)
  hosts?.forEach(checkHost)
  return { action, dir, hosts, clientName: nameOf(clientName), days: daysOf(days), ca, json }
}

function actionOf([action, ...more]: readonly string[]): Wish['action'] {
  if (more.length === 0 && (action === 'create' || action === 'rotate')) return action
  throw new UsageError('say create or rotate: muster certs create --host HOST')
}

function nameOf(said: string | undefined): string | undefined {
  if (said === undefined || /^[\w.:@/-]{1,64}$/.test(said)) return said
  throw new UsageError(`--client-name: ${JSON.stringify(said)} must be up to 64 letters, digits and .:@/-_`)
}

function checkHost(host: string): void {
  const isName = /^(\*\.)?[a-zA-Z0-9]([-a-zA-Z0-9.]{0,251}[a-zA-Z0-9])?$/.test(host)
  if (isIP(host) === 4 || (isIP(host) === 6 && /^[\da-fA-F:]+$/.test(host)) || isName) return
  throw new UsageError(`--host: ${JSON.stringify(host)} must be a name or an address, without port or scheme`)
}

function daysOf(said: string | undefined): number | undefined {
  if (said === undefined) return undefined
  const days = Number(said)
  if (/^\d{1,4}$/.test(said) && days >= 1 && days <= 3650) return days
  throw new UsageError(`--days: ${said} must be a whole number from 1 to 3650`)
}
