import * as fc from 'fast-check'
import t from 'tap'
import { RawNames } from '../../extender/verbs/node-names.ts'
import {
  BadRequest,
  bindResult,
  filterError,
  filterResult,
  hostPriorities,
  preemptResult,
  readArgs,
  readBind,
  readPreempt
} from '../../extender/verbs/wire.ts'
import { argsBody, bindBody, podJson, preemptBody } from './bodies.ts'

const nodes = ['node-1', 'node-2', 'rack7.example.com']

/** What a reader answered, in a form that compares; `bad` where it refused. */
function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof BadRequest) return 'bad'
    throw error
  }
}

const fast = (body: string | Buffer): unknown =>
  outcome(() => {
    const { pod, names } = readArgs(Buffer.from(body))
    return { pod, names: names.list(), json: JSON.parse(names.json) as unknown }
  })

const isObject = (each: unknown): boolean => typeof each === 'object' && each !== null && !Array.isArray(each)

/** The same by JSON.parse alone: what readArgs must never differ from. */
function plain(body: string | Buffer): unknown {
  let value: { Pod?: unknown; NodeNames?: unknown } | null
  try {
    value = JSON.parse(Buffer.from(body).toString())
  } catch {
    return 'bad'
  }
  const names = value?.NodeNames
  if (!isObject(value) || !isObject(value?.Pod) || !Array.isArray(names)) return 'bad'
  if (!names.every(name => typeof name === 'string')) return 'bad'
  return { pod: value?.Pod, names, json: names }
}

t.test('every answer is the JSON that Go decodes, byte for byte', async t => {
  t.equal(
    filterResult('["node-2"]', undefined),
    '{"Nodes":null,"NodeNames":["node-2"],"FailedNodes":null,"FailedAndUnresolvableNodes":null,"Error":""}'
  )
  t.equal(
    filterResult('[]', { 'node-1': 'why' }),
    '{"Nodes":null,"NodeNames":[],"FailedNodes":null,"FailedAndUnresolvableNodes":{"node-1":"why"},"Error":""}'
  )
  t.equal(
    filterError('why'),
    '{"Nodes":null,"NodeNames":null,"FailedNodes":null,"FailedAndUnresolvableNodes":null,"Error":"why"}'
  )
  t.equal(hostPriorities([{ host: 'node-2', score: 10 }]), '[{"Host":"node-2","Score":10}]')
  t.equal(hostPriorities([]), '[]')
  t.equal(bindResult(''), '{"Error":""}')
  t.equal(bindResult('a "quoted" why'), '{"Error":"a \\"quoted\\" why"}')
  t.equal(
    preemptResult(new Map([['node-1', { uids: ['u1', 'u2'], pdbViolations: 1 }]])),
    '{"NodeNameToMetaVictims":{"node-1":{"Pods":[{"UID":"u1"},{"UID":"u2"}],"NumPDBViolations":1}}}'
  )
  t.equal(preemptResult(new Map()), '{"NodeNameToMetaVictims":{}}')
  t.equal(
    preemptResult(new Map([['__proto__', { uids: [], pdbViolations: 0 }]])),
    '{"NodeNameToMetaVictims":{"__proto__":{"Pods":[],"NumPDBViolations":0}}}'
  )
})

const wholePods = (...uids: string[]): object => ({ Pods: uids.map(uid => ({ metadata: { uid } })) })

