import { request } from 'undici'

/** A sandbox that is ready answers at once; who does not is not waited for. */
const timeoutMs = 2_000

/** Posts its variables to a running sandbox, as `{"env": {…}}`. Answers the HTTP status; throws where no answer came. */
export async function postConfiguration(url: string, env: Readonly<Record<string, string>>): Promise<number> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ env }),
    signal: AbortSignal.timeout(timeoutMs)
  })
  await body.dump()
  return statusCode
}
