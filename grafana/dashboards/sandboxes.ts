import { type Dashboard, panels, type Query, stat, timeseries } from '../dashboard.ts'
import { activator, sandboxCounter, sandboxEvents, sandboxGauge, sandboxes as scheduler } from '../metrics.ts'

const live = sandboxGauge<'state'>('muster_sandbox_live')
const pool = sandboxGauge<'template' | 'state'>('muster_sandbox_pool_pods')
const placements = sandboxCounter<'cluster' | 'reason'>('muster_sandbox_placements_total')
const failures = sandboxCounter<'cluster' | 'kind'>('muster_sandbox_cluster_failures_total')
const healthy = sandboxGauge<'cluster'>('muster_sandbox_cluster_healthy')
const ejected = sandboxGauge<'cluster'>('muster_sandbox_cluster_ejected')
const owed = sandboxGauge('muster_sandbox_releases_owed')
const placementStore = sandboxCounter('muster_sandbox_placement_store_errors_total')
const queue = sandboxGauge('muster_sandbox_events_webhook_queue')
const dead = sandboxGauge('muster_sandbox_events_dead_letters')
const remembered = sandboxGauge('muster_sandbox_events_remembered')
const waiting = sandboxGauge('muster_activator_waiting_requests')
const waitingBytes = sandboxGauge('muster_activator_waiting_bytes')

const over1h = { over: '1h' }
const failedShare = `${panels.increase(scheduler.terminated, { ...over1h, where: { reason: 'FAILED' } })} / (${panels.increase(scheduler.terminated, over1h)} > 0) or vector(0)`

const one = (expr: string, legend: string): Query[] => [{ expr, legend }]

