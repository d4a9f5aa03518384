import { activator, nameOf, sandboxCounter, sandboxEvents, sandboxes, sandboxGauge } from '../../grafana/metrics.ts'
import { always, type Case, counter, seriesOf } from './alert-cases.ts'

const ended = (reason: string): string => seriesOf(nameOf(sandboxes.terminated), { reason, code: '' })
const asked = (result: string): string => seriesOf(nameOf(sandboxes.creates), { result })
const pool = (state: string): string =>
  seriesOf(nameOf(sandboxGauge('muster_sandbox_pool_pods')), { template: 'default', state })
const poolErrors = seriesOf(nameOf(sandboxes.poolErrors), { template: 'default' })
const degraded = seriesOf(nameOf(sandboxes.degraded), { operation: 'claim' })
const sent = seriesOf(nameOf(sandboxes.publications), { result: 'dead_letter' })
const dead = seriesOf(nameOf(sandboxGauge('muster_sandbox_events_dead_letters')))
const storeFailures = seriesOf(nameOf(sandboxEvents.storeFailures))
const healthy = seriesOf(nameOf(sandboxGauge('muster_sandbox_cluster_healthy')), { cluster: 'a' })
const owed = seriesOf(nameOf(sandboxGauge('muster_sandbox_releases_owed')))
const placementStore = seriesOf(nameOf(sandboxCounter('muster_sandbox_placement_store_errors_total')))
const traffic = (outcome: string): string => seriesOf(nameOf(activator.requests), { outcome })

/** Once in so many minutes, and never again. */
const once = '0x20 1x200'

/** Of each alert about sandboxes: when it fires, and a case near by in which it does not. */
export const sandboxCases: Readonly<Record<string, Case>> = {
  'a third of the sandboxes fails': {
    alert: 'MusterSandboxesFail',
    series: { [ended('FAILED')]: counter([60, 1]), [ended('EXPIRED')]: counter([60, 2]) },
    minutes: 40,
    fires: {}
  },
  'a sandbox in ten fails': {
    alert: 'MusterSandboxesFail',
    series: { [ended('FAILED')]: counter([60, 1]), [ended('EXPIRED')]: counter([60, 9]) },
    minutes: 40
  },
  'a request in five is refused': {
    alert: 'MusterSandboxesRefused',
    series: { [asked('refused')]: counter([60, 2]), [asked('created')]: counter([60, 8]) },
    minutes: 40,
    fires: {}
  },
  'a request in fifty is refused': {
    alert: 'MusterSandboxesRefused',
    series: { [asked('refused')]: counter([60, 1]), [asked('created')]: counter([60, 49]) },
    minutes: 40
  },
  'a pool is empty': {
    alert: 'MusterSandboxPoolEmpty',
    series: { [pool('ready')]: always(0), [pool('starting')]: always(5) },
    minutes: 15,
    fires: { template: 'default' }
  },
  'a pool is empty for a moment': {
    alert: 'MusterSandboxPoolEmpty',
    series: { [pool('ready')]: '3x8 0x3 3x20' },
    minutes: 15
  },
  'a pool cannot be filled': {
    alert: 'MusterSandboxPoolErrors',
    series: { [poolErrors]: counter([30, 0], [20, 1]) },
    minutes: 50,
    fires: { template: 'default' }
  },
  'a pod of a pool ends': { alert: 'MusterSandboxPoolErrors', series: { [poolErrors]: once }, minutes: 30 },
  'the store of keys does not answer': {
    alert: 'MusterSandboxKeysDegraded',
    series: { [degraded]: counter([20, 0], [20, 1]) },
    minutes: 40,
    fires: {}
  },
  'the store of keys did not answer an hour ago': {
    alert: 'MusterSandboxKeysDegraded',
    series: { [degraded]: once },
    minutes: 80
  },
  'an event was given up': { alert: 'MusterSandboxEventsLost', series: { [sent]: once }, minutes: 30, fires: {} },
  'no event was given up': { alert: 'MusterSandboxEventsLost', series: { [sent]: always(0) }, minutes: 30 },
  'deliveries were given up': {
    alert: 'MusterSandboxDeadLetters',
    series: { [dead]: always(2) },
    minutes: 20,
    fires: {}
  },
  'deliveries were given up and replayed': {
    alert: 'MusterSandboxDeadLetters',
    series: { [dead]: '2x10 0x20' },
    minutes: 20
  },
  'the store of events fails': {
    alert: 'MusterSandboxEventStoreFails',
    series: { [storeFailures]: counter([20, 0], [20, 1]) },
    minutes: 40,
    fires: {}
  },
  'the store of events failed an hour ago': {
    alert: 'MusterSandboxEventStoreFails',
    series: { [storeFailures]: once },
    minutes: 80
  },
  'a cluster is away': {
    alert: 'MusterSandboxClusterDown',
    series: { [healthy]: always(0) },
    minutes: 5,
    fires: { cluster: 'a' }
  },
  'a cluster misses a probe': { alert: 'MusterSandboxClusterDown', series: { [healthy]: '1x3 0 1x20' }, minutes: 5 },
  'releases stay owed': {
    alert: 'MusterSandboxReleasesOwed',
    series: { [owed]: always(1) },
    minutes: 40,
    fires: {}
  },
  'a release is owed for a while': { alert: 'MusterSandboxReleasesOwed', series: { [owed]: '1x20 0x30' }, minutes: 40 },
  'placements are not stored': {
    alert: 'MusterSandboxPlacementsForgetful',
    series: { [placementStore]: counter([20, 0], [20, 1]) },
    minutes: 40,
    fires: {}
  },
  'placements were not stored an hour ago': {
    alert: 'MusterSandboxPlacementsForgetful',
    series: { [placementStore]: once },
    minutes: 80
  },
  'the activator turns a request in ten away': {
    alert: 'MusterActivatorTurnsAway',
    series: { [traffic('unreachable')]: counter([60, 1]), [traffic('sent')]: counter([60, 9]) },
    minutes: 40,
    fires: {}
  },
  'the activator turns a request in a hundred away': {
    alert: 'MusterActivatorTurnsAway',
    series: { [traffic('full')]: counter([60, 1]), [traffic('sent')]: counter([60, 99]) },
    minutes: 40
  }
}
