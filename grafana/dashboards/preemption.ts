import { type Dashboard, panels, stat, timeseries } from '../dashboard.ts'
import { gangs, kubernetes, verbs } from '../metrics.ts'

/** Who had to go for whom, and whether it was worth it. */
export const preemption: Dashboard = {
  uid: 'muster-preemption',
  title: 'muster / preemption and consolidation',
  description: 'Evictions for gangs of higher priority, and moves of pods that may be moved.',
  rows: [
    {
      title: 'The last hour',
      panels: [
        stat({
          title: 'Preemptions completed',
          description: 'Gangs that started on room that others left for them.',
          ...{ unit: 'short', width: 6 },
          queries: [
            {
              expr: panels.increase(gangs.preemptions, { where: { outcome: 'completed' }, over: '1h' }),
              legend: 'completed'
            }
          ]
        }),
        stat({
          title: 'Consolidations completed',
          description: 'Gangs that started on room that moved pods left for them.',
          ...{ unit: 'short', width: 6 },
          queries: [
            {
              expr: panels.increase(gangs.consolidations, { where: { outcome: 'completed' }, over: '1h' }),
              legend: 'completed'
            }
          ]
        }),
        stat({
          title: 'Pods evicted',
          description: 'Evictions that the API server carried out.',
          ...{ unit: 'short', width: 6 },
          queries: [
            { expr: panels.increase(gangs.victims, { where: { outcome: 'done' }, over: '1h' }), legend: 'evicted' }
          ]
        }),
        stat({
          title: 'Pods evicted in vain',
          description: 'Their plan was given up before its gang started.',
          ...{ unit: 'short', width: 6, red: 1 },
          queries: [{ expr: panels.increase(gangs.wastedEvictions, { over: '1h' }), legend: 'in vain' }]
        })
      ]
    },
    {
      title: 'Preemption',
      panels: [
        timeseries({
          title: 'Plans that evict',
          description: 'Planned and withdrawn in turn: preemptors are withdrawn, or victims cannot be evicted.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(gangs.preemptions, { by: ['outcome'] }), legend: '{{outcome}}' }]
        }),
        timeseries({
          title: 'Victims by outcome',
          description: 'Refused: a disruption budget; such pods are left alone for a while.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(gangs.victims, { by: ['outcome'] }), legend: '{{outcome}}' }]
        }),
        timeseries({
          title: 'Evictions asked of the API server',
          description: 'All of them, also to end a gang by its own policy.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(kubernetes.evictions, { by: ['result'] }), legend: '{{result}}' }]
        }),
        timeseries({
          title: 'Preemptions of kube-scheduler that muster judged',
          description: 'Its own, for single pods: muster takes out what would break a gang or hit who is protected.',
          ...{ unit: 'reqps', width: 12 },
          queries: [
            {
              expr: panels.rate(verbs.requests, { where: { verb: 'preempt' }, by: ['outcome'] }),
              legend: '{{outcome}}'
            }
          ]
        })
      ]
    },
    {
      title: 'Consolidation',
      panels: [
        timeseries({
          title: 'Plans that move pods',
          description: 'Withdrawn: a pod could not be moved, or room came by itself.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(gangs.consolidations, { by: ['outcome'] }), legend: '{{outcome}}' }]
        }),
        timeseries({
          title: 'Evicted in vain',
          description: 'Work that was lost for nothing, by preemptions and moves.',
          ...{ unit: 'short', width: 12 },
          queries: [{ expr: panels.increase(gangs.wastedEvictions, { by: ['instance'] }), legend: '{{instance}}' }]
        })
      ]
    }
  ]
}
