import { lookup as systemLookup } from 'node:dns/promises'
import type { LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { Agent, buildConnector } from 'undici'
import type { AddressRule } from './addresses.ts'

/** What a receiver answered. */
export type Answer = { readonly status: number; readonly retryAfter: string | undefined }

/** The way to one receiver. */
export interface Post {
  /** Throws where no answer came before the signal. Follows no redirect. */
  send(headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<Answer>
  close(): Promise<void>
}

/** Finds the addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

const systemResolve: Resolve = hostname => systemLookup(hostname, { all: true, verbatim: true })

/** Connections to one receiver; so many deliveries to it run at once. */
export const connections = 4
/** Of an answer's body nothing is read but what lets its connection be used again. */
const politeBytes = 16 * 1024

/**
 * Posts to that URL, and connects to no address that the rule refuses. The addresses that are judged are those that are
 * connected to: a name that resolves to something else in between gains nothing.
 */
export function guardedPost(url: string, rule: AddressRule, resolve: Resolve = systemResolve): Post {
  const { origin, pathname, search } = new URL(url)
  const connect = buildConnector({ timeout: 10_000, lookup: guardedLookup(rule, resolve) })
  const agent = new Agent({
    ...{ connections, pipelining: 1, allowH2: false, maxHeaderSize: 16 * 1024 },
    // Deadlines are the caller's, on the injected clock.
    ...{ headersTimeout: 0, bodyTimeout: 0 },
    connect: (options, callback) => {
      // Addresses are looked up nowhere.
      const host = options.hostname.replaceAll(/^\[|\]$/g, '')
      const problem = isIP(host) === 0 ? undefined : rule(host)
      if (problem === undefined) connect(options, callback)
      else callback(refused(problem), null)
    }
  })
  return {
    async send(headers, body, signal) {
      const path = pathname + search
      const sent = { origin, path, method: 'POST' as const, headers: { ...headers }, body, signal }
      const { statusCode, headers: said, body: rest } = await agent.request(sent)
      await rest.dump({ limit: politeBytes, signal }).catch(() => {})
      const retryAfter = said['retry-after']
      return { status: statusCode, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter }
    },
    close: () => agent.destroy()
  }
}

const refused = (problem: string): Error =>
  new Error(`${problem}, which webhooks may not reach unless it is allowed (allow, or --allow-private)`)

function guardedLookup(rule: AddressRule, resolve: Resolve): LookupFunction {
  const permitted = callbackify(async (hostname: string): Promise<LookupAddress[]> => {
    const addresses = [...(await resolve(hostname))]
    // One that is refused among others is an attempt to get through.
    const problem = addresses.map(({ address }) => rule(address)).find(each => each !== undefined)
    if (problem !== undefined) throw refused(`${hostname}: ${problem}`)
    if (addresses.length === 0) throw new Error(`${hostname} has no address`)
    return addresses
  })
  return (hostname, { all }, callback) =>
    permitted(hostname, (error, addresses) => {
      const [first] = addresses ?? []
      if (error) callback(error, all ? [] : '')
      else if (all) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family)
    })
}
