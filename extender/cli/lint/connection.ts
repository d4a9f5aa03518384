import type { Value } from './document.ts'
import { flag, type Found, placeOf, quote, type Rule, text } from './rule.ts'

type At = { readonly entry: Value; readonly url: URL }

/** What kube-scheduler calls; undefined for what it cannot call. */
function urlOf(entry: Value): URL | undefined {
  const said = text(entry, 'urlPrefix')
  const url = /\s/.test(said) ? null : URL.parse(said)
  return url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' ? url : undefined
}

/** Two texts of one server are the same. */
function addressOf(urlPrefix: string): string {
  return (URL.parse(urlPrefix)?.href ?? urlPrefix).replace(/\/+$/, '')
}

/**
 * Which entries call muster: those of the URL that the user named; else those of the URL that binds at `bind` and, where
 * that does not filter, of the one that filters at `filter`.
 */
export function entriesOf(extenders: readonly Value[], url: string | undefined): readonly Value[] {
  const address = (entry: Value): string => addressOf(text(entry, 'urlPrefix'))
  const at = (addresses: readonly string[]): readonly Value[] =>
    extenders.filter(entry => addresses.includes(address(entry)))
  if (url !== undefined) return at([addressOf(url)])
  const binders = extenders.filter(entry => text(entry, 'bindVerb') === 'bind').map(address)
  if (at(binders).some(entry => text(entry, 'filterVerb') !== '')) return at(binders)
  const filters = extenders.filter(entry => text(entry, 'filterVerb') === 'filter').map(address)
  return at([...binders, ...filters])
}

function calls(entries: readonly Value[]): readonly At[] {
  return entries.flatMap(entry => {
    const url = urlOf(entry)
    return url ? [{ entry, url }] : []
  })
}

function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

function hasCa(entry: Value): boolean {
  const tls = entry.field('tlsConfig')
  return text(tls, 'caFile') !== '' || text(tls, 'caData') !== ''
}

/** What is unverified about an https entry, if anything is. */
function unverified(entry: Value): Found | undefined {
  const tls = entry.field('tlsConfig')
  if (tls && flag(tls, 'insecure')) {
    const fix = hasCa(entry) ? 'remove insecure' : 'tlsConfig: {caFile: /path/to/ca.crt} instead of insecure'
    return { at: placeOf(tls, 'insecure'), problem: 'tlsConfig.insecure: true', fix }
  }
  if (hasCa(entry)) return undefined
  const at = placeOf(entry, flag(entry, 'enableHTTPS') ? 'enableHTTPS' : 'urlPrefix')
  return { at, problem: 'https without tlsConfig.caFile or caData', fix: 'tlsConfig: {caFile: /path/to/ca.crt}' }
}

const managed = (entry: Value): readonly Value[] => entry.field('managedResources')?.items ?? []

const managedRules: readonly Rule[] = [
  {
    name: 'managed-twice',
    severity: 'error',
    why: 'kube-scheduler refuses to start: a managed resource belongs to one entry',
    *check({ extenders }) {
      const seen = new Set<string>()
      for (const resource of extenders.flatMap(managed)) {
        const name = text(resource, 'name')
        const fix = 'another name in each entry, such as example.com/gang and example.com/gang-bind'
        if (seen.has(name))
          yield { at: placeOf(resource, 'name'), problem: `managed resource ${quote(name)} is named again`, fix }
        seen.add(name)
      }
    }
  },
  {
    name: 'managed-counted',
    severity: 'error',
    why: 'no node offers the resource, so no pod that asks for it ever fits',
    *check({ muster }) {
      for (const resource of muster.flatMap(managed)) {
        if (flag(resource, 'ignoredByScheduler')) continue
        const problem = `managed resource ${quote(text(resource, 'name'))} is not ignoredByScheduler`
        yield { at: placeOf(resource, 'ignoredByScheduler'), problem, fix: 'ignoredByScheduler: true' }
      }
    }
  },
  {
    name: 'managed-scope',
    severity: 'warning',
    why: 'pods that do not ask for it never reach muster: they take room that is held, and members without it pass the barrier',
    *check({ muster, scope }) {
      for (const entry of muster) {
        if (managed(entry).length === 0 || scope === 'gangs') continue
        yield {
          at: placeOf(entry, 'managedResources'),
          problem: 'managedResources limits which pods reach muster',
          fix: 'remove managedResources, or --scope gangs for muster serve and lint'
        }
      }
    }
  }
]

export const connectionRules: readonly Rule[] = [
  {
    name: 'url',
    severity: 'error',
    why: 'kube-scheduler cannot call it, and every pod waits',
    *check({ muster }) {
      for (const entry of muster) {
        if (urlOf(entry)) continue
        const problem = `urlPrefix: ${quote(text(entry, 'urlPrefix'))} is no http or https URL`
        yield { at: placeOf(entry, 'urlPrefix'), problem, fix: 'urlPrefix: http://127.0.0.1:8888' }
      }
    }
  },
  {
    name: 'url-path',
    severity: 'warning',
    why: 'muster serves its verbs at the root and answers 404, unless a proxy takes the path away',
    *check({ muster }) {
      for (const { entry, url } of calls(muster)) {
        if (/^\/*$/.test(url.pathname)) continue
        yield {
          at: placeOf(entry, 'urlPrefix'),
          problem: `urlPrefix has the path ${quote(url.pathname)}`,
          fix: `urlPrefix: ${url.origin}`
        }
      }
    }
  },
  {
    name: 'one-server',
    severity: 'error',
    why: 'the plan is in the memory of the muster that filters; another one cannot bind by it',
    *check({ muster }) {
      const first = calls(muster)[0]?.url.href
      for (const { entry, url } of calls(muster)) {
        if (first === undefined || addressOf(first) === addressOf(url.href)) continue
        const problem = `the entries of muster call ${addressOf(first)} and ${addressOf(url.href)}`
        const fix = `urlPrefix: ${addressOf(first)}, or --extender URL where one of them is another extender`
        yield { at: placeOf(entry, 'urlPrefix'), problem, fix }
      }
    }
  },
  {
    name: 'clear-text',
    severity: 'error',
    why: 'whoever is on the way sees pods and decides where they run',
    *check({ muster }) {
      for (const { entry, url } of calls(muster)) {
        if (url.protocol !== 'http:' || isLoopback(url)) continue
        const fix = `urlPrefix: https://${url.host} and tlsConfig: {caFile: /path/to/ca.crt}, or muster beside kube-scheduler at http://127.0.0.1:8888`
        yield { at: placeOf(entry, 'urlPrefix'), problem: `http to ${url.host}, which is not this machine`, fix }
      }
    }
  },
  {
    name: 'tls-unverified',
    severity: 'error',
    why: 'kube-scheduler then verifies nothing, or trusts every CA of the system: who answers as muster decides where pods run',
    *check({ muster }) {
      for (const { entry, url } of calls(muster)) {
        const found = url.protocol === 'https:' ? unverified(entry) : undefined
        if (found) yield found
      }
    }
  },
  {
    name: 'tls-unused',
    severity: 'warning',
    why: 'only the scheme of urlPrefix turns TLS on; this is sent in clear text',
    *check({ muster }) {
      for (const { entry, url } of calls(muster)) {
        if (url.protocol !== 'http:') continue
        const name = ['enableHTTPS', 'tlsConfig'].find(each => entry.field(each)?.scalar !== false && entry.field(each))
        if (name !== undefined)
          yield {
            at: placeOf(entry, name),
            problem: `${name} with a urlPrefix of http`,
            fix: `urlPrefix: https://${url.host}`
          }
      }
    }
  },
  ...managedRules
]
