import { Agent, request } from 'undici'

/** Only asks local processes whether they are up, so whose certificate they show does not matter. */
const agent = new Agent({ connections: 1, pipelining: 0, allowH2: false, connect: { rejectUnauthorized: false } })

/** Whether a GET of `url` is answered with 200 within two seconds. */
export async function answers(url: string): Promise<boolean> {
  return (await fetchText(url)).status === 200
}

/** Status and text of a GET. */
export async function fetchText(url: string): Promise<{ status: number; text: string }> {
  const timeouts = { headersTimeout: 2_000, bodyTimeout: 2_000 }
  const { statusCode, body } = await request(url, { dispatcher: agent, ...timeouts })
  return { status: statusCode, text: await body.text() }
}
