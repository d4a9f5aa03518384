import type { Place, Value } from './document.ts'
import { nearest } from './fields.ts'
import { type Configuration, flag, type Found, number, placeOf, quote, type Rule, text } from './rule.ts'

export const kind = 'KubeSchedulerConfiguration'
const group = 'kubescheduler.config.k8s.io'
const defaultName = 'default-scheduler'

const profilesOf = (root: Value): readonly Value[] => root.field('profiles')?.items ?? []

/** The name of a profile; kube-scheduler names a single one itself. */
function nameOf(profile: Value, all: readonly Value[]): string {
  return text(profile, 'schedulerName') || (all.length === 1 ? defaultName : '')
}

function namesOf(root: Value): readonly string[] {
  const profiles = profilesOf(root)
  return profiles.length === 0 ? [defaultName] : profiles.map(profile => nameOf(profile, profiles))
}

const named = (set: Value | undefined, list: string): readonly Value[] => set?.field(list)?.items ?? []
const find = (plugins: readonly Value[], ...names: readonly string[]): Value | undefined =>
  plugins.find(plugin => names.includes(text(plugin, 'name')))

/** Where a default plugin is switched off for a point: the point itself counts before multiPoint, enabled before disabled. */
function disabledAt(profile: Value, plugin: string, point: string): Place | undefined {
  for (const each of [point, 'multiPoint']) {
    const set = profile.field('plugins')?.field(each)
    if (find(named(set, 'enabled'), plugin)) return undefined
    const off = find(named(set, 'disabled'), plugin, '*')
    if (off) return off.place
  }
  return undefined
}

function needs(plugin: string, points: readonly string[], rule: Pick<Rule, 'name' | 'why'>): Rule {
  return {
    ...rule,
    severity: 'error',
    *check({ root, schedulerNames }) {
      const profiles = profilesOf(root)
      for (const profile of profiles.filter(each => schedulerNames.includes(nameOf(each, profiles)))) {
        for (const point of points) {
          const at = disabledAt(profile, plugin, point)
          if (at)
            yield {
              at,
              problem: `${plugin} is disabled at ${point}`,
              fix: `plugins: {${point}: {enabled: [{name: ${plugin}}]}}`
            }
        }
      }
    }
  }
}

function lacking({ root }: Configuration, names: readonly string[]): readonly Found[] {
  const present = namesOf(root)
  return names
    .filter(name => !present.includes(name))
    .map(name => ({
      at: placeOf(root, 'profiles'),
      problem: `no profile is named ${name}`,
      fix: `profiles: add - schedulerName: ${name}`
    }))
}

const servesSome = ({ root, schedulerNames }: Configuration): boolean =>
  namesOf(root).some(name => schedulerNames.includes(name))

/** Whether it would wait for the lease that the cluster's own scheduler holds. */
function sharesLease(root: Value): boolean {
  const election = root.field('leaderElection')
  if (election?.field('leaderElect')?.scalar === false || namesOf(root).includes(defaultName)) return false
  const name = text(election, 'resourceName') || 'kube-scheduler'
  const namespace = text(election, 'resourceNamespace') || 'kube-system'
  return name === 'kube-scheduler' && namespace === 'kube-system'
}

const documentRules: readonly Rule[] = [
  {
    name: 'api-version',
    severity: 'error',
    why: 'kube-scheduler refuses to start: since 1.29 it knows v1 alone',
    *check({ root }) {
      const said = text(root, 'apiVersion')
      if (said === `${group}/v1`) return
      const problem = said === '' ? 'no apiVersion' : `apiVersion: ${quote(said).slice(1, -1)}`
      yield { at: placeOf(root, 'apiVersion'), problem, fix: `apiVersion: ${group}/v1` }
    }
  },
  {
    name: 'kind',
    severity: 'error',
    why: 'kube-scheduler refuses to start with any other',
    *check({ root }) {
      const said = text(root, 'kind')
      if (said === kind) return
      yield {
        at: placeOf(root, 'kind'),
        problem: said === '' ? 'no kind' : `kind: ${quote(said).slice(1, -1)}`,
        fix: `kind: ${kind}`
      }
    }
  },
  {
    name: 'first-document',
    severity: 'error',
    why: 'kube-scheduler reads the first document of a file and no other',
    *check({ root, isFirst }) {
      if (!isFirst)
        yield {
          at: root.place,
          problem: 'another document stands before the configuration',
          fix: 'put it into a file of its own'
        }
    }
  }
]

