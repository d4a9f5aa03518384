import t, { type Test } from 'tap'
import { argsBody, bindBody, podJson, preemptBody } from './verbs/bodies.ts'
import { type Client, http1, http2, pki, type Wire, wire } from './wire.ts'

const authority = pki()
const depth = 50_000
const lists = `${'['.repeat(depth)}${']'.repeat(depth)}`
const objects = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

/** A pod whose spec and annotations are this JSON. */
const withPod = (json: string, make: (pod: object) => string): string => {
  const { annotations: _, ...metadata } = podJson.metadata
  const pod = { ...podJson, metadata: { ...metadata, annotations: 0 }, spec: 0 }
  return make(pod).replace('"annotations":0', `"annotations":${json}`).replace('"spec":0', `"spec":${json}`)
}
const deepSpec = (deep: string): string =>
  `{"nodeSelector":${deep},"containers":[{"resources":${deep},"ports":${deep}}],"affinity":${deep},"tolerations":${deep},"overhead":${deep}}`

/** JSON of a tenant: whatever it holds, its pods are answered like any other's. */
const hostile: Record<string, string> = {
  'keys of every object': '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}',
  'the same key twice': '{"schedulerName":"muster","schedulerName":7,"priority":1,"priority":{}}',
  'numbers beyond all numbers':
    '{"priority":1e999,"containers":[{"resources":{"requests":{"cpu":1e999,"memory":-1e999}}}]}',
  'lone surrogates': '{"muster.dev/gang":"\\ud800","nodeSelector":{"\\udfff":"\\ud800"}}',
  'a text of zeros': `{"muster.dev/gang":"${'\\u0000'.repeat(1000)}","pod-group":"\\u0000"}`,
  'lists in lists': lists,
  'objects in objects': objects,
  'lists in each field': deepSpec(lists),
  'objects in each field': deepSpec(objects)
}

/** Bodies that are refused with 400, whatever the verb. */
const refused: Record<string, string | Uint8Array> = {
  'nothing but depth': '['.repeat(depth),
  'a whole nest': lists,
  'bytes that are no UTF-8': Uint8Array.from([0x7b, 0xff, 0xfe, 0x22]),
  'a byte order mark': '\ufeff{}',
  'two documents': '{}{}',
  'no identity at all': '{"__proto__":{"Pod":{},"PodUID":"a","Node":"n"}}'
}

const ways: Record<string, (t: Test) => Promise<{ server: Wire; client: Client }>> = {
  'HTTP/1.1': async t => {
    const server = await wire(t)
    return { server, client: http1(t, server) }
  },
  ...(authority && {
    'HTTP/2': async t => {
      const server = await wire(t, { authority })
      return { server, client: await http2(t, server) }
    }
  })
}

for (const [way, open] of Object.entries(ways)) {
  for (const [name, json] of Object.entries(hostile)) {
    t.test(`${way}: a pod with ${name} is answered by each verb`, async t => {
      const { server, client } = await open(t)
      const bodies = {
        '/filter': withPod(json, pod => argsBody(['node-1', '__proto__'], pod)),
        '/prioritize': withPod(json, pod => argsBody(['node-1'], pod)),
        '/preempt': withPod(json, pod => preemptBody({ 'node-1': ['u1'], constructor: ['u2'] }, pod)),
        '/bind': bindBody({ Extra: 0 }).replace('"Extra":0', `"Extra":${json},"__proto__":${json}`)
      }
      for (const [path, body] of Object.entries(bodies)) {
        const { status, text } = await client.call(path, body.length > 60_000 && path === '/bind' ? bindBody() : body)
        t.equal(status, 200, path)
        JSON.parse(text)
      }
      t.notOk('polluted' in {}, 'no prototype was touched')
      t.strictSame(
        server.lines.filter(({ level }) => level > 30),
        []
      )
      t.match(await client.call('/livez'), { status: 200 })
    })
  }

  t.test(`${way}: what is no request is refused in one sentence`, async t => {
    const { server, client } = await open(t)
    for (const [name, body] of Object.entries(refused)) {
      for (const path of ['/filter', '/prioritize', '/preempt', '/bind']) {
        const { status, text } = await client.call(path, body as string)
        t.ok(status === 400 || (status === 413 && path === '/bind'), `${name} at ${path}: ${status}`)
        t.strictSame(Object.keys(JSON.parse(text)), ['error'])
      }
    }
    t.strictSame([server.verbs.gangs.asked, server.verbs.gangs.binds], [[], []], 'nobody was asked')
    t.strictSame(
      server.lines.filter(({ level }) => level > 30),
      []
    )
  })

  t.test(`${way}: the last of two keys counts, as in Go`, async t => {
    const { server, client } = await open(t)
    await client.call('/bind', bindBody().replace('{', '{"Node":"first",'))
    t.match(server.verbs.gangs.binds, [{ node: 'node-2' }])
    const { text } = await client.call('/filter', argsBody(['a']).replace('{', '{"NodeNames":["first"],'))
    t.match(JSON.parse(text), { NodeNames: ['a'] })
  })
}
