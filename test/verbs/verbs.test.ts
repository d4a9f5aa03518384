import * as fc from 'fast-check'
import t from 'tap'
import { bind } from '../../extender/verbs/bind.ts'
import { filter } from '../../extender/verbs/filter.ts'
import type { Placement } from '../../extender/verbs/ports.ts'
import { preempt } from '../../extender/verbs/preempt.ts'
import { prioritize } from '../../extender/verbs/prioritize.ts'
import { BadRequest } from '../../extender/verbs/wire.ts'
import { refusals } from '../../policies/names.ts'
import { argsBody, bindBody, podJson, preemptBody } from './bodies.ts'
import { recorded } from './recording-gangs.ts'

const nodes = ['node-1', 'node-2', 'node-3']
const body = (text: string): Buffer => Buffer.from(text)
const { waiting, held } = refusals
const all = (reason: string, names = nodes): object => Object.fromEntries(names.map(name => [name, reason]))
const ordinary = (...barred: string[]): Placement => ({ kind: 'ordinary', bars: node => barred.includes(node) })

type Filtered = { names: readonly string[]; why: object | null; outcome: string }
const filters: Record<string, { next: Placement; names?: string[]; minor?: number; want: Filtered }> = {
  'an ordinary pod while nothing is held gets all that was offered': {
    next: { kind: 'ordinary', bars: undefined },
    want: { names: nodes, why: null, outcome: 'ok' }
  },
  'an ordinary pod gets all where no held room is in its way': {
    next: ordinary('elsewhere'),
    want: { names: nodes, why: null, outcome: 'ok' }
  },
  'an ordinary pod is kept off held room, and told so': {
    next: ordinary('node-1', 'node-3'),
    want: { names: ['node-2'], why: { 'node-1': held, 'node-3': held }, outcome: 'ok' }
  },
  'an ordinary pod with all room held gets none': {
    next: ordinary(...nodes),
    want: { names: [], why: all(held), outcome: 'unschedulable' }
  },
  'a planned member gets exactly its node': {
    next: { kind: 'planned', node: 'node-2' },
    want: { names: ['node-2'], why: null, outcome: 'ok' }
  },
  'a planned member gets no node that was not offered': {
    next: { kind: 'planned', node: 'node' },
    want: { names: [], why: { 'node-1': waiting }, outcome: 'unschedulable' }
  },
  'a waiting member gets none; one entry says why, since absent nodes count as unresolvable': {
    next: { kind: 'waiting' },
    want: { names: [], why: { 'node-1': waiting }, outcome: 'unschedulable' }
  },
  'a waiting member on an older cluster: every node says why': {
    next: { kind: 'waiting' },
    minor: 35,
    want: { names: [], why: all(waiting), outcome: 'unschedulable' }
  },
  'nothing offered, nothing answered': {
    next: { kind: 'planned', node: 'node-2' },
    names: [],
    want: { names: [], why: {}, outcome: 'unschedulable' }
  },
  'names with escapes are named as they came': {
    next: ordinary('c"d'),
    names: ['c"d', 'knoten-ä', '__proto__'],
    want: { names: ['knoten-ä', '__proto__'], why: { 'c"d': held }, outcome: 'ok' }
  }
}
for (const [name, { next, names = nodes, minor = 36, want }] of Object.entries(filters)) {
  t.test(name, async t => {
    const parts = recorded()
    parts.gangs.next = next
    parts.minor = minor
    const { outcome, json } = filter(body(argsBody(names)), parts)
    const answer = JSON.parse(json)
    t.strictSame({ names: answer.NodeNames, why: answer.FailedAndUnresolvableNodes, outcome }, want)
    t.equal(answer.Error, '')
    t.equal(answer.FailedNodes, null, 'nothing that kube-scheduler would preempt for')
    t.equal(filter(body(argsBody(names)), parts).json, json, 'same state, same answer')
  })
}

t.test('the request’s own bytes go back where nothing is held', async t => {
  const offered = Array.from({ length: 5000 }, (_, index) => `node-${index}`)
  const { json } = filter(body(argsBody(offered)), recorded())
  t.ok(json.includes(`"NodeNames":${JSON.stringify(offered)},`))
})

t.test('only a nominee that is not offered its planned node was refused in-tree', async t => {
  const parts = recorded()
  parts.gangs.next = { kind: 'planned', node: 'node-2' }
  filter(body(argsBody(['node-2'])), parts)
  t.strictSame(parts.gangs.refused, [], 'offered')
  filter(body(argsBody(['node-1'], { ...podJson, status: {} })), parts)
  filter(body(argsBody(['node-1'], { ...podJson, status: { nominatedNodeName: 'node-1' } })), parts)
  t.strictSame(parts.gangs.refused, [], 'not nominated for it')
  filter(body(argsBody(['node-1', 'node-3'])), parts)
  t.strictSame(parts.gangs.refused, [{ pod: 'worker-0', node: 'node-2', offered: ['node-1', 'node-3'] }])
})

