import { env } from 'node:process'
import { startMock } from './server.ts'

/** The part of what a container of the embedded cluster is called with that the mock sandbox uses. */
type Given = {
  readonly api: { readonly self: { readonly name: string; readonly podIP: string }; ready(ready: boolean): void }
  readonly params: { readonly port?: number }
  readonly signal: AbortSignal
}

const usualPort = 8080
const graceMs = 2_000

/** The mock sandbox as a pod of the embedded cluster: it answers on the pod's own loopback address. */
export async function worker({ api, params, signal }: Given): Promise<void> {
  // Ready once it listens, and not before.
  api.ready(false)
  const { podIP: host, name } = api.self
  const mock = await startMock({ host, name, env, port: params.port ?? usualPort, log: line => console.log(line) })
  api.ready(true)
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  await mock.stop(graceMs)
}
