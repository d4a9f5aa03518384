import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { isPodWrite, isUngating, podWritten } from '../control-plane/api-proxy.ts'
import type { VerbCall } from '../control-plane/extender-proxy.ts'
import type { Lab } from '../control-plane/lab.ts'
import { gangKey } from '../control-plane/history.ts'
import { gangObjects, type NamedPod, podObject } from '../control-plane/objects.ts'
import { boundIn, gangIsBound, gangWaits, nothingIsHeld, openLab, scenario } from './scenario.ts'

const size = 64
const lab = await openLab(t)

if (lab) {
  scenario(t, lab, ['a gated pod makes one filter call, with one node, and no prioritize call'], async (t, ns) => {
    await lab.createNodes('node', size)
    await lab.createGang(ns, { name: 'counted', size, gated: true })
    await gangIsBound(lab, ns, 'counted', size)
    await nothingIsHeld(lab)
    const filters = perPod(lab.verbs.of('filter'))
    t.equal(filters.size, size, 'every member was asked for')
    t.strictSame(
      [...filters].filter(([, calls]) => calls.length !== 1),
      [],
      'once'
    )
    t.strictSame(
      lab.verbs.of('filter').filter(call => call.nodes.length !== 1),
      [],
      'with one node'
    )
    t.strictSame(lab.verbs.of('prioritize'), [], 'no prioritize call')
    checkWrites(t, lab, ns, 3)
  })

  scenario(t, lab, ['a pinned pod costs two writes, and one filter call with one node'], async (t, ns) => {
    await lab.createNodes('node', 20)
    const annotations = { 'muster.dev/pin': 'true' }
    await lab.createPods(ns, [
      ...gangObjects({ name: 'bare', size: 8, gated: true, annotations }),
      ...gangObjects({ name: 'narrowed', size: 8, gated: true, annotations }).map(withTerms)
    ])
    await gangIsBound(lab, ns, 'bare', 8)
    await gangIsBound(lab, ns, 'narrowed', 8)
    await nothingIsHeld(lab)
    const filters = lab.verbs.of('filter')
    t.strictSame([filters.length, perPod(filters).size], [16, 16], 'one filter call a pod')
    t.strictSame(
      filters.filter(call => call.nodes.length !== 1),
      [],
      'with one node'
    )
    const writes = lab.api.calls.filter(call => isPodWrite(call, ns) && podWritten(call) !== undefined)
    const made = [...Map.groupBy(writes, podWritten).values()].map(calls => calls.map(call => call.method).join(' '))
    t.strictSame(made, Array(16).fill('PATCH POST'), 'a pin and a binding, whoever writes')
    t.equal(writes.filter(isUngating).length, 16)
  })

  scenario(t, lab, ['an ungated pod makes at most three filter calls'], async (t, ns) => {
    await lab.createNodes('node', size)
    await lab.createGang(ns, { name: 'counted', size, gated: false })
    await gangIsBound(lab, ns, 'counted', size)
    await nothingIsHeld(lab)
    const filters = perPod(lab.verbs.of('filter'))
    t.strictSame(
      [...filters].filter(([, calls]) => calls.length > 3).map(([pod, calls]) => `${pod}: ${calls.length}`),
      [],
      'three at most'
    )
    checkWrites(t, lab, ns, 2)
  })

  scenario(t, lab, ['gated waiters make no filter call while 300 ordinary pods are bound'], async (t, ns) => {
    await lab.createNodes('node', 40, { slots: 10 })
    await lab.createGang(ns, { name: 'waiting', size: 401, gated: true })
    await gangWaits(lab, ns, 'waiting')
    await lab.createPods(
      ns,
      Array.from({ length: 300 }, (_, index) => podObject(`single-${index}`))
    )
    await lab.waitFor('all ordinary pods are bound', () => boundIn(lab, ns) === 300)
    t.strictSame(
      lab.verbs.of('filter', call => call.pod.startsWith(`${ns}/waiting-`)),
      [],
      'no filter call'
    )
  })

  scenario(t, lab, ['100 ungated gangs of 10: 3.2 calls a pod in the mean, none afterwards'], async (t, ns) => {
    await lab.createNodes('node', 1000)
    const names = Array.from({ length: 100 }, (_, index) => `gang-${index}`)
    await lab.createPods(
      ns,
      names.flatMap(name => gangObjects({ name, size: 10, gated: false }))
    )
    await lab.waitFor('all gangs are bound', () => boundIn(lab, ns) === 1000, 120_000)
    const calls = lab.verbs.calls.length
    const filters = lab.verbs.of('filter').length
    t.comment(`${filters} filter calls of ${calls} calls for 1000 pods`)
    t.ok(filters / 1000 <= 3.2, `${filters / 1000} filter calls a pod`)
    await sleep(30_000)
    t.equal(lab.verbs.calls.length, calls, 'no call in the 30 s after')
  })
}

/** Node affinity of its own, of every sort of term that a pin must leave as it is. */
function withTerms(pod: NamedPod): NamedPod {
  const matchExpressions = [
    { key: 'kubernetes.io/os', operator: 'In', values: ['linux', 'other'] },
    { key: 'kubernetes.io/hostname', operator: 'Exists' }
  ]
  const matchFields = [{ key: 'metadata.name', operator: 'NotIn', values: ['node-0'] }]
  const nodeSelectorTerms = [{ matchExpressions, matchFields }, {}, { matchFields }]
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } }
  return { ...pod, spec: { ...(pod['spec'] as object), affinity: { nodeAffinity } } }
}

function perPod(calls: readonly VerbCall[]): ReadonlyMap<string, readonly VerbCall[]> {
  return Map.groupBy(calls, call => call.pod)
}

/** No pod costs more writes than `limit`, plus one for each of its nominations that something else erased. */
function checkWrites(t: Test, lab: Lab, namespace: string, limit: number): void {
  const writes = Map.groupBy(
    lab.api.calls.filter(call => isPodWrite(call, namespace)),
    podWritten
  )
  const total = [...writes.values()].reduce((sum, calls) => sum + calls.length, 0)
  const erased = (name: string) => lab.history.erasedNominations(entry => entry.pod === `${namespace}/${name}`)
  const members = lab.podsIn(namespace).filter(pod => gangKey(pod) !== undefined)
  t.comment(`${total} writes for ${members.length} pods; ${lab.history.erasedNominations()} nominations erased`)
  const costly = members
    .map(pod => pod.metadata.name)
    .filter(name => (writes.get(name)?.length ?? 0) > limit + erased(name))
    .map(
      name =>
        `${name}: ${writes
          .get(name)
          ?.map(call => `${call.method} ${call.path} ${call.status}`)
          .join(', ')}`
    )
  t.strictSame(costly, [], `at most ${limit} writes a pod, plus one for each erased nomination`)
}
