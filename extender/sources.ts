import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { reasonOf, UsageError } from './errors.ts'
import { isOption, names, type OptionName, row } from './options.ts'

/** Where options come from, as texts; `key` is what users call that option there. */
export type Source = {
  readonly key: (name: OptionName) => string
  readonly values: ReadonlyMap<string, readonly string[]>
}

/** What the command line says, as `parse` finds it; throws UsageError, in the words of what `parse` has thrown. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new UsageError(`${reasonOf(error).split('. ')[0]}; see --help`)
  }
}

/** The flags of `serve`, for `parseArgs`. */
export const flags = Object.fromEntries(names.map(name => [name, { type: 'string', multiple: true } as const]))

export function fromFlags(args: readonly string[]): Source {
  const { values } = parsed(() => parseArgs({ args: [...args], options: flags, allowPositionals: false }))
  return {
    key: name => `flag --${name}`,
    values: new Map(Object.entries(values).map(([key, value]) => [key, value ?? []]))
  }
}

export function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Source {
  const values = new Map<string, string[]>()
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith('MUSTER_') || value === undefined || isForeign(key, value)) continue
    const name = names.find(each => variableOf(each) === key)
    if (!name) throw new UsageError(`environment variable ${key} is none of muster's; known are ${known(variableOf)}`)
    values.set(name, row(name).list ? value.split(',') : [value])
  }
  return { key: name => `environment variable ${variableOf(name)}`, values }
}

/**
 * MUSTER_SERVER is read by the commands that ask a running muster. The others are what the kubelet sets in every pod of
 * a namespace that has a Service named `muster` or `muster-…`.
 */
function isForeign(key: string, value: string): boolean {
  if (key === 'MUSTER_SERVER' || /_SERVICE_(HOST|PORT(_\w+)?)$/.test(key)) return true
  return (
    /_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?$/.test(key) || (key.endsWith('_PORT') && /^\w+:\/\//.test(value))
  )
}

export function fromFile(path: string): Source {
  const values = new Map<string, string[]>()
  for (const [name, value] of Object.entries(contentOf(path))) {
    const key = `${path}: key ${name}`
    if (!isOption(name) || name === 'config')
      throw new UsageError(`${key} is none of muster's; known are ${known(each => each)}`)
    const all: readonly unknown[] = row(name).list && Array.isArray(value) ? value : [value]
    values.set(
      name,
      all.map(each => scalar(each, key))
    )
  }
  return { key: name => `${path}: key ${name}`, values }
}

function contentOf(path: string): Record<string, unknown> {
  let content: unknown
  try {
    // A file of nothing but comments holds null.
    content = parse(readFileSync(path, 'utf8')) ?? {}
  } catch (error) {
    throw new UsageError(`cannot read the configuration file ${path}: ${reasonOf(error)}`)
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content }
  throw new UsageError(`the configuration file ${path} must hold keys and values`)
}

function scalar(value: unknown, key: string): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw new UsageError(`${key}: ${JSON.stringify(value)} must be a text`)
  return String(value)
}

function known(format: (name: OptionName) => string): string {
  return names.map(format).join(', ')
}

function variableOf(name: OptionName): string {
  return `MUSTER_${name.toUpperCase().replaceAll('-', '_')}`
}
