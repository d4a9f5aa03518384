import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { type ClusterOptions, type EmbeddedCluster, startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { untilTrue } from './until.ts'

/** Parsed JSON, of which a test knows what it is. */
export type Loose = ReturnType<typeof JSON.parse>
export type Answer = { readonly status: number; readonly body: Loose; readonly headers: Record<string, Loose> }
type Extra = { readonly type?: string; readonly headers?: Record<string, string> }

/** An API server over plain HTTP, and how to ask it. */
export type Rig = {
  readonly cluster: EmbeddedCluster
  /** The body: an object as JSON, text as it is. */
  readonly ask: (method: string, path: string, body?: object | string, extra?: Extra) => Promise<Answer>
  readonly get: (path: string, accept?: string) => Promise<Answer>
  /** The lines of a watch as they come. */
  readonly watch: (path: string, accept?: string) => Promise<Watch>
}

export type Watch = {
  readonly events: Loose[]
  readonly ended: () => boolean
  until(what: string, condition: (events: Loose[]) => boolean): Promise<Loose[]>
  close(): void
}

/** Starts one; it ends with the test. */
export async function rig(t: Test, options: ClusterOptions = {}): Promise<Rig> {
  const cluster = await startEmbeddedCluster({ tls: false, ...options })
  const dispatcher = new Agent({ connections: 200 })
  t.teardown(async () => {
    await dispatcher.destroy()
    await cluster.stop()
  })
  const ask: Rig['ask'] = async (method, path, body, { type, headers = {} } = {}) => {
    const typed = body === undefined ? {} : { 'content-type': type ?? 'application/json' }
    const text = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body
    const answer = await request(cluster.url + path, {
      dispatcher,
      method: method as 'GET',
      headers: { ...typed, ...headers },
      ...(text !== undefined && { body: text })
    })
    const said = await answer.body.text()
    const isJson = String(answer.headers['content-type']).startsWith('application/json')
    return { status: answer.statusCode, body: isJson ? JSON.parse(said) : said, headers: answer.headers }
  }
  const watch: Rig['watch'] = async (path, accept) => {
    const ending = new AbortController()
    const answer = await request(cluster.url + path, {
      ...{ dispatcher, signal: ending.signal },
      ...(accept !== undefined && { headers: { accept } })
    })
    const [events, state]: [Loose[], { ended: boolean; rest: string }] = [[], { ended: false, rest: '' }]
    const read = async () => {
      for await (const chunk of answer.body) {
        const lines = (state.rest + String(chunk)).split('\n')
        state.rest = lines.pop() ?? ''
        events.push(...lines.map(line => JSON.parse(line)))
      }
    }
    void read()
      .catch(() => {})
      .finally(() => {
        state.ended = true
      })
    return {
      events,
      ended: () => state.ended,
      close: () => ending.abort(),
      until: async (what, condition) => {
        await untilTrue(what, () => condition(events))
        return events
      }
    }
  }
  return {
    ...{ cluster, ask, watch },
    get: (path, accept) => ask('GET', path, undefined, accept === undefined ? {} : { headers: { accept } })
  }
}

export const configMap = (name: string, data: object = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', data },
  metadata: { name }
})

export const pod = (name: string, spec: object = {}): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: 'main', image: 'none' }], ...spec }
})

export const configMaps = '/api/v1/namespaces/default/configmaps'
export const pods = '/api/v1/namespaces/default/pods'
