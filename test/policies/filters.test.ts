import t from 'tap'
import { muster, runFilters } from '../../policies/index.ts'
import { nodeAffinity } from '../../policies/node-affinity.ts'
import { nodePorts } from '../../policies/node-ports.ts'
import { nodeReady } from '../../policies/node-ready.ts'
import { nodeResources } from '../../policies/node-resources.ts'
import { nodeUnschedulable } from '../../policies/node-unschedulable.ts'
import { nodeInfo } from '../../policies/snapshot.ts'
import { taints } from '../../policies/taints.ts'
import type { NodeSelectorTerm } from '../../policies/types.ts'
import { node, pod, reasonOf } from '../builders.ts'

const [n, p] = [node('n').label('zone', 'a').label('gen', '7'), pod('p')]
const mismatch = "node(s) didn't match Pod's node affinity/selector"
const untolerated = 'node(s) had untolerated taint(s)'
const taken = "node(s) didn't have free ports for the requested pod ports"
const zone = (operator: string, ...values: string[]) => p.require({ key: 'zone', operator, values })
const gen = (operator: string, ...values: string[]) => p.require({ key: 'gen', operator, values })
const field = (operator: string, ...values: string[]): NodeSelectorTerm => ({
  matchExpressions: [],
  matchFields: [{ key: 'metadata.name', operator, values }]
})
const tainted = n.taint('k', 'v')
const notReady = 'node(s) were not ready'

type Case = {
  readonly pod: typeof p
  readonly node?: typeof n
  readonly standing?: readonly (typeof p)[]
  readonly want: string | undefined
}

