import { createPrivateKey, type X509Certificate } from 'node:crypto'
import { UsageError } from '../../errors.ts'
import { type Authority, newAuthority, newLeaf, type Span } from '../../x509.ts'
import { certificatesIn, type Files } from './store.ts'

export type Wish = {
  /** Where kube-scheduler reaches muster. */
  readonly hosts: readonly string[]
  /** The name that kube-scheduler shows. */
  readonly clientName: string
  readonly days: number
}

const dayMs = 86_400_000
const authorityDays = 3650
/** A clock that lags behind ours must not find a certificate not yet valid. */
const lagMs = dayMs / 24

/** A new CA, and what it signs for both sides. */
export function create(wish: Wish, now: number): Files {
  const authority = authorityOf(now)
  return { 'ca.crt': authority.cert, 'ca.key': authority.key, ...leaves(authority, wish, now) }
}

/** What both sides have now, made anew; of CAs, those stay by which one of them is signed today. */
export function rotate(files: Files, wish: Partial<Wish>, now: number): Files {
  const [own, ...former] = trusted(files)
  const [server, client] = [leafIn(files, 'server.crt'), leafIn(files, 'client.crt')]
  const used = former.filter(ca => server.checkIssued(ca) || client.checkIssued(ca))
  const all = {
    hosts: wish.hosts ?? hostsIn(server),
    clientName: wish.clientName ?? nameIn(client),
    days: wish.days ?? 365
  }
  if (endOf(own) <= now)
    throw new UsageError(`the CA in ca.crt ended on ${own.validTo}: muster certs rotate --ca makes another`)
  const made = leaves({ name: nameIn(own), cert: own.toString(), key: files['ca.key'] }, all, now)
  return { 'ca.crt': bundle([own, ...used]), 'ca.key': files['ca.key'], ...made }
}

/** The name that kube-scheduler shows. */
export function clientNameIn(files: Files): string {
  return nameIn(leafIn(files, 'client.crt'))
}

/** That of `ca.key` first; throws UsageError where another stands there. */
function trusted(files: Files): readonly [X509Certificate, ...X509Certificate[]] {
  const all = certificatesIn(files['ca.crt'], 'ca.crt')
  if (isKeyOf(files['ca.key'], all[0])) return all
  throw new UsageError('ca.key is not the key of the first certificate in ca.crt; both are made by muster certs create')
}

function isKeyOf(key: string, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

function leafIn(files: Files, name: 'server.crt' | 'client.crt'): X509Certificate {
  return certificatesIn(files[name], name)[0]
}

/**
 * A new CA beside the old one. Nothing else changes yet: kube-scheduler reads `ca.crt` only when it starts, and would
 * refuse what a CA has signed that it has not heard of.
 */
export function rotateAuthority(files: Files, now: number): Files {
  const { cert, key } = authorityOf(now)
  const kept = trusted(files).filter(ca => endOf(ca) > now)
  return { ...files, 'ca.crt': cert + bundle(kept), 'ca.key': key }
}

/** Each CA has a name of its own: by its name, a leaf's signer is looked for. */
function authorityOf(now: number): Authority {
  return newAuthority(`muster CA ${new Date(now).toISOString()}`, span(now, authorityDays))
}

function leaves(
  authority: Authority,
  { hosts, clientName, days }: Wish,
  now: number
): Omit<Files, 'ca.crt' | 'ca.key'> {
  const ca = certificatesIn(authority.cert, 'ca.crt')[0]
  const { from, to } = span(now, days)
  // What outlives its signer is refused all the same.
  const own = { from, to: Math.min(to, endOf(ca)) }
  const server = newLeaf(authority, { name: 'muster', hosts, usage: 'server', span: own })
  const client = newLeaf(authority, { name: clientName, hosts: [], usage: 'client', span: own })
  return { 'server.crt': server.cert, 'server.key': server.key, 'client.crt': client.cert, 'client.key': client.key }
}

function span(now: number, days: number): Span {
  return { from: now - lagMs, to: now + days * dayMs }
}

const endOf = (certificate: X509Certificate): number => certificate.validToDate.getTime()
const bundle = (all: readonly X509Certificate[]): string => all.map(each => each.toString()).join('')

/** The common name, where that is the whole name, as of all certificates that are made here. */
function nameIn({ subject }: X509Certificate): string {
  const [, name] = /^CN=([^\n]+)$/.exec(subject) ?? []
  if (name === undefined)
    throw new UsageError(`${subject.replaceAll('\n', ', ')} is no certificate of muster certs create`)
  return name
}

function hostsIn({ subjectAltName: said = '' }: X509Certificate): readonly string[] {
  return [...said.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, host = '']) => host)
}
