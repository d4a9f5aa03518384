import { type Dashboard, type Panel, panels, stat, timeseries } from '../dashboard.ts'
import { gangs, kubernetes, musterProcess, nodeCounter, nodeGauge, verbs } from '../metrics.ts'
import { bindSlo, lookUpSlo, type Slo, startSlo } from '../slos.ts'

/** The share that kept the promise over the last hour; all of it while nothing happens. */
function kept(slo: Slo, title: string): Panel {
  const { total, bad } = slo.rates(panels, { over: '1h' })
  const expr = `1 - (${bad} / (${total} > 0) or vector(0))`
  const queries = [{ expr, legend: title }]
  return stat({ title, description: slo.promise, unit: 'percentunit', width: 4, red: -slo.objective, queries })
}

/** Is it scheduling, does it keep its promises, is the process well? */
export const overview: Dashboard = {
  uid: 'muster-overview',
  title: 'muster / overview',
  description: 'Whether gangs are scheduled, and where to look next if not.',
  rows: [
    {
      title: 'Is it scheduling?',
      panels: [
        stat({
          title: 'Deciding',
          description: 'How many musters decide. 0: none, so no pod of its schedulers is placed. 2: see the runbook.',
          ...{ unit: 'short', width: 4, red: -1 },
          queries: [{ expr: panels.sum(gangs.active), legend: 'deciding' }]
        }),
        kept(lookUpSlo, 'Calls answered in time, 1 h'),
        kept(bindSlo, 'Bindings made, 1 h'),
        kept(startSlo, 'Gangs placed in time, 1 h'),
        stat({
          title: 'Gangs without room',
          description: 'Complete gangs that wait. Ask muster explain POD for the reason of one.',
          ...{ unit: 'short', width: 4 },
          queries: [{ expr: panels.sum(gangs.gangs, { where: { state: 'waiting' } }), legend: 'waiting' }]
        }),
        stat({
          title: 'Oldest partial gang',
          description:
            'For how long a gang has had fewer members on nodes than its quorum. Minutes mean a broken gang.',
          ...{ unit: 's', width: 4, red: 300 },
          queries: [{ expr: panels.max(gangs.oldestPartial), legend: 'oldest' }]
        })
      ]
    },
    {
      title: 'What happens',
      panels: [
        timeseries({
          title: 'Gangs by state',
          description: 'Forming gangs lack members, waiting ones lack room, refused ones are declared wrongly.',
          ...{ unit: 'short', width: 12 },
          queries: [{ expr: panels.sum(gangs.gangs, { by: ['state'] }), legend: '{{state}}' }]
        }),
        timeseries({
          title: 'Calls of kube-scheduler',
          description: 'By verb. None for long while pods are pending: kube-scheduler does not reach muster.',
          ...{ unit: 'reqps', width: 12 },
          queries: [{ expr: panels.rate(verbs.requests, { by: ['verb'] }), legend: '{{verb}}' }]
        }),
        timeseries({
          title: 'Bindings by result',
          description:
            'Refused ones are the API server’s verdict; unknown, late and elsewhere count against the promise.',
          ...{ unit: 'ops', width: 12 },
          queries: [{ expr: panels.rate(kubernetes.binds, { by: ['result'] }), legend: '{{result}}' }]
        }),
        timeseries({
          title: 'Start of a gang, from its last member’s creation',
          description: 'Includes the time that gangs wait for room; the latency dashboard tells the parts.',
          ...{ unit: 's', width: 12 },
          queries: [0.5, 0.99].map(share => ({
            expr: panels.quantile(share, gangs.startDuration),
            legend: `p${share * 100}`
          }))
        })
      ]
    },
    {
      title: 'The process',
      panels: [
        timeseries({
          title: 'CPU',
          description: 'Cores in use. One thread decides everything: near 1 it is the bottleneck.',
          ...{ unit: 'short', width: 8 },
          queries: [
            {
              expr: panels.rate(nodeCounter('process_cpu_seconds_total'), { by: ['instance'] }),
              legend: '{{instance}}'
            }
          ]
        }),
        timeseries({
          title: 'Memory',
          description: 'Resident memory; it follows the number of pods and nodes, not that of gang names.',
          ...{ unit: 'bytes', width: 8 },
          queries: [
            {
              expr: panels.max(nodeGauge('process_resident_memory_bytes'), { by: ['instance'] }),
              legend: '{{instance}}'
            }
          ]
        }),
        timeseries({
          title: 'Begun anew',
          description: 'Logic and caches thrown away after an unexpected error. The log has the error.',
          ...{ unit: 'short', width: 8, red: 1 },
          queries: [
            { expr: panels.increase(gangs.reinitializations, { by: ['instance'] }), legend: '{{instance}}' },
            {
              expr: panels.increase(gangs.violations, { by: ['invariant'] }),
              legend: 'invariant {{invariant}} broken'
            }
          ]
        }),
        stat({
          title: 'Versions',
          description: 'How many processes run which version.',
          ...{ unit: 'short', width: 8 },
          queries: [{ expr: panels.sum(musterProcess.buildInfo, { by: ['version'] }), legend: '{{version}}' }]
        }),
        timeseries({
          title: 'Telemetry that was lost',
          description: 'Spans that the collector did not take, or that were dropped because it is too slow.',
          ...{ unit: 'ops', width: 8 },
          queries: [
            {
              expr: panels.rate(musterProcess.spans, { where: { result: ['failed', 'dropped'] }, by: ['result'] }),
              legend: 'spans {{result}}'
            }
          ]
        }),
        stat({
          title: 'Last rebuild',
          description: 'How long it took to list the cluster and take over what was decided before.',
          ...{ unit: 's', width: 8, red: 5 },
          queries: [{ expr: panels.max(gangs.rebuildDuration, { by: ['instance'] }), legend: '{{instance}}' }]
        }),
        stat({
          title: 'Certificate ends',
          description: 'Only where the verbs are served over TLS.',
          ...{ unit: 's', width: 8, red: -604_800 },
          queries: [{ expr: `${panels.min(musterProcess.certificateExpiry)} - time()`, legend: 'ends in' }]
        })
      ]
    }
  ]
}