/** Whether people get sandboxes, and what becomes of them. */
export const sandboxes: Dashboard = {
  uid: 'muster-sandboxes',
  title: 'muster / sandboxes',
  description: 'The scheduler of the sandboxes, their events, the front door and the activator.',
  processes: '{__name__=~"muster_(sandbox|activator)_.+"}',
  rows: [
    {
      title: 'Do people get sandboxes?',
      panels: [
        stat({
          title: 'Live',
          description: 'Sandboxes that have not ended; pending ones have no running pod yet.',
          ...{ unit: 'short', width: 6 },
          queries: one(panels.sum(live, { by: ['state'] }), '{{state}}')
        }),
        stat({
          title: 'Ends by failure, 1 h',
          description: 'Share of ends that nobody asked for: the code of each is in its event.',
          ...{ unit: 'percentunit', width: 6, red: 0.2 },
          queries: one(failedShare, 'failed')
        }),
        stat({
          title: 'Healthy clusters',
          description: 'Clusters whose probes go well, as the front door sees them.',
          ...{ unit: 'short', width: 6, red: -1 },
          queries: one(panels.sum(healthy), 'healthy')
        }),
        stat({
          title: 'Dead letters',
          description: 'Deliveries to webhooks that were given up; they can be replayed.',
          ...{ unit: 'short', width: 6, red: 1 },
          queries: one(panels.sum(dead), 'given up')
        }),
        timeseries({
          title: 'Requests for a sandbox',
          description:
            'Replayed and joined ones made nothing anew; refused ones are wrong, over a limit, or came too early.',
          ...{ unit: 'reqps', width: 8 },
          queries: one(panels.rate(scheduler.creates, { by: ['result'] }), '{{result}}')
        }),
        timeseries({
          title: 'Answer to a request that makes one',
          description: 'The pod is created by then, or a warm one is adopted; it need not be ready.',
          ...{ unit: 's', width: 8 },
          queries: [0.5, 0.99].map(share => ({
            expr: panels.quantile(share, scheduler.createSeconds),
            legend: `p${share * 100}`
          }))
        }),
        timeseries({
          title: 'From the request to ready, 99 %',
          description: 'By what it was made from: a warm pod, the room of a placeholder, or nothing.',
          ...{ unit: 's', width: 8 },
          queries: one(panels.quantile(0.99, scheduler.readySeconds, { by: ['launch'] }), '{{launch}}')
        })
      ]
    },
    {
      title: 'Ahead of need',
      panels: [
        timeseries({
          title: 'Where pods come from',
          description: 'Cold ones while a pool is kept: it is too small, or filled too slowly.',
          ...{ unit: 'ops', width: 8 },
          queries: one(panels.rate(scheduler.launches, { by: ['launch'] }), '{{launch}}')
        }),
        timeseries({
          title: 'Pools',
          description: 'Pods that no sandbox has yet.',
          ...{ unit: 'short', width: 8 },
          queries: one(panels.sum(pool, { by: ['template', 'state'] }), '{{template}} {{state}}')
        }),
        timeseries({
          title: 'Pools that cannot be kept full',
          description: 'Writes that were refused, mostly by a quota, and pods that ended by themselves.',
          ...{ unit: 'ops', width: 8 },
          queries: one(panels.rate(scheduler.poolErrors, { by: ['template'] }), '{{template}}')
        })
      ]
    },
    {
      title: 'Ends, and who is told',
      panels: [
        timeseries({
          title: 'Ends',
          description: 'Released by their owner, expired, or failed, by code.',
          ...{ unit: 'ops', width: 8 },
          queries: one(panels.rate(scheduler.terminated, { by: ['reason', 'code'] }), '{{reason}} {{code}}')
        }),
        timeseries({
          title: 'Events on their way',
          description: 'From the scheduler to the events service. A dead letter was given up: the event is lost.',
          ...{ unit: 'ops', width: 8 },
          queries: [
            { expr: panels.rate(scheduler.publications, { by: ['result'] }), legend: 'sent {{result}}' },
            { expr: panels.rate(sandboxEvents.published, { by: ['result'] }), legend: 'taken in {{result}}' }
          ]
        }),
        timeseries({
          title: 'Webhooks and hooks',
          description: 'Attempts by how they ended. Throttled: the receiver asked for more time.',
          ...{ unit: 'ops', width: 8 },
          queries: [
            { expr: panels.rate(sandboxEvents.attempts, { by: ['result'] }), legend: 'webhook {{result}}' },
            { expr: panels.rate(sandboxEvents.hooks, { by: ['result'] }), legend: 'hook {{result}}' }
          ]
        }),
        timeseries({
          title: 'Events that are kept',
          description: 'Deliveries that wait for their turn, those given up, and what readers can still ask for.',
          ...{ unit: 'short', width: 12 },
          queries: [
            { expr: panels.sum(queue), legend: 'to be delivered' },
            { expr: panels.sum(dead), legend: 'given up' },
            { expr: panels.sum(remembered), legend: 'remembered' },
            { expr: panels.sum(sandboxEvents.readers), legend: 'streams that are open' }
          ]
        }),
        timeseries({
          title: 'Events that are missing somewhere',
          description:
            'Readers that came too late, dead letters that were dropped, writes that the store did not take.',
          ...{ unit: 'ops', width: 12 },
          queries: [
            { expr: panels.rate(sandboxEvents.gaps), legend: 'gaps' },
            { expr: panels.rate(sandboxEvents.lost), legend: 'letters dropped' },
            { expr: panels.rate(sandboxEvents.storeFailures), legend: 'writes failed' }
          ]
        })
      ]
    },
    {
      title: 'Front door and activator',
      panels: [
        timeseries({
          title: 'Placements',
          description: 'By cluster and by how it was chosen.',
          ...{ unit: 'ops', width: 8 },
          queries: one(panels.rate(placements, { by: ['cluster', 'reason'] }), '{{cluster}} {{reason}}')
        }),
        timeseries({
          title: 'Clusters that did not serve',
          description: 'Unknown: whether the call had an effect is found out later.',
          ...{ unit: 'ops', width: 8 },
          queries: [
            { expr: panels.rate(failures, { by: ['cluster', 'kind'] }), legend: '{{cluster}} {{kind}}' },
            { expr: panels.sum(ejected, { by: ['cluster'] }), legend: '{{cluster}} set aside' }
          ]
        }),
        timeseries({
          title: 'What is to be cleared up',
          description:
            'Sandboxes that a call of unknown end may have left, and times without a store of keys or placements.',
          ...{ unit: 'short', width: 8 },
          queries: [
            { expr: panels.sum(owed), legend: 'releases owed' },
            { expr: panels.increase(placementStore), legend: 'placements without store' },
            { expr: panels.increase(scheduler.degraded), legend: 'keys without store' }
          ]
        }),
        timeseries({
          title: 'Traffic through the activator',
          description: 'Woken: the sandbox had to be made first. Full: too many waited.',
          ...{ unit: 'reqps', width: 12 },
          queries: one(panels.rate(activator.requests, { by: ['outcome'] }), '{{outcome}}')
        }),
        timeseries({
          title: 'Requests that wait for their sandbox',
          description: 'They are kept in memory for no longer than 30 s.',
          ...{ unit: 'short', width: 12 },
          queries: [
            { expr: panels.sum(waiting), legend: 'requests' },
            { expr: `${panels.sum(waitingBytes)} / 1024`, legend: 'KiB' }
          ]
        })
      ]
    }
  ]
}
