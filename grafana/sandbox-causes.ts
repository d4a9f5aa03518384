import { activator, sandboxCounter, sandboxEvents, sandboxes, sandboxGauge } from './metrics.ts'
import { Queries } from './queries.ts'
import type { Alert, Group } from './rules.ts'

const rules = new Queries({ scope: [], over: '10m' })
const pool = sandboxGauge<'template' | 'state'>('muster_sandbox_pool_pods')
const healthy = sandboxGauge<'cluster'>('muster_sandbox_cluster_healthy')

const alerts: readonly Alert[] = [
  {
    name: 'MusterSandboxesFail',
    severity: 'page',
    summary: 'Many sandboxes end although nobody asked for it.',
    when: [
      {
        expr: `${rules.rate(sandboxes.terminated, { where: { reason: 'FAILED' }, by: ['job'] })} / ${rules.rate(sandboxes.terminated, { by: ['job'] })}`,
        is: '>',
        than: 0.2
      }
    ],
    lasting: '10m'
  },
  {
    name: 'MusterSandboxesRefused',
    severity: 'ticket',
    summary: 'Many requests for a sandbox are refused.',
    when: [
      {
        expr: `${rules.rate(sandboxes.creates, { where: { result: 'refused' }, by: ['job'] })} / ${rules.rate(sandboxes.creates, { by: ['job'] })}`,
        is: '>',
        than: 0.1
      }
    ],
    lasting: '10m'
  },
  {
    name: 'MusterSandboxPoolEmpty',
    severity: 'ticket',
    summary: 'A pool that is to stand ready has no pod: sandboxes start cold.',
    when: [{ expr: rules.sum(pool, { where: { state: 'ready' }, by: ['job', 'template'] }), is: '==', than: 0 }],
    lasting: '10m'
  },
  {
    name: 'MusterSandboxPoolErrors',
    severity: 'ticket',
    summary: 'A pool cannot be kept full.',
    when: [{ expr: rules.increase(sandboxes.poolErrors, { by: ['job', 'template'], over: '30m' }), is: '>', than: 5 }]
  },
  {
    name: 'MusterSandboxKeysDegraded',
    severity: 'ticket',
    summary: 'The store of idempotency keys does not answer: keys of ended sandboxes are not known.',
    when: [{ expr: rules.increase(sandboxes.degraded, { by: ['job'], over: '15m' }), is: '>', than: 0 }],
    lasting: '5m'
  },
  {
    name: 'MusterSandboxEventsLost',
    severity: 'page',
    summary: 'An event was given up: whoever waits for the end of that sandbox will not hear of it.',
    when: [
      {
        expr: rules.increase(sandboxes.publications, { where: { result: 'dead_letter' }, by: ['job'], over: '1h' }),
        is: '>',
        than: 0
      }
    ]
  },
  {
    name: 'MusterSandboxDeadLetters',
    severity: 'ticket',
    summary: 'Deliveries to a webhook were given up and wait to be replayed.',
    when: [{ expr: rules.sum(sandboxGauge('muster_sandbox_events_dead_letters'), { by: ['job'] }), is: '>', than: 0 }],
    lasting: '15m'
  },
  {
    name: 'MusterSandboxEventStoreFails',
    severity: 'ticket',
    summary: 'The events service cannot write to its store: a restart would repeat or forget deliveries.',
    when: [{ expr: rules.increase(sandboxEvents.storeFailures, { by: ['job'], over: '15m' }), is: '>', than: 0 }],
    lasting: '5m'
  },
  {
    name: 'MusterSandboxClusterDown',
    severity: 'page',
    summary: 'The front door cannot reach a cluster; after a while its projects move to others.',
    when: [{ expr: rules.min(healthy, { by: ['job', 'cluster'] }), is: '==', than: 0 }],
    lasting: '2m'
  },
  {
    name: 'MusterSandboxReleasesOwed',
    severity: 'ticket',
    summary: 'Sandboxes may be left on a cluster after calls of unknown end.',
    when: [{ expr: rules.sum(sandboxGauge('muster_sandbox_releases_owed'), { by: ['job'] }), is: '>', than: 0 }],
    lasting: '30m'
  },
  {
    name: 'MusterSandboxPlacementsForgetful',
    severity: 'ticket',
    summary: 'Redis does not serve: placements are remembered in one front door alone.',
    when: [
      {
        expr: rules.increase(sandboxCounter('muster_sandbox_placement_store_errors_total'), {
          by: ['job'],
          over: '15m'
        }),
        is: '>',
        than: 0
      }
    ],
    lasting: '5m'
  },
  {
    name: 'MusterActivatorTurnsAway',
    severity: 'page',
    summary: 'Many requests do not get to their sandbox.',
    when: [
      {
        expr: `${rules.rate(activator.requests, { where: { outcome: ['full', 'unreachable'] }, by: ['job'] })} / ${rules.rate(activator.requests, { by: ['job'] })}`,
        is: '>',
        than: 0.05
      }
    ],
    lasting: '5m'
  }
]

/** What keeps people from their sandboxes, and those who wait for events from hearing of them. */
export const sandboxCauses: Group = { name: 'muster-sandboxes', records: [], alerts }
