import { type Dashboard, panels, stat, timeseries } from '../dashboard.ts'
import { gangs, kubernetes } from '../metrics.ts'

/** What becomes of gangs, and what is held for them. */
export const gangsAndHolds: Dashboard = {
  uid: 'muster-gangs',
  title: 'muster / gangs and holds',
  description: 'The life of gangs: complete, planned, bound, broken; and the room that is kept for them.',
  rows: [
    {
      title: 'Now',
      panels: [
        stat({
          title: 'Gangs',
          description: 'All that muster knows, by state.',
          ...{ unit: 'short', width: 12 },
          queries: [{ expr: panels.sum(gangs.gangs, { by: ['state'] }), legend: '{{state}}' }]
        }),
        stat({
          title: 'Partial gangs',
          description:
            'Some members on nodes, but fewer than the quorum. Short while a gang starts; else it lost members.',
          ...{ unit: 'short', width: 6, red: 1 },
          queries: [{ expr: panels.sum(gangs.partial), legend: 'partial' }]
        }),
        stat({
          title: 'Holds',
          description: 'Gangs for which room is held.',
          ...{ unit: 'short', width: 6 },
          queries: [{ expr: panels.sum(gangs.holds), legend: 'holds' }]
        })
      ]
    },
    {
      title: 'The life of gangs',
      panels: [
        timeseries({
          title: 'Transitions',
          description: 'Changes to each state. Planned and waiting in turn: plans are made and withdrawn.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(gangs.transitions, { by: ['to'] }), legend: 'to {{to}}' }]
        }),
        timeseries({
          title: 'Plans by outcome',
          description: 'Infeasible: there is no room. Unknown: the search was given up at its bound.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.observed(gangs.planDuration, { by: ['outcome'] }), legend: '{{outcome}}' }]
        }),
        timeseries({
          title: 'Barriers',
          description: 'Opened: the quorum came and is bound. Timeout: a member was not sent to bind in time.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(gangs.barriers, { by: ['outcome'] }), legend: '{{outcome}}' }]
        }),
        timeseries({
          title: 'Gangs started',
          description: 'Per second: the quorum is on its nodes.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.observed(gangs.startDuration), legend: 'started' }]
        }),
        timeseries({
          title: 'Oldest partial gang',
          description:
            'A gang that stays partial is repaired when its controller gives it a member, or ended by on-partial.',
          ...{ unit: 's', width: 12, red: 300 },
          queries: [{ expr: panels.max(gangs.oldestPartial, { by: ['instance'] }), legend: '{{instance}}' }]
        }),
        timeseries({
          title: 'Events on pods',
          description: 'Where people read why a gang waits. Dropped: more than muster may write.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(kubernetes.events, { by: ['result'] }), legend: '{{result}}' }]
        })
      ]
    },
    {
      title: 'Room that is held',
      panels: [
        timeseries({
          title: 'Share of the cluster',
          description: 'Held, not used yet. High for long: gangs are planned but do not start.',
          ...{ unit: 'percentunit', width: 8 },
          queries: [{ expr: panels.max(gangs.heldRatio, { by: ['resource'] }), legend: '{{resource}}' }]
        }),
        timeseries({
          title: 'Holds',
          description: 'Gangs for which room is held.',
          ...{ unit: 'short', width: 8 },
          queries: [{ expr: panels.sum(gangs.holds, { by: ['instance'] }), legend: '{{instance}}' }]
        }),
        timeseries({
          title: 'Holds that expired',
          description: 'Their members did not start in time; the gang is planned again.',
          ...{ unit: 'short', width: 8 },
          queries: [{ expr: panels.increase(gangs.holdExpirations, { by: ['instance'] }), legend: '{{instance}}' }]
        })
      ]
    }
  ]
}
