import type { LookupFunction } from 'node:net'
import { Agent, request } from 'undici'
import { reasonOf } from '../../errors.ts'

/** How a name is turned into addresses; that of the machine where it is missing. */
export type Lookup = LookupFunction | undefined

const patienceMs = 5_000
const mostBytes = 64 * 1024

/** What is answered there; throws one sentence where nothing is. */
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
    throw new Error(`cannot reach the sandbox at ${url}: ${reasonOf(error)}`, { cause: error })
  } finally {
    await agent.destroy()
  }
}

/** Whether nobody knows the name: it is new, or one of another cluster's. */
export function isUnknownName(error: unknown): boolean {
  const { code = '' } = error instanceof Error ? (error.cause as { readonly code?: string }) : {}
  return code === 'ENOTFOUND' || code === 'EAI_AGAIN'
}
