import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { reasonOf, UsageError } from '../../errors.ts'
import type { CloudEvent } from './cloud-event.ts'
import type { Log } from './log.ts'
import type { EventMetrics } from './metrics.ts'

/**
 * What a module of `--hook` exports as `onTerminated`. It is called once for each event, with an object of its own; calls
 * may overlap. What it throws is logged and counted, and nothing else: no event is told again for it.
 */
export type Hook = (event: CloudEvent) => Promise<void> | void
type NamedHook = { readonly name: string; readonly hook: Hook }

/** So many calls of one hook may be under way; while they are, events pass it by and are counted. */
const mostCalls = 100

export async function loadHooks(modules: readonly string[]): Promise<NamedHook[]> {
  return Promise.all(modules.map(async name => ({ name, hook: await loadHook(name) })))
}

async function loadHook(path: string): Promise<Hook> {
  const module = await importModule(path)
  if (typeof module.onTerminated !== 'function')
    throw new UsageError(`--hook: ${path} must export a function onTerminated`)
  return module.onTerminated as Hook
}

async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>
  } catch (error) {
    throw new UsageError(`--hook: ${path} cannot be loaded: ${reasonOf(error)}`)
  }
}

type Parts = { readonly hooks: readonly NamedHook[]; readonly log: Log; readonly metrics: EventMetrics }

/** The functions in this process that are told of each event. */
export class Hooks {
  readonly #parts: Parts
  readonly #underWay = new Map<NamedHook, number>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Calls each hook with the event; waits for none. */
  run(body: string): void {
    for (const each of this.#parts.hooks) void this.#call(each, body)
  }

  async #call(each: NamedHook, body: string): Promise<void> {
    const { log, metrics } = this.#parts
    const calls = this.#underWay.get(each) ?? 0
    if (calls >= mostCalls) return metrics.hooks.inc({ result: 'dropped' })
    this.#underWay.set(each, calls + 1)
    const result = await called(each.hook, JSON.parse(body) as CloudEvent)
    this.#underWay.set(each, (this.#underWay.get(each) ?? 1) - 1)
    metrics.hooks.inc({ result: result === undefined ? 'done' : 'failed' })
    if (result !== undefined) log.warn({ hook: each.name }, `a hook failed: ${result}`)
  }
}

async function called(hook: Hook, event: CloudEvent): Promise<string | undefined> {
  try {
    await hook(event)
    return undefined
  } catch (error) {
    return reasonOf(error) || 'it does not say why'
  }
}
