import type { GatePolicy } from '../gate-policies.ts'

export type Remains = {
  readonly policies: readonly GatePolicy[]
  /** How many pods wait, by scheduler name. */
  readonly waiting: ReadonlyMap<string, number>
  /** The resources of muster's that they ask for. */
  readonly asks: ReadonlySet<string>
}

/** What a person has to do besides, in this order. */
export function nextSteps({ policies, waiting, asks }: Remains): readonly string[] {
  return [
    ...policies.flatMap(({ name, bindings }) => [
      ...bindings.map(binding => `kubectl delete mutatingadmissionpolicybinding ${binding}   # it gates new pods`),
      `kubectl delete mutatingadmissionpolicy ${name}`
    ]),
    'kubectl delete -k manifests/base   # or the folder that was applied; ./setup.sh --remove after ./setup.sh',
    ...[...waiting].map(
      ([name, count]) =>
        `${count} ${count === 1 ? 'pod waits' : 'pods wait'} for the scheduler ${name}: give them a kube-scheduler ` +
        `with a profile of that name and no extenders, or make them anew with another schedulerName`
    ),
    ...(asks.size === 0 ? [] : [ignored(asks)])
  ]
}

/** Without an extender that manages it, kube-scheduler looks for a node that offers it, and there is none. */
function ignored(asks: ReadonlySet<string>): string {
  const fix = 'pluginConfig: [{name: NodeResourcesFit, args: {ignoredResourceGroups: [muster.dev]}}]'
  return `pods ask for ${[...asks].toSorted().slice(0, 5).join(', ')}, which no node offers: in that profile, ${fix}`
}
