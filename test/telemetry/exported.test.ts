import t from 'tap'
import { exportedMetrics } from '../../grafana/metrics.ts'

/** Whoever has dashboards of their own relies on these; more may come, none may go or change. */
const contract = [
  'muster_active',
  'muster_apiserver_requests_total{verb,resource,code}',
  'muster_barrier_wait_seconds',
  'muster_barriers_total{outcome}',
  'muster_binds_total{result}',
  'muster_build_info{version}',
  'muster_cache_staleness_seconds{resource}',
  'muster_cache_synced{resource}',
  'muster_certificate_expiry_timestamp_seconds',
  'muster_consolidations_total{outcome}',
  'muster_epoch',
  'muster_event_loop_delay_seconds',
  'muster_events_total{result}',
  'muster_evictions_total{result}',
  'muster_gang_placement_duration_seconds',
  'muster_gang_start_duration_seconds',
  'muster_gang_transitions_total{to}',
  'muster_gangs{state}',
  'muster_held_ratio{resource}',
  'muster_hold_expirations_total',
  'muster_holds',
  'muster_invariant_violations_total{invariant}',
  'muster_nominations_total{result}',
  'muster_oldest_partial_gang_seconds',
  'muster_partial_gangs',
  'muster_plan_duration_seconds{outcome}',
  'muster_preemptions_total{outcome}',
  'muster_rebuild_duration_seconds',
  'muster_reinitializations_total',
  'muster_request_duration_seconds{verb}',
  'muster_requests_total{verb,outcome}',
  'muster_spans_total{result}',
  'muster_unknown_outcomes_total',
  'muster_victims_total{outcome}',
  'muster_wasted_evictions_total'
]

t.test('the metrics of muster and their labels are these, and each says in a sentence what it is', async t => {
  const ours = exportedMetrics().filter(({ name }) => name.startsWith('muster_'))
  t.strictSame(
    ours.map(({ name, labels }) => (labels.length > 0 ? `${name}{${labels.join()}}` : name)).toSorted(),
    contract
  )
  for (const { name, help } of ours) t.match(help, /^[A-Z0-9].+\.$/, name)
})
