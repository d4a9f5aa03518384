import { gangs, kubernetes, musterProcess, nameOf, verbs } from '../../grafana/metrics.ts'

/** A stretch of time in which a counter grows by so much a minute. */
export type Phase = readonly [minutes: number, perMinute: number]

export type Case = {
  readonly alert: string
  /** Series in promtool's words → a value for each minute. */
  readonly series: Readonly<Record<string, string>>
  readonly minutes: number
  /** Labels of what fires then, besides severity and job. */
  readonly fires?: Readonly<Record<string, string>>
}

const origin = { job: 'muster', instance: 'a:8889' }

/** A series with the labels of a scrape. */
export function seriesOf(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const all = Object.entries({ ...origin, ...labels }).map(([label, value]) => `${label}="${value}"`)
  return `${name}{${all.join(', ')}}`
}

/** A counter from 0 on, phase by phase. */
export function counter(...phases: readonly Phase[]): string {
  let value = 0
  const segments = phases.map(([minutes, perMinute]) => {
    const step = exact(perMinute)
    const segment = `${exact(value + step)}+${step}x${minutes - 1}`
    value = exact(value + minutes * step)
    return segment
  })
  return ['0', ...segments].join(' ')
}

/** promtool adds step by step: what falls by a rounding error then looks like a restart, so steps are whole numbers. */
const exact = (value: number): number => Math.round(value * 1e6) / 1e6

export const always = (value: number): string => `${value}x600`
const { instance } = origin
const active = seriesOf(nameOf(gangs.active))
const epoch = seriesOf(nameOf(gangs.epoch))
const requests = (code: string): string =>
  seriesOf(nameOf(kubernetes.requests), { verb: 'create', resource: 'pods', code })
const synced = (resource: string): string => seriesOf(nameOf(kubernetes.cacheSynced), { resource })
const stale = (resource: string): string => seriesOf(nameOf(kubernetes.cacheStaleness), { resource })
const inState = (state: string): string => seriesOf(nameOf(gangs.gangs), { state })

