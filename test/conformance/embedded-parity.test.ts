import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { VerbCall } from '../control-plane/extender-proxy.ts'
import { gangObjects, isBound, type NodeOptions, podObject } from '../control-plane/objects.ts'
import { addNodes, addPods, type Arena, clear, embeddedArena, realArena } from './arena.ts'
import { openLab } from './scenario.ts'

/**
 * The same scenarios on the embedded loop and on the real kube-scheduler, with the real muster between: pod by pod the
 * extender calls must be the same. Left out are the choice among equal nodes, the interleaving of pods, and how often
 * something was tried again.
 */
type Scenario = {
  readonly nodes: number
  readonly node?: NodeOptions
  run(stage: Stage): Promise<void>
  /** Pods whose condition must be told in the same words. */
  readonly told?: readonly string[]
  /** Who comes while a gang is planned may or may not meet a refusal, at filter or at bind, and see a nomination or not. */
  readonly races?: boolean
}

type Stage = Arena & {
  readonly ns: string
  create(...pods: Parameters<typeof addPods>[2]): Promise<void>
  patch(pod: string, patch: object, subresource?: 'status'): Promise<void>
  /** Waits until those pods have nodes. */
  bound(...pods: string[]): Promise<void>
  /** Waits until those pods were refused, and nothing happens any more. */
  refused(...pods: string[]): Promise<void>
  until(what: string, condition: () => boolean): Promise<void>
}

const members = (gang: string, size: number) => Array.from({ length: size }, (_, index) => `${gang}-${index}`)
const gate = ['test/wait']
const classes = { low: 1, high: 1_000 }

