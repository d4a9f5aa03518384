import type { IncomingHttpHeaders } from 'node:http'

/** For whom a request is, and what the sandbox is asked for. */
export type Route = { readonly project: string; readonly path: string }

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const byPath = /^\/projects\/([^/?#]*)(?<rest>[/?][^]*)?$/

/**
 * The project of a request: 1. header `X-Sandbox-Project`; 2. the host `NAME.DOMAIN`; 3. the path `/projects/NAME/…`,
 * of which the sandbox sees what follows the name. A sentence where its name is none; undefined where it names nobody.
 */
export function routeOf(url: string, headers: IncomingHttpHeaders, domain: string): Route | string | undefined {
  if (!url.startsWith('/')) return 'the request must name a path'
  const named = headers['x-sandbox-project'] ?? projectOfHost(headers.host, domain)
  if (named !== undefined) return checked(String(named), url)
  const found = byPath.exec(url)
  if (!found) return undefined
  const rest = found.groups?.['rest'] ?? '/'
  return checked(found[1] ?? '', rest.startsWith('/') ? rest : `/${rest}`)
}

function projectOfHost(host: string | undefined, domain: string): string | undefined {
  const [name = ''] = (host ?? '').toLowerCase().split(':')
  return name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : undefined
}

function checked(project: string, path: string): Route | string {
  if (label.test(project)) return { project, path }
  return `the project ${JSON.stringify(project.slice(0, 80))} must be a DNS label`
}