t.test('filter names no node that was not offered', async () => {
  const name = fc.constantFrom<string>('a', 'b', 'node-1', 'node-10', 'node', 'a","b', '__proto__', 'ä', '')
  const placement: fc.Arbitrary<Placement> = fc.oneof(
    name.map((node): Placement => ({ kind: 'planned', node })),
    fc.array(name).map((barred): Placement => ({ kind: 'ordinary', bars: node => barred.includes(node) })),
    fc.constant<Placement>({ kind: 'waiting' }),
    fc.constant<Placement>({ kind: 'ordinary', bars: undefined })
  )
  fc.assert(
    fc.property(fc.array(name, { maxLength: 4 }), placement, (offered, next) => {
      const parts = recorded()
      parts.gangs.next = next
      const answer = JSON.parse(filter(body(argsBody(offered)), parts).json)
      const named = [...answer.NodeNames, ...Object.keys(answer.FailedAndUnresolvableNodes ?? {})]
      return named.every(each => offered.includes(each))
    }),
    { examples: [[['a', 'b'], { kind: 'planned', node: 'a","b' }]] }
  )
})

t.test('every offered node scores 0', async t => {
  t.equal(prioritize(body(argsBody(['a', 'b']))).json, '[{"Host":"a","Score":0},{"Host":"b","Score":0}]')
})

t.test('preempt narrows and adds nothing', async t => {
  const parts = recorded()
  parts.gangs.allowed = node => node !== 'node-1'
  const { json, outcome } = preempt(
    body(preemptBody({ 'node-1': ['u1'], 'node-2': ['u2', 'u3'], 'node-3': [] })),
    parts
  )
  t.equal(outcome, 'ok')
  t.strictSame(JSON.parse(json), {
    NodeNameToMetaVictims: {
      'node-2': { Pods: [{ UID: 'u2' }, { UID: 'u3' }], NumPDBViolations: 0 },
      'node-3': { Pods: [], NumPDBViolations: 0 }
    }
  })
  t.strictSame([...parts.gangs.candidates[0]!.entries()][1], ['node-2', ['u2', 'u3']])
})

t.test('preempt answers no null, whatever it is asked', async () => {
  const hostile = fc.constantFrom('n1', '__proto__', 'constructor', 'toString', '1', '\ud800')
  const value = fc.oneof(
    fc.record({
      Pods: fc.array(fc.record({ UID: fc.oneof(fc.string(), fc.constant(null)) })),
      NumPDBViolations: fc.nat()
    }),
    fc.jsonValue()
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(hostile, value), { maxLength: 4 }), entries => {
      const nodes = entries.map(([node, victims]) => `${JSON.stringify(node)}:${JSON.stringify(victims)}`)
      const text = `{"Pod":${JSON.stringify(podJson)},"NodeNameToMetaVictims":{${nodes.join(',')}}}`
      try {
        const { json } = preempt(body(text), recorded())
        return !json.includes('null')
      } catch (error) {
        return error instanceof BadRequest
      }
    })
  )
})

t.test('bind asks once and passes on what it hears', async t => {
  const parts = recorded()
  const { signal } = new AbortController()
  const { namespace, name, uid } = podJson.metadata
  const pod = { namespace, name, uid, node: 'node-2' }
  t.strictSame(await bind(body(bindBody()), parts, signal), { outcome: 'ok', json: '{"Error":""}', pod })
  t.match(parts.gangs.binds, [{ uid: podJson.metadata.uid, node: 'node-2' }])
  t.equal(parts.gangs.binds[0]!.signal, signal)
  parts.gangs.onBind = async () => 'the gang is not complete'
  t.strictSame(await bind(body(bindBody()), parts, signal), {
    outcome: 'error',
    json: '{"Error":"the gang is not complete"}',
    pod
  })
})