const scenarios: Record<string, Scenario> = {
  'an ordinary pod': {
    nodes: 3,
    run: async stage => {
      await stage.create(podObject('p'))
      await stage.bound('p')
    }
  },
  'a pod that fits nowhere': {
    nodes: 3,
    told: ['large', 'choosy'],
    run: async stage => {
      await stage.create(
        podObject('large', { cpu: '64', memory: '1Ti' }),
        podObject('choosy', { nodeSelector: { no: 'way' } })
      )
      await stage.refused('large', 'choosy')
    }
  },
  'a full cluster': {
    nodes: 2,
    told: ['c'],
    run: async stage => {
      await stage.create(podObject('a'), podObject('b'))
      await stage.bound('a', 'b')
      await stage.create(podObject('c'))
      await stage.refused('c')
    }
  },
  'room that appears': {
    nodes: 1,
    run: async stage => {
      await stage.create(podObject('a'))
      await stage.bound('a')
      await stage.create(podObject('b'))
      await stage.refused('b')
      await stage.client.delete(`/api/v1/namespaces/${stage.ns}/pods/a`)
      await stage.bound('b')
    }
  },
  'a gang of 8 behind gates': {
    nodes: 8,
    run: async stage => {
      await stage.create(...gangObjects({ name: 'gang', size: 8, gated: true }))
      await stage.bound(...members('gang', 8))
    }
  },
  'a gang of 8 without gates': {
    nodes: 8,
    races: true,
    run: async stage => {
      await stage.create(...gangObjects({ name: 'gang', size: 8, gated: false }))
      await stage.bound(...members('gang', 8))
    }
  },
  'a gated gang that does not fit': {
    nodes: 3,
    told: members('gang', 4),
    run: async stage => {
      await stage.create(...gangObjects({ name: 'gang', size: 4, gated: true }))
      await sleep(1_500)
    }
  },
  'an ungated gang that does not fit': {
    nodes: 3,
    told: members('gang', 4),
    run: async stage => {
      await stage.create(...gangObjects({ name: 'gang', size: 4, gated: false }))
      await stage.refused(...members('gang', 4))
    }
  },
  'a gang among foreign pods, one after the other': {
    nodes: 8,
    run: async stage => {
      await stage.create(podObject('a'), podObject('b'))
      await stage.bound('a', 'b')
      await stage.create(...gangObjects({ name: 'gang', size: 4, gated: true }))
      await stage.bound(...members('gang', 4))
      await stage.create(podObject('c'))
      await stage.bound('c')
    }
  },
  'a gang among foreign pods, all at once': {
    nodes: 8,
    races: true,
    run: async stage => {
      const gang = gangObjects({ name: 'gang', size: 4, gated: true })
      await stage.create(podObject('a'), podObject('b'), ...gang, podObject('c'), podObject('d'))
      await stage.bound('a', 'b', 'c', 'd', ...members('gang', 4))
    }
  },
  'a nominated pod whose node is full': {
    nodes: 2,
    run: async stage => {
      await stage.create(podObject('a'))
      await stage.bound('a')
      const full = stage.pods.values().find(pod => pod.metadata.name === 'a')?.spec.nodeName
      await stage.create(podObject('b', { gates: gate }))
      await stage.patch('b', { status: { nominatedNodeName: full } }, 'status')
      await stage.patch('b', { spec: { schedulingGates: null } })
      await stage.bound('b')
    }
  },
  'a nominated pod whose node has room': {
    nodes: 2,
    run: async stage => {
      await stage.create(podObject('b', { gates: gate }))
      await stage.patch('b', { status: { nominatedNodeName: 'node-1' } }, 'status')
      await stage.patch('b', { spec: { schedulingGates: null } })
      await stage.bound('b')
    }
  },
  'a preemption': {
    nodes: 1,
    run: async stage => {
      await stage.create(podObject('low', { priorityClassName: 'low' }))
      await stage.bound('low')
      await stage.create(podObject('high', { priorityClassName: 'high' }))
      await stage.bound('high')
    }
  },
  'a preemption that muster vetoes, because a gang would break': {
    nodes: 2,
    told: ['high'],
    run: async stage => {
      await stage.create(...gangObjects({ name: 'gang', size: 2, gated: true, priorityClassName: 'low' }))
      await stage.bound(...members('gang', 2))
      await stage.create(podObject('high', { priorityClassName: 'high' }))
      await stage.refused('high')
    }
  },
  'a binding that fails once': {
    nodes: 2,
    run: async stage => {
      let fails = 1
      stage.verbs.intercept = ({ verb }) => (verb === 'bind' && fails-- > 0 ? '{"Error":"not this time"}' : undefined)
      await stage.create(podObject('p'))
      await stage.until('the failure is told', () => saidOf(stage, 'p') === 'SchedulerError: not this time')
      await stage.bound('p')
    }
  },
  'a filter that breaks once': {
    nodes: 2,
    run: async stage => {
      let fails = 1
      stage.verbs.intercept = ({ verb }) => (verb === 'filter' && fails-- > 0 ? '{"Error":"not this time"}' : undefined)
      await stage.create(podObject('p'))
      await stage.until('the failure is told', () => saidOf(stage, 'p') === 'SchedulerError: not this time')
      await stage.bound('p')
    }
  }
}

function saidOf({ pods, ns }: Stage, name: string): string {
  const pod = pods.values().find(({ metadata }) => metadata.namespace === ns && metadata.name === name)
  const condition = pod?.status.conditions?.find(each => each.type === 'PodScheduled')
  return `${condition?.reason}: ${condition?.message}`
}