t.test('every request is read as Go writes it', async t => {
  t.strictSame(readArgs(Buffer.from(argsBody(nodes))).pod, podJson)
  t.strictSame(readArgs(Buffer.from(argsBody(nodes))).names.list(), nodes)
  t.strictSame(readArgs(Buffer.from(argsBody([]))).names.list(), [])
  const { name, namespace, uid } = podJson.metadata
  t.strictSame(readBind(Buffer.from(bindBody())), { namespace, name, uid, node: 'node-2' })

  const meta = readPreempt(Buffer.from(preemptBody({ 'node-1': ['u1', 'u2'], 'node-2': [] })))
  const want = [
    ['node-1', { uids: ['u1', 'u2'], pdbViolations: 0 }],
    ['node-2', { uids: [], pdbViolations: 0 }]
  ]
  t.strictSame([...meta.candidates], want)
  const victims = { 'node-1': wholePods('u1', 'u2'), 'node-2': { Pods: null, NumPDBViolations: 0 } }
  const whole = { Pod: podJson, NodeNameToVictims: victims, NodeNameToMetaVictims: null }
  t.strictSame([...readPreempt(Buffer.from(JSON.stringify(whole))).candidates], want)
})

t.test('the names of a real request are not parsed', async t => {
  for (const body of [argsBody(nodes), argsBody([]), `${argsBody(nodes)}\n`, argsBody(nodes.slice(0, 1))])
    t.ok(readArgs(Buffer.from(body)).names instanceof RawNames)
  const { names } = readArgs(Buffer.from(argsBody(nodes)))
  t.strictSame(
    [...nodes, 'node', 'ode-1', 'example.com', ''].map(name => names.has(name)),
    [true, true, true, false, false, false, false]
  )
})

const pod = '{"metadata":{"name":"p"}}'
const tricky: Record<string, string> = {
  'another order of keys': `{"NodeNames":["a"],"Nodes":null,"Pod":${pod}}`,
  'the names before the nodes': `{"Pod":${pod},"NodeNames":["a"],"Nodes":null}`,
  'blanks everywhere': ` { "Pod" : ${pod} , "NodeNames" : [ "a" , "b" ] } \r\n\t`,
  'blanks between the names': `{"Pod":${pod},"NodeNames":["a", "b"]}`,
  'blanks before the end': `{"Pod":${pod},"NodeNames":["a","b"] }`,
  'an escape in a name': `{"Pod":${pod},"NodeNames":["a\\u002db","c\\"d"]}`,
  'another alphabet in a name': `{"Pod":${pod},"NodeNames":["knoten-ä","\u{1f600}"]}`,
  'a lone surrogate in a name': `{"Pod":${pod},"NodeNames":["\\ud800"]}`,
  'an empty name': `{"Pod":${pod},"NodeNames":[""]}`,
  'a comma too much': `{"Pod":${pod},"NodeNames":["a",]}`,
  'only a comma': `{"Pod":${pod},"NodeNames":[,]}`,
  'a comma too few': `{"Pod":${pod},"NodeNames":["a""b"]}`,
  'a list of numbers': `{"Pod":${pod},"NodeNames":[1,2]}`,
  'names and a null': `{"Pod":${pod},"NodeNames":["a",null]}`,
  'a list in the list': `{"Pod":${pod},"NodeNames":[["a"]]}`,
  'no names': `{"Pod":${pod},"NodeNames":null}`,
  'the names twice': `{"NodeNames":["a"],"Pod":${pod},"NodeNames":["b"]}`,
  'the names twice, the last time none': `{"NodeNames":["a"],"Pod":${pod},"NodeNames":null}`,
  'the names twice, the first time none': `{"NodeNames":7,"Pod":${pod},"NodeNames":["b"]}`,
  'the pod twice': `{"Pod":${pod},"Pod":{"metadata":{"name":"q"}},"NodeNames":["a"]}`,
  'the pod after the names': `{"NodeNames":["a"],"Pod":${pod}}`,
  'no pod': '{"NodeNames":["a"]}',
  'a pod that is null': '{"Pod":null,"NodeNames":["a"]}',
  'a pod that is a list': '{"Pod":[],"NodeNames":["a"]}',
  'a pod with names of its own': `{"Pod":{"NodeNames":["a"]}}`,
  'a pod with names of its own, and none outside': `{"Pod":{"NodeNames":["a"]},"NodeNames":null}`,
  'nodes with names of their own': `{"Pod":${pod},"Nodes":{"NodeNames":["a"]}}`,
  'names in an annotation': JSON.stringify({
    Pod: { metadata: { annotations: { a: '"NodeNames":["x"]}' } } },
    NodeNames: ['a']
  }),
  'names only in an annotation': JSON.stringify({ Pod: { metadata: { annotations: { a: '"NodeNames":["x"]}' } } } }),
  'a key that ends like the names': `{"Pod":${pod},"x\\"NodeNames":["a"]}`,
  'no names, and a key that ends like them': `{"NodeNames":null,"Pod":${pod},"x\\"NodeNames":["a"]}`,
  'names, and a key that ends like them': `{"NodeNames":["b"],"Pod":${pod},"x\\"NodeNames":["a"]}`,
  'a key that ends in a backslash': `{"Pod":${pod},"x\\\\"NodeNames":["a"]}`,
  'more behind the end': `{"Pod":${pod},"NodeNames":["a"]}x`,
  'a second body behind the end': `{"Pod":${pod},"NodeNames":["a"]}{"Pod":${pod},"NodeNames":["b"]}`,
  'a brace too much': `{"Pod":${pod},"NodeNames":["a"]}}`,
  'a blank of no JSON behind the end': `{"Pod":${pod},"NodeNames":["a"]}\u00a0`,
  'a vertical tab behind the end': `{"Pod":${pod},"NodeNames":["a"]}\v`,
  'a byte order mark in front': `\ufeff{"Pod":${pod},"NodeNames":["a"]}`,
  'a list around it': `[{"Pod":${pod},"NodeNames":["a"]}]`,
  'the end of an object without its beginning': '"NodeNames":["a"]}',
  'a key without its object': `{"Pod":${pod},"X":["NodeNames":["a"]}`,
  'hostile keys': `{"__proto__":{"Pod":{}},"constructor":1,"Pod":{"__proto__":{"x":1}},"NodeNames":["__proto__"]}`,
  'hostile keys alone': `{"__proto__":{"Pod":{},"NodeNames":["a"]}}`,
  'a number beyond all numbers': `{"Pod":{"spec":{"priority":1e999}},"NodeNames":["a"]}`,
  'nothing but the key': '"NodeNames":['
}
for (const [name, body] of Object.entries(tricky)) {
  t.test(`fast reader and JSON.parse agree about ${name}`, async t => {
    t.strictSame(fast(body), plain(body))
    const latin = Buffer.from(body, 'latin1')
    t.strictSame(fast(latin), plain(latin), 'and about its bytes, were they no UTF-8')
  })
}

