import type { LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import { reasonOf } from '../../errors.ts'

/** How a name is turned into addresses; that of the machine where it is missing. */
export type Lookup = LookupFunction | undefined

const patienceMs = 5_000
const mostBytes = 64 * 1024

/** What a sandbox answers at its own name; throws one sentence where it does not. */
export async function reach(url: string, lookup: Lookup): Promise<string> {
  const agent = new Agent({
    connect: { timeout: patienceMs, ...(lookup && { lookup }) },
    ...{ headersTimeout: patienceMs, bodyTimeout: patienceMs, maxResponseSize: mostBytes }
  })
  try {
    const { statusCode, body } = await request(url, { dispatcher: agent })
    const text = await body.text()
    if (statusCode === 200) return text.trim()
    throw new Error(`it answers ${statusCode}`)
  } catch (error) {
    throw new Error(`cannot reach the sandbox at ${url}: ${reasonOf(error)}${hint(error)}`, { cause: error })
  } finally {
    await agent.destroy()
  }
}

/** The names of Services are known inside of their cluster only. */
function hint(error: unknown): string {
  const { code = '' } = error as { readonly code?: string }
  return ['ENOTFOUND', 'EAI_AGAIN'].includes(code)
    ? '; its name is known inside of its cluster: run the client there, or reach it through the activator'
    : ''
}