t.test('nothing is decided before the whole cluster has been seen', async t => {
  const parts = recorded()
  parts.isReady = false
  const text = 'muster has not seen the whole cluster yet'
  const filtered = filter(body(argsBody(nodes)), parts)
  t.equal(filtered.outcome, 'not_ready')
  t.match(JSON.parse(filtered.json), { NodeNames: null, Error: text })
  const bound = await bind(body(bindBody()), parts, new AbortController().signal)
  t.strictSame(bound, { outcome: 'not_ready', json: JSON.stringify({ Error: text }) })
  const preempted = preempt(body(preemptBody({ 'node-1': ['u1'] })), parts)
  t.strictSame(preempted, { outcome: 'not_ready', status: 503, json: JSON.stringify({ error: text }) })
  t.strictSame([parts.gangs.asked, parts.gangs.binds, parts.gangs.candidates], [[], [], []], 'nobody was asked')
  t.throws(() => filter(body('{'), parts), { name: 'BadRequest' }, 'what is wrong is wrong all the same')
})

const noPods: Record<string, { pod: object; want: RegExp }> = {
  'without metadata': { pod: {}, want: /^the field Pod is no pod: metadata.uid is missing$/ },
  'with a uid of the wrong type': { pod: { metadata: { uid: 7, name: 'p', namespace: 'ns' } }, want: /metadata.uid/ },
  'without a namespace': { pod: { metadata: { uid: 'u', name: 'p' } }, want: /metadata.namespace is missing/ }
}
for (const [name, { pod, want }] of Object.entries(noPods)) {
  t.test(`a pod ${name} is the caller's fault`, async t => {
    t.throws(() => filter(body(argsBody(nodes, pod)), recorded()), { name: 'BadRequest', message: want })
    t.throws(() => preempt(body(preemptBody({}, pod)), recorded()), { name: 'BadRequest', message: want })
  })
}

const odd: Record<string, string> = {
  'hostile keys': '{"__proto__":{"a":1},"constructor":{"prototype":1},"toString":1}',
  'numbers beyond all numbers':
    '{"priority":1e999,"containers":[{"resources":{"requests":{"cpu":1e999,"memory":"1e999"}}}]}',
  'lone surrogates': '{"nodeSelector":{"\\ud800":"\\udfff"},"schedulerName":"\\ud800"}',
  'wrong types': '{"containers":7,"initContainers":"x","tolerations":{},"schedulingGates":[1,null],"priority":"1"}'
}
for (const [name, spec] of Object.entries(odd)) {
  t.test(`a pod with ${name} is answered like any other`, async t => {
    const text = argsBody(nodes, { ...podJson, spec: 0 }).replace('"spec":0', `"spec":${spec}`)
    t.equal(filter(body(text), recorded()).outcome, 'ok')
    t.notOk('a' in {}, 'no prototype was touched')
  })
}

t.test('a pod nested 50,000 deep is answered', async t => {
  const lists = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
  const objects = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
  for (const deep of [lists, objects]) {
    const spec = `{"nodeSelector":${deep},"containers":${deep},"affinity":{"nodeAffinity":${deep}},"tolerations":${deep}}`
    const text = argsBody(nodes, { ...podJson, spec: 0 }).replace('"spec":0', `"spec":${spec}`)
    t.equal(filter(body(text), recorded()).outcome, 'ok')
  }
})

t.test('20,000 mutated bodies: an answer or a BadRequest, and nothing else', async t => {
  const parts = recorded()
  parts.gangs.next = ordinary('node-1')
  const verbs = [
    { text: argsBody(nodes), run: (each: Buffer) => filter(each, parts) },
    { text: argsBody(nodes), run: prioritize },
    { text: preemptBody({ 'node-1': ['u1'], 'node-2': [] }), run: (each: Buffer) => preempt(each, parts) },
    { text: bindBody(), run: (each: Buffer) => bind(each, parts, new AbortController().signal) }
  ]
  const tally = { answered: 0, bad: 0 }
  const share = fc.integer({ min: 0, max: 9_999 }).map(part => part / 10_000)
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('abz019"{}[],:')))
  const bytes = fc.array(fc.tuple(share, byte), {
    minLength: 1,
    maxLength: 4
  })
  const change = fc.tuple(
    fc.constantFrom(...verbs),
    bytes,
    share.map(part => part * 4)
  )
  await fc.assert(
    fc.asyncProperty(change, async ([{ text, run }, changes, length]) => {
      const mutant = Buffer.from(text)
      for (const [at, byte] of changes) mutant[Math.floor(at * mutant.length)] = byte
      try {
        const { json } = await run(mutant.subarray(0, Math.ceil(Math.min(1, length) * mutant.length)))
        JSON.parse(json)
        tally.answered += 1
      } catch (error) {
        if (!(error instanceof BadRequest)) throw error
        tally.bad += 1
      }
    }),
    { numRuns: 20_000 }
  )
  t.ok(tally.answered > 1000, `${tally.answered} were answered`)
  t.ok(tally.bad > 1000, `${tally.bad} were refused`)
})