/** Of each alert for a cause: when it fires, and a case near by in which it does not. */
export const causeCases: Readonly<Record<string, Case>> = {
  'nothing is scraped': { alert: 'MusterAbsent', series: { [active]: '_x30' }, minutes: 20, fires: {} },
  'a muster stands by, but is scraped': { alert: 'MusterAbsent', series: { [active]: always(0) }, minutes: 20 },
  'nobody decides': { alert: 'MusterNotDeciding', series: { [active]: always(0) }, minutes: 10, fires: {} },
  'nobody decides for a moment': { alert: 'MusterNotDeciding', series: { [active]: '1x8 0 0 1x20' }, minutes: 10 },
  'one of two decides': {
    alert: 'MusterNotDeciding',
    series: { [active]: always(0), [seriesOf(nameOf(gangs.active), { instance: 'b:8889' })]: always(1) },
    minutes: 10
  },
  'two decide': {
    alert: 'MusterTwiceDeciding',
    series: { [active]: always(1), [seriesOf(nameOf(gangs.active), { instance: 'b:8889' })]: always(1) },
    minutes: 10,
    fires: {}
  },
  'two decide for different kube-schedulers': {
    alert: 'MusterTwiceDeciding',
    series: { [active]: always(1), [seriesOf(nameOf(gangs.active), { job: 'other' })]: always(1) },
    minutes: 10
  },
  'an invariant is broken': {
    alert: 'MusterInvariantBroken',
    series: { [seriesOf(nameOf(gangs.violations), { invariant: 'I1' })]: '0x20 1x30' },
    minutes: 25,
    fires: { invariant: 'I1' }
  },
  'no invariant is broken': {
    alert: 'MusterInvariantBroken',
    series: { [seriesOf(nameOf(gangs.violations), { invariant: 'I1' })]: always(0) },
    minutes: 25
  },
  'it begins anew': {
    alert: 'MusterBeginsAnew',
    series: { [seriesOf(nameOf(gangs.reinitializations))]: '0x20 1x100' },
    minutes: 30,
    fires: { instance }
  },
  'it began anew hours ago': {
    alert: 'MusterBeginsAnew',
    series: { [seriesOf(nameOf(gangs.reinitializations))]: '0x20 1x200' },
    minutes: 120
  },
  'it restarts again and again': {
    alert: 'MusterKeepsRestarting',
    series: { [epoch]: '1x20 2x2 3x2 4x2 5x20' },
    minutes: 32,
    fires: { instance }
  },
  'it restarts once': { alert: 'MusterKeepsRestarting', series: { [epoch]: '1x20 2x40' }, minutes: 32 },
  'a rebuild takes long': {
    alert: 'MusterRebuildSlow',
    series: { [seriesOf(nameOf(gangs.rebuildDuration))]: always(6) },
    minutes: 5,
    fires: { instance }
  },
  'a rebuild is quick': {
    alert: 'MusterRebuildSlow',
    series: { [seriesOf(nameOf(gangs.rebuildDuration))]: always(3) },
    minutes: 5
  },
  'a watch is silent': {
    alert: 'MusterCacheStale',
    series: { [stale('pods')]: '0+60x20', [stale('nodes')]: always(30) },
    minutes: 10,
    fires: { instance, resource: 'pods' }
  },
  'bookmarks come': { alert: 'MusterCacheStale', series: { [stale('pods')]: always(61) }, minutes: 10 },
  'pods are not listed': {
    alert: 'MusterCacheNotSynced',
    series: { [synced('pods')]: always(0), [synced('nodes')]: always(1) },
    minutes: 10,
    fires: { instance, resource: 'pods' }
  },
  'a kind that the cluster does not have is not listed': {
    alert: 'MusterCacheNotSynced',
    series: { [synced('podgroups.scheduling.x-k8s.io')]: always(0), [synced('pods')]: always(1) },
    minutes: 10
  },
  'the API server throttles': {
    alert: 'MusterApiServerFails',
    series: { [requests('201')]: counter([60, 60]), [requests('429')]: counter([60, 6]) },
    minutes: 40,
    fires: {}
  },
  'the API server has a conflict now and then': {
    alert: 'MusterApiServerFails',
    series: { [requests('201')]: counter([60, 60]), [requests('409')]: counter([60, 6]) },
    minutes: 40
  },
  'a gang stays partial': {
    alert: 'MusterGangPartial',
    series: { [seriesOf(nameOf(gangs.oldestPartial))]: '0+60x30' },
    minutes: 15,
    fires: {}
  },
  'a gang is partial while it is repaired': {
    alert: 'MusterGangPartial',
    series: { [seriesOf(nameOf(gangs.oldestPartial))]: '0+60x8 0x30' },
    minutes: 15
  },
  'room is held for nobody': {
    alert: 'MusterHoldsLeak',
    series: {
      [seriesOf(nameOf(gangs.holds))]: always(1),
      [inState('planned')]: always(0),
      [inState('running')]: always(9)
    },
    minutes: 15,
    fires: {}
  },
  'room is held for a gang that is planned': {
    alert: 'MusterHoldsLeak',
    series: { [seriesOf(nameOf(gangs.holds))]: always(1), [inState('planned')]: always(1) },
    minutes: 15
  },
  'holds expire': {
    alert: 'MusterHoldsExpire',
    series: { [seriesOf(nameOf(gangs.holdExpirations))]: counter([30, 0], [10, 1]) },
    minutes: 40,
    fires: {}
  },
  'a hold expires': {
    alert: 'MusterHoldsExpire',
    series: { [seriesOf(nameOf(gangs.holdExpirations))]: counter([30, 0], [1, 1], [20, 0]) },
    minutes: 40
  },
  'evictions are in vain': {
    alert: 'MusterEvictsInVain',
    series: { [seriesOf(nameOf(gangs.wastedEvictions))]: counter([30, 0], [10, 1]) },
    minutes: 45,
    fires: {}
  },
  'an eviction is in vain': {
    alert: 'MusterEvictsInVain',
    series: { [seriesOf(nameOf(gangs.wastedEvictions))]: counter([30, 0], [1, 1], [30, 0]) },
    minutes: 45
  },
  'the event loop is blocked': {
    alert: 'MusterEventLoopBlocked',
    series: { [seriesOf(nameOf(musterProcess.eventLoopDelay))]: always(0.8) },
    minutes: 10,
    fires: { instance }
  },
  'the event loop is blocked once': {
    alert: 'MusterEventLoopBlocked',
    series: { [seriesOf(nameOf(musterProcess.eventLoopDelay))]: '0.01x8 0.8 0.01x20' },
    minutes: 10
  },
  'a certificate ends in six days': {
    alert: 'MusterCertificateEnds',
    series: { [seriesOf(nameOf(musterProcess.certificateExpiry))]: always(6 * 86_400) },
    minutes: 5,
    fires: { instance }
  },
  'a certificate ends in eight days': {
    alert: 'MusterCertificateEnds',
    series: { [seriesOf(nameOf(musterProcess.certificateExpiry))]: always(8 * 86_400) },
    minutes: 5
  }
}