/** Pieces that mean something to one of the two readers. */
const piece = fc.constantFrom(
  ...['"NodeNames":[', '"NodeNames"', ',"NodeNames":["q"]', ']}', '}', ']', '{', '[', '"', ',', ':', '\\', '\\"', ' '],
  ...['"a"', 'null', '\n', '\u00a0', '\v', 'é', '\\ud800', '1e999', '"Pod":{},', '"__proto__":{},', '\u0000', '\ufeff']
)
/** Evenly from 0 to 1, as a double of fast-check is not. */
const share = fc.integer({ min: 0, max: 9_999 }).map(part => part / 10_000)
type Cut = { readonly at: number; readonly drop: number; readonly put: string }
const cut = fc.record<Cut>({ at: share, drop: fc.nat(6), put: piece })

/** At most three changes, half of them near the end, where the names are. */
const mutated = fc
  .record({
    names: fc.array(fc.constantFrom('a', 'node-1', 'n.b', 'ä', 'c"d', ''), { maxLength: 3 }),
    cuts: fc.array(cut, { maxLength: 3 }),
    keep: share
  })
  .map(({ names, cuts, keep }) => {
    let body = argsBody(names)
    for (const { at, drop, put } of cuts) {
      const from = Math.floor(body.length * (at < 0.5 ? at * 2 : 1 - (at - 0.5) * 0.1))
      body = body.slice(0, from) + put + body.slice(from + drop)
    }
    // One in four is truncated.
    return keep < 0.25 ? body.slice(0, Math.floor(body.length * keep * 4)) : body
  })

