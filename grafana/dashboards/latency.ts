import { type Dashboard, panels, type Query, heatmap, timeseries } from '../dashboard.ts'
import { gangs, kubernetes, musterProcess, nodeHistogram, verbs } from '../metrics.ts'

const lookUps = { verb: ['filter', 'prioritize', 'preempt'] }

const shares = (expression: (share: number) => string): Query[] =>
  [0.5, 0.9, 0.99].map(share => ({ expr: expression(share), legend: `p${share * 100}` }))

/** Where time goes between a call of kube-scheduler and a pod on its node. */
export const latency: Dashboard = {
  uid: 'muster-latency',
  title: 'muster / latency-critical paths',
  description: 'The verbs, the plan, the barrier, the API server and what can delay all of them.',
  rows: [
    {
      title: 'The verbs: kube-scheduler waits for each of them',
      panels: [
        timeseries({
          title: 'Answers of filter, prioritize, preempt, 99 %',
          description: 'Each call delays the one scheduling loop. 100 ms is the promise.',
          ...{ unit: 's', width: 12, red: 0.1 },
          queries: [
            {
              expr: panels.quantile(0.99, verbs.duration, { where: lookUps, by: ['verb'] }),
              legend: '{{verb}}'
            }
          ]
        }),
        heatmap({
          title: 'Answers of filter',
          description: 'How many calls took how long. A second band is often the event loop or a large cluster.',
          ...{ unit: 's', width: 12 },
          queries: [{ expr: panels.buckets(verbs.duration, { where: { verb: 'filter' } }), legend: '{{le}}' }]
        }),
        timeseries({
          title: 'Calls not answered well',
          description:
            'Not ready: muster reads the cluster. Invalid: not a request of kube-scheduler. Error: at bind, the pod is not bound.',
          ...{ unit: 'reqps', width: 12 },
          queries: [
            {
              expr: panels.rate(verbs.requests, {
                where: { outcome: ['not_ready', 'invalid', 'error'] },
                by: ['verb', 'outcome']
              }),
              legend: '{{verb}} {{outcome}}'
            }
          ]
        }),
        timeseries({
          title: 'Filter answers without a node',
          description: 'Refused calls cost kube-scheduler a cycle each: many gangs that wait ungated.',
          ...{ unit: 'reqps', width: 12 },
          queries: [
            {
              expr: panels.rate(verbs.requests, { where: { verb: 'filter' }, by: ['outcome'] }),
              legend: '{{outcome}}'
            }
          ]
        })
      ]
    },
    {
      title: 'From a gang to its nodes',
      panels: [
        timeseries({
          title: 'Planning one gang, 99 %',
          description: 'By outcome. Unknown: the search was given up at its bound.',
          ...{ unit: 's', width: 8 },
          queries: [{ expr: panels.quantile(0.99, gangs.planDuration, { by: ['outcome'] }), legend: '{{outcome}}' }]
        }),
        timeseries({
          title: 'From free room to placed',
          description: 'Nominate, ungate, kube-scheduler’s cycles, barrier, bindings. 30 s is the promise.',
          ...{ unit: 's', width: 8, red: 30 },
          queries: shares(share => panels.quantile(share, gangs.placementDuration))
        }),
        timeseries({
          title: 'Waiting at the barrier',
          description: 'How long a member’s bind call waited for the rest of its quorum.',
          ...{ unit: 's', width: 8 },
          queries: shares(share => panels.quantile(share, gangs.barrierWait))
        })
      ]
    },
    {
      title: 'The API server',
      panels: [
        timeseries({
          title: 'Requests',
          description: 'By verb and resource: writes are the budget of a gang.',
          ...{ unit: 'reqps', width: 8 },
          queries: [
            { expr: panels.rate(kubernetes.requests, { by: ['verb', 'resource'] }), legend: '{{verb}} {{resource}}' }
          ]
        }),
        timeseries({
          title: 'Requests that failed',
          description: '429: priority and fairness throttles muster. Error: no complete answer came.',
          ...{ unit: 'reqps', width: 8 },
          queries: [
            {
              expr: panels.rate(kubernetes.requests, { where: { code: /error|4..|5.*/ }, by: ['code', 'resource'] }),
              legend: '{{code}} {{resource}}'
            }
          ]
        }),
        timeseries({
          title: 'Nominations and lost answers',
          description: 'A lost answer is looked up in the API before anything is decided.',
          ...{ unit: 'ops', width: 8 },
          queries: [
            { expr: panels.rate(kubernetes.nominations, { by: ['result'] }), legend: 'nominations {{result}}' },
            { expr: panels.rate(kubernetes.unknownOutcomes), legend: 'lost answers to a binding' }
          ]
        })
      ]
    },
    {
      title: 'What delays everything',
      panels: [
        timeseries({
          title: 'Longest delay of the event loop',
          description: 'While it is blocked, nobody is answered.',
          ...{ unit: 's', width: 8, red: 0.5 },
          queries: [{ expr: panels.max(musterProcess.eventLoopDelay, { by: ['instance'] }), legend: '{{instance}}' }]
        }),
        timeseries({
          title: 'Garbage collection',
          description: 'Share of time spent in it, by kind.',
          ...{ unit: 'percentunit', width: 8 },
          queries: [
            { expr: panels.busy(nodeHistogram('nodejs_gc_duration_seconds'), { by: ['kind'] }), legend: '{{kind}}' }
          ]
        }),
        timeseries({
          title: 'Age of the picture',
          description: 'Seconds since the API server last sent anything. Bookmarks come about once a minute.',
          ...{ unit: 's', width: 8, red: 120 },
          queries: [
            { expr: panels.max(kubernetes.cacheStaleness, { by: ['resource'] }), legend: '{{resource}}' },
            {
              expr: `count by (resource) (${panels.select(kubernetes.cacheSynced)} == 0) or vector(0)`,
              legend: 'never listed {{resource}}'
            }
          ]
        })
      ]
    }
  ]
}