const tables: Record<string, Record<string, Case>> = {
  NodeResources: {
    'room to the last millicore': { pod: p.cpu(4000), want: undefined },
    'one millicore too much': { pod: p.cpu(4001), want: 'Insufficient cpu' },
    'what others use is gone': { pod: p.cpu(3001), standing: [p.cpu(1000)], want: 'Insufficient cpu' },
    'zero asks for nothing, even on an overcommitted node': { pod: p.cpu(0), standing: [p.cpu(9000)], want: undefined },
    'an extended resource that the node lacks': { pod: p.request('x/gpu', 1), want: 'Insufficient x/gpu' },
    'an extended resource': { pod: p.request('x/gpu', 1), node: n.allocatable('x/gpu', 1), want: undefined },
    'ephemeral storage': { pod: p.request('ephemeral-storage', 1), want: 'Insufficient ephemeral-storage' },
    'no pod slot left': { pod: p, node: n.maxPods(1), standing: [pod('q')], want: 'Too many pods' },
    'what can never fit is told first': {
      pod: p.memory(65).cpu(2000),
      standing: [p.cpu(3000)],
      want: 'Insufficient memory'
    }
  },
  NodeAffinity: {
    'nothing required': { pod: p, want: undefined },
    selected: { pod: p.select('zone', 'a'), want: undefined },
    'not selected': { pod: p.select('zone', 'b'), want: mismatch },
    'selected in part': { pod: p.select('zone', 'a').select('other', ''), want: mismatch },
    In: { pod: zone('In', 'b', 'a'), want: undefined },
    'not In': { pod: zone('In', 'b'), want: mismatch },
    'In without values': { pod: zone('In'), want: mismatch },
    NotIn: { pod: zone('NotIn', 'b'), want: undefined },
    'NotIn with the value': { pod: zone('NotIn', 'a'), want: mismatch },
    'NotIn without the label': { pod: p.require({ key: 'other', operator: 'NotIn', values: ['a'] }), want: undefined },
    Exists: { pod: zone('Exists'), want: undefined },
    'Exists with values is invalid': { pod: zone('Exists', 'a'), want: mismatch },
    DoesNotExist: { pod: zone('DoesNotExist'), want: mismatch },
    'DoesNotExist without the label': {
      pod: p.require({ key: 'other', operator: 'DoesNotExist', values: [] }),
      want: undefined
    },
    Gt: { pod: gen('Gt', '6'), want: undefined },
    'Gt its own value': { pod: gen('Gt', '7'), want: mismatch },
    Lt: { pod: gen('Lt', '8'), want: undefined },
    'Lt its own value': { pod: gen('Lt', '7'), want: mismatch },
    'Gt what is no number': { pod: gen('Gt', '0x1'), want: mismatch },
    'Gt of a label that is no number': { pod: zone('Gt', '1'), want: mismatch },
    'Gt of a label that is absent': { pod: p.require({ key: 'other', operator: 'Gt', values: ['1'] }), want: mismatch },
    'Gt beyond 64 bits is invalid': { pod: gen('Gt', '-9223372036854775809'), want: mismatch },
    'Gt the least number': { pod: gen('Gt', '-9223372036854775808'), want: undefined },
    'Gt of two values': { pod: gen('Gt', '1', '2'), want: mismatch },
    'an unknown operator': { pod: zone('Near', 'a'), want: mismatch },
    'an empty term matches nothing': { pod: p.require(), want: mismatch },
    'terms are alternatives': {
      pod: zone('In', 'b').require({ key: 'gen', operator: 'Exists', values: [] }),
      want: undefined
    },
    'requirements of a term are not': {
      pod: p.require({ key: 'zone', operator: 'Exists', values: [] }, { key: 'zone', operator: 'In', values: ['b'] }),
      want: mismatch
    },
    'the selector holds as well': { pod: zone('In', 'a').select('zone', 'b'), want: mismatch },
    'by name': { pod: p.term(field('In', 'n')), want: undefined },
    'by another name': { pod: p.term(field('In', 'm')), want: mismatch },
    'not by name': { pod: p.term(field('NotIn', 'n')), want: mismatch },
    'by two names is invalid': { pod: p.term(field('In', 'n', 'm')), want: mismatch },
    'by another field': {
      pod: p.term({ matchExpressions: [], matchFields: [{ key: 'spec.x', operator: 'NotIn', values: ['y'] }] }),
      want: mismatch
    },
    'no terms at all': { pod: p.with({ shape: { ...p.obj().shape, affinity: [] } }), want: mismatch }
  },
  Taints: {
    'no taint': { pod: p, want: undefined },
    untolerated: { pod: p, node: tainted, want: untolerated },
    'PreferNoSchedule keeps nobody off': { pod: p, node: n.taint('k', 'v', 'PreferNoSchedule'), want: undefined },
    'NoExecute does': { pod: p, node: n.taint('k', 'v', 'NoExecute'), want: untolerated },
    'equal by default': { pod: p.tolerate({ key: 'k', value: 'v' }), node: tainted, want: undefined },
    'another value': { pod: p.tolerate({ key: 'k', operator: 'Equal', value: 'w' }), node: tainted, want: untolerated },
    'another key': { pod: p.tolerate({ key: 'l', operator: 'Exists' }), node: tainted, want: untolerated },
    'any value': { pod: p.tolerate({ key: 'k', operator: 'Exists' }), node: tainted, want: undefined },
    'any key': { pod: p.tolerate({ operator: 'Exists' }), node: tainted, want: undefined },
    'any key with that value': { pod: p.tolerate({ operator: 'Equal', value: 'v' }), node: tainted, want: undefined },
    'that effect': { pod: p.tolerate({ operator: 'Exists', effect: 'NoSchedule' }), node: tainted, want: undefined },
    'another effect': {
      pod: p.tolerate({ operator: 'Exists', effect: 'NoExecute' }),
      node: tainted,
      want: untolerated
    },
    'Gt is off by default': {
      pod: p.tolerate({ key: 'k', operator: 'Gt', value: '1' }),
      node: n.taint('k', '2'),
      want: untolerated
    },
    'each taint needs its toleration': {
      pod: p.tolerate({ key: 'k', operator: 'Exists' }),
      node: tainted.taint('l'),
      want: untolerated
    }
  },
  NodeUnschedulable: {
    cordoned: { pod: p, node: n.cordoned(), want: 'node(s) were unschedulable' },
    tolerated: {
      pod: p.tolerate({ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }),
      node: n.cordoned(),
      want: undefined
    },
    open: { pod: p, want: undefined }
  },
  NodeReady: {
    'not ready': { pod: p, node: n.notReady(), want: notReady },
    'tolerated NoExecute only, as every pod does': {
      pod: p.tolerate({ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }),
      node: n.notReady(),
      want: notReady
    },
    tolerated: {
      pod: p.tolerate({ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoSchedule' }),
      node: n.notReady(),
      want: undefined
    }
  },
  NodePorts: {
    free: { pod: p.port(80), standing: [p.port(81)], want: undefined },
    taken: { pod: p.port(80), standing: [p.port(80)], want: taken },
    'another protocol': { pod: p.port(80, 'UDP'), standing: [p.port(80)], want: undefined },
    'TCP by default': { pod: p.port(80, ''), standing: [p.port(80)], want: taken },
    'another address': { pod: p.port(80, 'TCP', '1.1.1.1'), standing: [p.port(80, 'TCP', '2.2.2.2')], want: undefined },
    'any address wanted': { pod: p.port(80, 'TCP', '0.0.0.0'), standing: [p.port(80, 'TCP', '2.2.2.2')], want: taken },
    'any address taken': { pod: p.port(80, 'TCP', '1.1.1.1'), standing: [p.port(80)], want: taken },
    'port 0 is no port': { pod: p.port(0), standing: [p.port(0)], want: undefined }
  }
}

for (const plugin of [nodeResources, nodeAffinity, taints, nodeUnschedulable, nodeReady, nodePorts]) {
  t.test(plugin.name, async t => {
    for (const [name, one] of Object.entries(tables[plugin.name]!)) {
      t.equal(reasonOf(plugin, one.pod, one.node ?? n, one.standing), one.want, name)
    }
  })
}

t.test('says whether an eviction may help', async t => {
  const codes = [p.cpu(4001), p.cpu(2000)].map(each => runFilters(muster.filters, each.obj().shape, crowded)?.code)
  t.strictSame(codes, ['UnschedulableAndUnresolvable', 'Unschedulable'])
  t.equal(runFilters(muster.filters, p.cpu(2000).obj().shape, crowded)?.plugin, 'NodeResources')
  t.equal(runFilters(muster.filters, p.cpu(1000).obj().shape, crowded), undefined)
})
const crowded = nodeInfo(n.obj(), [pod('q').cpu(3000).obj()])
