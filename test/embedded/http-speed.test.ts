import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { pod, pods, rig } from './http-rig.ts'

/** As lean as a client can be, since it shares the core with the server. */
function post(agent: Agent, url: string, body: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const sent = request(url, { agent, method: 'POST', headers }, answer => {
      buffer(answer).then(() => resolve(answer.statusCode ?? 0), reject)
    })
    sent.on('error', reject)
    sent.end(text)
  })
}

t.test('one client creates pods over one connection', async t => {
  const { cluster } = await rig(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const url = cluster.url + pods
  for (let index = 0; index < 200; index++) await post(agent, url, pod(`warm-${index}`))
  const count = 1000
  const start = performance.now()
  const refused: number[] = []
  for (let index = 0; index < count; index++) {
    const status = await post(agent, url, pod(`p-${index}`))
    if (status !== 201) refused.push(status)
  }
  const perSecond = Math.round(count / ((performance.now() - start) / 1000))
  t.strictSame(refused, [])
  t.comment(`${perSecond} a second, client and server in one process`)
  t.ok(perSecond > 200, `${perSecond} a second; the limit here is wide, since other tests run beside`)
})
