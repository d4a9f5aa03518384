import { request } from 'undici'
import { reasonOf } from '../../errors.ts'

/** What a running muster says of itself. */
export type Server = {
  readonly url: string
  /** Why it did not answer, if it did not. */
  readonly problem: string | undefined
  /** What `/readyz` says is missing. */
  readonly missing: readonly string[]
  readonly ready: boolean
  /** Samples of its metrics without labels, by name. */
  readonly samples: ReadonlyMap<string, number>
}

const patienceMs = 10_000
const most = { readyz: 64 * 1024, metrics: 4 * 1024 * 1024 }
const silent = { missing: [], ready: false, samples: new Map<string, number>() }

/** Asks for its health and its metrics; never throws. */
export async function askServer(url: string): Promise<Server> {
  try {
    const { status, text } = await read(`${url}/readyz`, most.readyz)
    const lines = text.split('\n').filter(line => /^\[[-+]\] /.test(line))
    if (lines.length === 0 || (status !== 200 && status !== 503))
      return { url, ...silent, problem: `it answers ${status}, but not as muster does` }
    const missing = lines.filter(line => line.startsWith('[-] ')).map(line => line.slice(4))
    return { url, problem: undefined, missing, ready: status === 200, samples: await samplesOf(url) }
  } catch (cause) {
    return { url, ...silent, problem: reasonOf(cause) }
  }
}

/** No more than so many bytes are read, whoever answers there. */
async function read(url: string, limit: number): Promise<{ readonly status: number; readonly text: string }> {
  const { statusCode, body } = await request(url, { headersTimeout: patienceMs, bodyTimeout: patienceMs })
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk as Uint8Array)
    length += (chunk as Uint8Array).length
    if (length > limit) throw new Error(`it answers ${url} with more than ${limit} bytes`)
  }
  return { status: statusCode, text: Buffer.concat(chunks).toString() }
}

async function samplesOf(url: string): Promise<ReadonlyMap<string, number>> {
  const { text } = await read(`${url}/metrics`, most.metrics)
  const found = [...text.matchAll(/^(muster_\w+) (-?[\d.e+-]+)$/gm)]
  return new Map(found.map(([, name = '', value]) => [name, Number(value)]))
}