function stageOf(arena: Arena, ns: string): Stage {
  const all = (names: readonly string[]) =>
    names.map(name => arena.pods.values().find(({ metadata }) => metadata.namespace === ns && metadata.name === name))
  const until = (what: string, condition: () => boolean) =>
    arena.pods.waitFor(`${arena.name}: ${what}`, condition, {
      timeout: 20_000,
      describe: () =>
        `${arena.muster.process.tail(5)}\n${arena.verbs.calls.map(call => `${call.pod} ${lineOf(call, false)}`).join('\n')}`
    })
  return {
    ...arena,
    verbs: arena.verbs,
    ns,
    until,
    create: (...pods) => addPods(arena, ns, pods),
    async patch(pod, patch, subresource) {
      await arena.client.patch(`/api/v1/namespaces/${ns}/pods/${pod}${subresource ? `/${subresource}` : ''}`, patch)
    },
    bound: (...names) => until(`${names.join(', ')} bound`, () => all(names).every(pod => pod && isBound(pod))),
    async refused(...names) {
      await until(`${names.join(', ')} refused`, () =>
        all(names).every(pod => pod?.status.conditions?.some(({ reason }) => reason === 'Unschedulable'))
      )
      let seen = -1
      while (seen !== arena.verbs.calls.length) {
        seen = arena.verbs.calls.length
        await sleep(700)
      }
    }
  }
}

/** What was asked for one pod, in order; a run of calls that only repeats the one before it stands there once. */
function sequence(calls: readonly VerbCall[], races: boolean): readonly string[] {
  const lines = calls.map(call => lineOf(call, races))
  const tried = races && lines.at(-1)?.startsWith('bind') ? lines.filter(line => !/→ (0|error)/.test(line)) : lines
  return withoutRepeats(tried)
}

const count = (nodes: readonly string[], races: boolean): string =>
  races && nodes.length > 0 ? 'some' : String(nodes.length)

function lineOf({ verb, nodes, answer, fields }: VerbCall, races: boolean): string {
  const parsed = JSON.parse(answer || '{}') as {
    readonly NodeNames?: readonly string[] | null
    readonly NodeNameToMetaVictims?: Readonly<Record<string, unknown>> | null
    readonly Error?: string
  }
  const given = parsed.NodeNames ?? Object.keys(parsed.NodeNameToMetaVictims ?? {})
  const said = parsed.Error ? `error ${parsed.Error}` : verb === 'bind' ? 'ok' : count(given, races)
  return `${verb} ${count(nodes, races)} → ${said} (${fields})`
}

function withoutRepeats(lines: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (const line of lines) {
    kept.push(line)
    for (let length = 1; length <= kept.length / 2; length++) {
      const [last, before] = [kept.slice(-length), kept.slice(-2 * length, -length)]
      if (last.every((each, index) => each === before[index])) kept.splice(-length)
    }
  }
  return kept
}

async function play(arena: Arena, ns: string, scenario: Scenario): Promise<Record<string, unknown>> {
  await arena.client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } })
  await addNodes(arena, scenario.nodes, scenario.node)
  const stage = stageOf(arena, ns)
  try {
    await scenario.run(stage)
    const byPod = Map.groupBy(arena.verbs.calls, call => call.pod)
    const calls = [...byPod].map(([pod, calls]) => [pod, sequence(calls, scenario.races ?? false)] as const)
    return {
      calls: Object.fromEntries(calls.toSorted(([a], [b]) => (a < b ? -1 : 1))),
      told: Object.fromEntries((scenario.told ?? []).map(name => [name, saidOf(stage, name)]))
    }
  } finally {
    await clear(arena)
  }
}

const only = process.env['TEST_CASE'] ?? ''
const lab = await openLab(t)

if (lab) {
  await lab.start()
  const embedded = await embeddedArena()
  t.teardown(() => embedded.close())
  const arenas = [realArena(lab), embedded]
  for (const { client } of arenas) {
    for (const [name, value] of Object.entries(classes))
      await client.create('/apis/scheduling.k8s.io/v1/priorityclasses', {
        ...{ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value }
      })
  }
  for (const [index, [name, scenario]] of Object.entries(scenarios).entries()) {
    if (!name.includes(only)) continue
    t.test(`the embedded loop asks as kube-scheduler does: ${name}`, async t => {
      const [want, found] = await Promise.all(arenas.map(arena => play(arena, `case-${index}`, scenario)))
      t.strictSame(found, want)
      if (process.env['TEST_SHOW']) t.comment(JSON.stringify(want, null, 2))
    })
  }
}
