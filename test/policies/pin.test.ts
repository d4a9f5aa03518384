import t from 'tap'
import { pinnedNode, pinnedTerms, shownNode } from '../../policies/pin.ts'
import { nodeAffinity } from '../../policies/node-affinity.ts'
import type { Requirement } from '../../policies/types.ts'
import { node, pod, type PodBuilder, reasonOf } from '../builders.ts'

const asks = pod('a').annotation('muster.dev/pin', 'true')
const zone: Requirement = { key: 'zone', operator: 'In', values: ['a'] }
const name = (operator: string, ...values: string[]): Requirement => ({ key: 'metadata.name', operator, values })
const pinned = (one: PodBuilder, to: string): PodBuilder => {
  const terms = pinnedTerms(one.obj().shape.affinity, to)
  return terms.reduce((made, term) => made.term(term), pod('a').annotation('muster.dev/pin', 'true'))
}

t.test('a pinned pod fits the node where it is pinned, if it fitted there before, and no other', async t => {
  const cases = {
    'without terms': { of: asks, fits: true },
    'one term that matches': { of: asks.require(zone), fits: true },
    'none that matches': { of: asks.require({ ...zone, values: ['b'] }), fits: false },
    'one of two': { of: asks.require({ ...zone, values: ['b'] }).require(zone), fits: true },
    'its owner keeps it off': {
      of: asks.term({ matchExpressions: [], matchFields: [name('NotIn', 'n')] }),
      fits: false
    },
    'a term that matches nothing': { of: asks.require(), fits: false }
  }
  for (const [what, { of, fits }] of Object.entries(cases)) {
    const on = (to: string) => reasonOf(nodeAffinity, pinned(of, 'n'), node(to).label('zone', 'a')) === undefined
    t.strictSame([on('n'), on('other')], [fits, false], what)
  }
})

t.test('to which node a pod is pinned is read from its terms', async t => {
  const owned = asks.term({ matchExpressions: [], matchFields: [name('In', 'own')] })
  const cases = {
    'no terms': { of: asks, want: undefined },
    'a pin alone': { of: pinned(asks, 'n'), want: 'n' },
    'a pin behind terms': { of: pinned(asks.require(zone).require(), 'n'), want: 'n' },
    'a pin behind the name that its owner wrote': { of: pinned(owned, 'n'), want: 'n' },
    'terms without a name': { of: asks.require(zone), want: undefined },
    'one term of two': { of: owned.require(zone), want: undefined },
    'terms that only match nothing': { of: asks.require(), want: undefined },
    'nobody has asked for a pin': { of: pinned(asks, 'n').with({ annotations: new Map() }), want: undefined }
  }
  for (const [what, { of, want }] of Object.entries(cases)) t.equal(pinnedNode(of.obj()), want, what)
})

t.test('the API shows where a pod is meant to go by its pin, else by its nomination', async t => {
  t.equal(shownNode(pinned(asks, 'n').nominated('other').obj()), 'n')
  t.equal(shownNode(asks.nominated('other').obj()), 'other')
  t.equal(shownNode(asks.obj()), undefined)
})
