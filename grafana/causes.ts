import { gangs, kubernetes, musterProcess } from './metrics.ts'
import { Queries } from './queries.ts'
import type { Alert, Group } from './rules.ts'

const rules = new Queries({ scope: [], over: '5m' })

/** Without these lists muster decides nothing; others exist only where the cluster has the kind. */
const needed = ['pods', 'nodes']
const day = 86_400

const alerts: readonly Alert[] = [
  {
    name: 'MusterAbsent',
    severity: 'page',
    summary: 'No muster is scraped: no pod of its schedulers is placed, or nobody would see it.',
    when: [{ expr: `absent(${rules.select(gangs.active)})`, is: '>', than: 0 }],
    lasting: '5m'
  },
  {
    name: 'MusterNotDeciding',
    severity: 'page',
    summary: 'No muster decides: gangs wait, and so does every pod of a kube-scheduler that asks it.',
    when: [{ expr: rules.max(gangs.active, { by: ['job'] }), is: '==', than: 0 }],
    lasting: '2m'
  },
  {
    name: 'MusterTwiceDeciding',
    severity: 'page',
    summary: 'More than one muster decides: they do not see what the other one holds.',
    when: [{ expr: rules.sum(gangs.active, { by: ['job'] }), is: '>', than: 1 }],
    lasting: '1m'
  },
  {
    name: 'MusterInvariantBroken',
    severity: 'page',
    summary: 'muster broke a promise to itself, which is a bug; the process ended.',
    when: [{ expr: rules.increase(gangs.violations, { by: ['job', 'invariant'], over: '15m' }), is: '>', than: 0 }]
  },
  {
    name: 'MusterBeginsAnew',
    severity: 'ticket',
    summary: 'muster met an unexpected error and read everything anew.',
    when: [{ expr: rules.increase(gangs.reinitializations, { by: ['job', 'instance'], over: '1h' }), is: '>', than: 0 }]
  },
  {
    name: 'MusterKeepsRestarting',
    severity: 'page',
    summary: 'muster begins to decide again and again, and decides little in between.',
    when: [{ expr: rules.changes(gangs.epoch, { by: ['job', 'instance'], over: '15m' }), is: '>', than: 3 }]
  },
  {
    name: 'MusterRebuildSlow',
    severity: 'ticket',
    summary: 'Reading the cluster took long; pods waited as long.',
    when: [{ expr: rules.max(gangs.rebuildDuration, { by: ['job', 'instance'] }), is: '>', than: 5 }]
  },
  {
    name: 'MusterCacheStale',
    severity: 'page',
    summary: 'The API server sends nothing any more: muster decides on an old picture.',
    when: [
      {
        expr: rules.max(kubernetes.cacheStaleness, { by: ['job', 'instance', 'resource'] }),
        is: '>',
        than: 120
      }
    ],
    lasting: '1m'
  },
  {
    name: 'MusterCacheNotSynced',
    severity: 'page',
    summary: 'muster cannot list what it needs, mostly for want of rights.',
    when: [
      {
        expr: rules.min(kubernetes.cacheSynced, { where: { resource: needed }, by: ['job', 'instance', 'resource'] }),
        is: '==',
        than: 0
      }
    ],
    lasting: '2m'
  },
  {
    name: 'MusterApiServerFails',
    severity: 'ticket',
    summary: 'Many requests to the API server are throttled or fail.',
    when: [
      {
        expr: `${rules.rate(kubernetes.requests, { where: { code: /error|429|5.*/ }, by: ['job'] })} / ${rules.rate(kubernetes.requests, { by: ['job'] })}`,
        is: '>',
        than: 0.05
      }
    ],
    lasting: '10m'
  },
  {
    name: 'MusterGangPartial',
    severity: 'page',
    summary: 'A gang has fewer members on nodes than its quorum, and nobody completes or ends it.',
    when: [{ expr: rules.max(gangs.oldestPartial, { by: ['job'] }), is: '>', than: 600 }]
  },
  {
    name: 'MusterHoldsLeak',
    severity: 'ticket',
    summary: 'Room is held although no gang is about to start.',
    when: [
      { expr: rules.sum(gangs.holds, { by: ['job'] }), is: '>', than: 0 },
      {
        expr: rules.sum(gangs.gangs, { where: { state: ['planned', 'binding', 'degraded'] }, by: ['job'] }),
        is: '==',
        than: 0
      }
    ],
    lasting: '10m'
  },
  {
    name: 'MusterHoldsExpire',
    severity: 'ticket',
    summary: 'Gangs are planned, but their members do not start in time.',
    when: [{ expr: rules.increase(gangs.holdExpirations, { by: ['job'], over: '30m' }), is: '>', than: 3 }]
  },
  {
    name: 'MusterEvictsInVain',
    severity: 'ticket',
    summary: 'Pods were evicted for gangs that did not start then.',
    when: [{ expr: rules.increase(gangs.wastedEvictions, { by: ['job'], over: '1h' }), is: '>', than: 5 }]
  },
  {
    name: 'MusterEventLoopBlocked',
    severity: 'ticket',
    summary: 'The process is blocked for long: every call waits.',
    when: [{ expr: rules.max(musterProcess.eventLoopDelay, { by: ['job', 'instance'] }), is: '>', than: 0.5 }],
    lasting: '5m'
  },
  {
    name: 'MusterCertificateEnds',
    severity: 'page',
    summary: 'The certificate of the verbs ends within a week; then kube-scheduler reaches muster no more.',
    when: [
      {
        expr: `(${rules.min(musterProcess.certificateExpiry, { by: ['job', 'instance'] })} - time())`,
        is: '<',
        than: 7 * day
      }
    ]
  }
]

/** What breaks promises, told before or beside it. */
export const causes: Group = { name: 'muster-causes', records: [], alerts }
