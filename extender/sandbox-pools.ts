import { UsageError } from './errors.ts'
import type { PoolSize } from './sandboxes/scheduler/ports.ts'
import type { Template } from './sandboxes/scheduler/templates.ts'

/** What sandboxes are made from, and what stands ready ahead of need. */
export type PoolOptions = {
  /** Pod templates by name, beside `default` or in its place. */
  readonly templates?: Readonly<Record<string, Template>>
  /** So many running pods of a template stand ready, by its name. */
  readonly warmPool?: Readonly<Record<string, number>>
  /** So many pods of a template that do nothing keep room, by its name. */
  readonly placeholders?: Readonly<Record<string, number>>
}

const most = 10_000
const flags = { warm: '--warm-pool', placeholder: '--placeholders' } as const

/** The pools that were asked for. Throws UsageError where one cannot be. */
export function poolsOf({ templates = {}, warmPool = {}, placeholders = {} }: PoolOptions): readonly PoolSize[] {
  const known = ['default', ...Object.keys(templates)]
  const of = (way: PoolSize['way'], sizes: Readonly<Record<string, number>>): readonly PoolSize[] =>
    Object.entries(sizes).map(([template, size]) => checked({ way, template, size }, known))
  return [...of('warm', warmPool), ...of('placeholder', placeholders)]
}

/** Names of templates become names of pods. */
function checked(pool: PoolSize, known: readonly string[]): PoolSize {
  const { way, template, size } = pool
  const flag = flags[way]
  if (!known.includes(template))
    throw new UsageError(`${flag}: there is no template ${JSON.stringify(template)}; known are ${known.join(', ')}`)
  if (!/^[a-z0-9]([a-z0-9-]{0,39}[a-z0-9])?$/.test(template))
    throw new UsageError(`${flag}: template ${JSON.stringify(template)} must be a DNS label of up to 41 characters`)
  if (!Number.isInteger(size) || size < 0 || size > most)
    throw new UsageError(`${flag}: ${template}=${size} must be a whole number from 0 to ${most}`)
  return pool
}