t.test('fast reader and JSON.parse agree about every mutation of a real body', async t => {
  const taken = { read: 0, refused: 0 }
  fc.assert(
    fc.property(mutated, body => {
      if (JSON.stringify(fast(body)) !== JSON.stringify(plain(body))) t.fail(body)
      taken[fast(body) === 'bad' ? 'refused' : 'read'] += 1
    }),
    { numRuns: 5000 }
  )
  t.ok(taken.read > 500 && taken.refused > 500, JSON.stringify(taken))
  // What random cuts seldom hit: the names' own place.
  const [head = '', tail = ''] = argsBody(['a', 'b'], {}).split('["a"')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 4 }), fc.array(piece, { maxLength: 3 }), (left, right) => {
      const body = `${head}${left.join('')}["a"${tail}${right.join('')}`
      if (JSON.stringify(fast(body)) !== JSON.stringify(plain(body))) t.fail(body)
    }),
    { numRuns: 5000 }
  )
})

const refused: Record<string, { read: (body: Buffer) => unknown; body: string; want: string }> = {
  'an empty body': { read: readArgs, body: '', want: 'the body is empty' },
  'a truncated body': { read: readArgs, body: argsBody(nodes).slice(0, -9), want: 'the body is not JSON' },
  'a list': { read: readArgs, body: '[]', want: 'the body must be a JSON object' },
  'a request without a pod': {
    read: readArgs,
    body: '{"NodeNames":[]}',
    want: 'the field Pod must be an object'
  },
  'whole nodes': {
    read: readArgs,
    body: '{"Pod":{},"Nodes":{"items":[]},"NodeNames":null}',
    want: 'the request carries whole nodes; set nodeCacheCapable: true for this extender'
  },
  'neither nodes nor names': {
    read: readArgs,
    body: '{"Pod":{},"Nodes":null,"NodeNames":null}',
    want: 'the field NodeNames must be a list of node names'
  },
  'a binding without a node': {
    read: readBind,
    body: bindBody({ Node: '' }),
    want: 'the field Node must be a non-empty string'
  },
  'a binding with a uid of the wrong type': {
    read: readBind,
    body: bindBody({ PodUID: 7 }),
    want: 'the field PodUID must be a non-empty string'
  },
  'a binding whose fields are inherited': {
    read: readBind,
    body: `{"__proto__":${bindBody()}}`,
    want: 'the field PodNamespace must be a non-empty string'
  },
  'preemption without candidates': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToVictims":null,"NodeNameToMetaVictims":null}',
    want: 'the field NodeNameToMetaVictims must be an object of nodes and their victims'
  },
  'candidates in a list': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToMetaVictims":[]}',
    want: 'the field NodeNameToMetaVictims must be an object of nodes and their victims'
  },
  'a candidate that is null': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToMetaVictims":{"n\\"1":null}}',
    want: 'the victims of node "n\\"1" must be an object'
  },
  'victims that are no list': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToMetaVictims":{"n1":{"Pods":{}}}}',
    want: 'the victims of node "n1" must be a list'
  },
  'a victim that is null': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToMetaVictims":{"n1":{"Pods":[null]}}}',
    want: 'each victim must have a uid'
  },
  'a victim without a uid': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToMetaVictims":{"n1":{"Pods":[{"UID":""}]}}}',
    want: 'each victim must have a uid'
  },
  'a number of violations beyond all numbers': {
    read: readPreempt,
    body: '{"Pod":{},"NodeNameToMetaVictims":{"n1":{"Pods":[],"NumPDBViolations":1e999}}}',
    want: 'NumPDBViolations of node "n1" must be an integer'
  }
}
for (const [name, { read, body, want }] of Object.entries(refused)) {
  t.test(`${name} is refused in one sentence`, async t => {
    t.throws(() => read(Buffer.from(body)), { name: 'BadRequest', statusCode: 400, message: want })
  })
}
