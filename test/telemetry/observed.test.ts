import { readFileSync } from 'node:fs'
import t from 'tap'
import { exportedMetrics } from '../../grafana/metrics.ts'

/** Each metric, and a test in which its value changes for a reason. */
const observed: Readonly<Record<string, string>> = {
  muster_active: 'gangs/lives',
  muster_apiserver_requests_total: 'kubernetes/binder',
  muster_barrier_wait_seconds: 'gangs/metrics',
  muster_barriers_total: 'gangs/barrier',
  muster_binds_total: 'kubernetes/binder',
  muster_build_info: 'telemetry/metrics',
  muster_cache_staleness_seconds: 'kubernetes/reflector',
  muster_cache_synced: 'kubernetes/reflector',
  muster_certificate_expiry_timestamp_seconds: 'wire-tls',
  muster_consolidations_total: 'gangs/consolidation',
  muster_epoch: 'gangs/lives',
  muster_event_loop_delay_seconds: 'telemetry/metrics',
  muster_events_total: 'kubernetes/writes',
  muster_evictions_total: 'kubernetes/writes',
  muster_gang_placement_duration_seconds: 'gangs/metrics',
  muster_gang_start_duration_seconds: 'gangs/metrics',
  muster_gang_transitions_total: 'gangs/metrics',
  muster_gangs: 'gangs/metrics',
  muster_held_ratio: 'gangs/metrics',
  muster_hold_expirations_total: 'gangs/restart',
  muster_holds: 'gangs/metrics',
  muster_invariant_violations_total: 'gangs/metrics',
  muster_log_lines_total: 'telemetry/unread',
  muster_nominations_total: 'kubernetes/writes',
  muster_oldest_partial_gang_seconds: 'gangs/metrics',
  muster_partial_gangs: 'gangs/metrics',
  muster_plan_duration_seconds: 'gangs/metrics',
  muster_preemptions_total: 'gangs/preemption',
  muster_rebuild_duration_seconds: 'telemetry/tracing',
  muster_reinitializations_total: 'cli/begin-anew',
  muster_request_duration_seconds: 'telemetry/tracing',
  muster_requests_total: 'app',
  muster_spans_total: 'telemetry/tracing',
  muster_unknown_outcomes_total: 'kubernetes/binder',
  muster_victims_total: 'gangs/preemption',
  muster_wasted_evictions_total: 'gangs/preemption'
}

t.test('every metric is observed in a test, which names it', async t => {
  const ours = exportedMetrics().filter(({ name }) => name.startsWith('muster_'))
  t.strictSame(Object.keys(observed).toSorted(), ours.map(({ name }) => name).toSorted())
  for (const [name, test] of Object.entries(observed))
    t.match(readFileSync(`test/${test}.test.ts`, 'utf8'), new RegExp(`\\b${name}(_count|_sum|_bucket)?\\b`), name)
})