export const schedulerRules: readonly Rule[] = [
  ...documentRules,
  {
    name: 'profile-missing',
    severity: 'error',
    why: 'nobody schedules the pods of a name without a profile',
    *check(configuration) {
      if (servesSome(configuration)) yield* lacking(configuration, configuration.namedSchedulers)
      else
        yield* lacking(
          configuration,
          configuration.namedSchedulers.length > 0 ? configuration.namedSchedulers : ['muster']
        )
    }
  },
  {
    name: 'profile-unserved',
    severity: 'warning',
    why: 'muster serves that name always, and pods that carry it would wait for ever',
    *check(configuration) {
      const { schedulerNames, namedSchedulers } = configuration
      if (servesSome(configuration))
        yield* lacking(
          configuration,
          schedulerNames.filter(name => !namedSchedulers.includes(name))
        )
    }
  },
  needs('SchedulingGates', ['preEnqueue'], {
    name: 'gates-disabled',
    why: 'gated members are then scheduled before their gang is planned'
  }),
  needs('NodeResourcesFit', ['preFilter', 'filter'], {
    name: 'fit-disabled',
    why: 'nothing in kube-scheduler then keeps pods off full nodes, nor others off nominated room'
  }),
  {
    name: 'client-rate',
    severity: 'warning',
    why: 'refusals of ungated members use it up: 100 ordinary pods behind 600 took 10.6 s instead of 0.7 s',
    *check({ root }) {
      const client = root.field('clientConnection')
      const qps = number(client, 'qps') || 50
      const burst = number(client, 'burst') || 100
      // Negative is without limit.
      if (qps < 0 || (qps >= 500 && burst >= 1000)) return
      const at = client ? placeOf(client, qps < 500 ? 'qps' : 'burst') : root.place
      yield {
        at,
        problem: `clientConnection has qps ${qps} and burst ${burst}, below 500 and 1000`,
        fix: 'clientConnection: {qps: 1000, burst: 2000}'
      }
    }
  },
  {
    name: 'leader-election',
    severity: 'warning',
    why: "it waits for the lease of the cluster's own scheduler, and schedules nothing while that runs",
    *check({ root }) {
      if (!sharesLease(root)) return
      const election = root.field('leaderElection')
      const problem = flag(election, 'leaderElect')
        ? 'leaderElect: true with the default lease'
        : 'leaderElect is true by default'
      const fix =
        'leaderElection: {leaderElect: false}, or with replicas {leaderElect: true, resourceName: muster-scheduler}'
      yield { at: election ? placeOf(election, 'leaderElect') : root.place, problem, fix }
    }
  },
  {
    name: 'all-nodes',
    severity: 'warning',
    why: 'planned pods need no full list, and others cost six times as much on 5,000 nodes',
    *check({ root }) {
      for (const value of [root, ...profilesOf(root)]) {
        if (number(value, 'percentageOfNodesToScore') !== 100) continue
        yield {
          at: placeOf(value, 'percentageOfNodesToScore'),
          problem: 'percentageOfNodesToScore: 100',
          fix: 'remove percentageOfNodesToScore'
        }
      }
    }
  }
]

/** What a document is that is none of kube-scheduler's; undefined where it is, or is meant to be. */
export function strangerKind(root: Value): string | undefined {
  const said = text(root, 'kind')
  const isMeant =
    said === kind || nearest(said, [kind]) !== undefined || text(root, 'apiVersion').startsWith(`${group}/`)
  return isMeant || root.field('extenders') ? undefined : said || 'no kind'
}