/** The series of a promise of which so many events a minute happen, and of these so many go wrong. */
type Traffic = (perMinute: number, bad: readonly Phase[]) => Readonly<Record<string, string>>

const minutesOf = (phases: readonly Phase[]): number => phases.reduce((sum, [minutes]) => sum + minutes, 0)
const good = (perMinute: number, bad: readonly Phase[]): string =>
  counter(...bad.map(([minutes, share]): Phase => [minutes, perMinute * (1 - share)]))
const all = (perMinute: number, bad: readonly Phase[]): string => counter([minutesOf(bad), perMinute])

/** By alert: how its promise shows traffic; the phases say which share is bad. */
export const traffic: Readonly<Record<string, Traffic>> = {
  MusterLookUpsBurn: (perMinute, bad) => ({
    [seriesOf(`${nameOf(verbs.duration)}_count`, { verb: 'filter' })]: all(perMinute, bad),
    [seriesOf(`${nameOf(verbs.duration)}_bucket`, { verb: 'filter', le: '0.1' })]: good(perMinute, bad),
    [seriesOf(nameOf(verbs.requests), { verb: 'filter', outcome: 'error' })]: all(0, bad)
  }),
  MusterBindsBurn: (perMinute, bad) => ({
    [seriesOf(nameOf(kubernetes.binds), { result: 'bound' })]: good(perMinute, bad),
    [seriesOf(nameOf(kubernetes.binds), { result: 'unknown' })]: counter(
      ...bad.map(([minutes, share]): Phase => [minutes, perMinute * share])
    )
  }),
  MusterStartsBurn: (perMinute, bad) => ({
    [seriesOf(`${nameOf(gangs.placementDuration)}_count`)]: all(perMinute, bad),
    [seriesOf(`${nameOf(gangs.placementDuration)}_bucket`, { le: '30' })]: good(perMinute, bad)
  })
}

const hour = 60
const day = 24 * hour

type BurnCase = {
  /** For so long, so many times as much is bad as the promise allows. */
  readonly phases: readonly Phase[]
  readonly perMinute?: number
  /** The long ranges of the alerts that fire at the end. */
  readonly fires: readonly string[]
}

/** The same for every promise. */
export const burnCases: Readonly<Record<string, BurnCase>> = {
  'all is well': { phases: [[day, 0]], fires: [] },
  'five bad minutes': {
    phases: [
      [day, 0],
      [5, 20]
    ],
    fires: []
  },
  'a bad hour': {
    phases: [
      [day, 0],
      [hour, 20]
    ],
    fires: ['1h']
  },
  'a bad hour that is over': {
    phases: [
      [day, 0],
      [hour, 20],
      [10, 0]
    ],
    fires: []
  },
  'six bad hours': {
    phases: [
      [3 * day, 0],
      [6 * hour, 7]
    ],
    fires: ['6h']
  },
  'a bad day': {
    phases: [
      [3 * day, 0],
      [day, 3.5]
    ],
    fires: ['1d', '3d']
  },
  'three slightly bad days': { phases: [[3 * day, 1.2]], fires: ['3d'] },
  'one event in an hour, and it fails': {
    phases: [
      [day, 0],
      [hour, 20]
    ],
    perMinute: 1 / 1_000,
    fires: []
  }
}
