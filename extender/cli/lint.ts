import { parseArgs } from 'node:util'
import { loadConfig, profileNames } from '../config.ts'
import { reasonOf, UsageError } from '../errors.ts'
import { parsed } from '../sources.ts'
import { argumentsOf, readText, wantsJson } from './input.ts'
import { check, type Expected, type Finding } from './lint/check.ts'

const usage = `Usage: muster lint FILE [options]

Says what is dangerous in the KubeSchedulerConfiguration in FILE (- for standard input), line by line, with the fix.
Exits with 0 when it is clean, 1 when there are errors, 2 when FILE cannot be judged.

  --bind-timeout DURATION   as muster serve has it (default 30s)
  --scheduler-name NAME     as muster serve has it; may be repeated
  --lease NAMESPACE/NAME    as muster serve has it
  --scope all|gangs         as muster serve has it (default all)
  --config FILE             the YAML file of muster serve, instead of these
  --extender URL            which extender is muster (default: the one that binds at "bind", or filters at "filter")
  --strict                  warnings count as errors
  --output json             the findings as JSON

Example:
  muster lint /etc/kubernetes/scheduler-config.yaml --bind-timeout 30s
`

/** A configuration has some kilobytes. */
const largest = { bytes: 256 * 1024, text: '256 KiB, which no configuration of kube-scheduler is' }

type Options = { readonly file: string; readonly expected: Expected; readonly strict: boolean; readonly json: boolean }

export const lint = {
  name: 'lint',
  summary: 'refuse a dangerous configuration of kube-scheduler',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) {
      process.stdout.write(usage)
      return
    }
    const { file, expected, strict, json } = optionsOf(args)
    const findings = await findingsIn(file, expected)
    process.stdout.write(
      json ? `${JSON.stringify({ file, ...counts(findings), findings }, null, 2)}\n` : text(file, findings)
    )
    const { errors, warnings } = counts(findings)
    if (errors > 0 || (strict && warnings > 0)) process.exitCode = 1
  }
}

function optionsOf(args: readonly string[]): Options {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...args], options: { ...served, ...own }, allowPositionals: true })
  )
  const { output, strict = false, ...told } = values
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new UsageError('name one file: muster lint FILE')
  const json = wantsJson(output)
  const flags = argumentsOf(told)
  const { bindTimeoutMs, schedulerNames: profiles, extender, lease, scope } = loadConfig(flags, process.env)
  const schedulerNames = [...profiles.keys()]
  const builtIn: readonly string[] = profileNames
  const namedSchedulers = schedulerNames.filter(name => !builtIn.includes(name))
  return {
    file,
    expected: { bindTimeoutMs, schedulerNames, namedSchedulers, extender, lease, scope },
    strict,
    json
  }
}

const served = {
  'bind-timeout': { type: 'string' },
  'scheduler-name': { type: 'string', multiple: true },
  lease: { type: 'string' },
  scope: { type: 'string' },
  config: { type: 'string' },
  extender: { type: 'string' }
} as const
const own = { strict: { type: 'boolean' }, output: { type: 'string', short: 'o' } } as const

async function findingsIn(file: string, expected: Expected): Promise<readonly Finding[]> {
  try {
    return check(await readText(file, largest), expected)
  } catch (error) {
    // What the operating system refuses has a code; the rest is a bug.
    const isExpected = error instanceof UsageError || (error instanceof Error && 'code' in error)
    throw isExpected ? new UsageError(`${file}: ${reasonOf(error)}`) : error
  }
}

function counts(findings: readonly Finding[]): { readonly errors: number; readonly warnings: number } {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  return { errors, warnings: findings.length - errors }
}

const mostShown = 100

function text(file: string, findings: readonly Finding[]): string {
  const shown = findings.slice(0, mostShown).map(finding => `${line(file, finding)}\n`)
  const { errors, warnings } = counts(findings)
  const rest = findings.length > mostShown ? `${findings.length - mostShown} more are not shown.\n` : ''
  return `${shown.join('')}${rest}${file}: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}\n`
}

function line(file: string, { line, column, severity, rule, problem, why, fix }: Finding): string {
  return `${file}:${line}:${column}: ${severity}: ${problem}: ${why} (${rule})\n    fix: ${fix}`
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
