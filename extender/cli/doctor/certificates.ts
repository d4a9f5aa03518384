import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Config } from '../../config.ts'
import { reasonOf } from '../../errors.ts'
import { text } from '../../json.ts'
import type { Ground } from './ground.ts'
import type { Check } from './check.ts'
import { error, type Note, plain, warning } from './note.ts'
import { extendersOf } from './scheduler-file.ts'

const dayMs = 86_400_000
/** The alert of `grafana/` comes as early. */
const soonMs = 7 * dayMs

/** A certificate of a file, or why there is none. */
type Shown = { readonly file: string; readonly certificate: X509Certificate }
type Read = { readonly shown: readonly Shown[]; readonly notes: readonly Note[] }

/** A side's own certificate, and whom the other side trusts. */
type Side = { readonly own: string | undefined; readonly trusted: string | undefined }

/** Whether the certificates of both sides hold, and hold for each other. */
export const certificates = {
  name: 'certificates',
  async look(ground): Promise<readonly Note[]> {
    const [config, told] = [await ground.config(), await expiryTold(ground)]
    const muster: Side = { own: config.tls?.cert, trusted: config.extenderTls.ca }
    const scheduler: Side = { own: config.extenderTls.identity?.cert, trusted: config.tls?.clientCa }
    const files = [muster, scheduler].flatMap(({ own, trusted }) => [own ?? [], trusted ?? []].flat())
    if (files.length > 0)
      return [...told, ...judge([muster, scheduler], read(files, ground.now), await hostsOf(ground, config))]
    if (told.length > 0) return told
    return [{ skipped: 'no certificate was named: see --tls-cert, --tls-client-ca, --ca, --client-cert' }]
  }
} satisfies Check

function judge(sides: readonly [Side, Side], { shown, notes }: Read, hosts: readonly string[]): readonly Note[] {
  const of = (file: string | undefined): readonly X509Certificate[] =>
    shown.filter(each => each.file === file).map(({ certificate }) => certificate)
  const [muster] = sides
  const found = [
    ...notes,
    ...sides.flatMap(({ own, trusted }) => signed(own, of(own)[0], of(trusted))),
    ...named(muster.own, of(muster.own)[0], hosts)
  ]
  return found.length > 0 ? found : [{ fact: 'the certificates that were named hold, and hold for each other' }]
}

/** What the running muster says of the one that it shows. */
async function expiryTold(ground: Ground): Promise<readonly Note[]> {
  const server = await ground.server()
  const seconds = server?.samples.get('muster_certificate_expiry_timestamp_seconds')
  if (!server || seconds === undefined || seconds === 0) return []
  const note = expiry(`certificate of ${server.url}`, seconds * 1000, ground.now)
  return note ? [note] : [{ fact: `the certificate that muster shows holds until ${day(seconds * 1000)}` }]
}

function read(files: readonly string[], now: number): Read {
  const all = [...new Set(files)].map(file => readOne(file, now))
  return { shown: all.flatMap(each => each.shown), notes: all.flatMap(each => each.notes) }
}

function readOne(file: string, now: number): Read {
  try {
    const found = certificatesIn(readFileSync(file, 'utf8'))
    const notes = found.flatMap(certificate => expiry(file, certificate.validToDate.getTime(), now) ?? [])
    return { shown: found.map(certificate => ({ file, certificate })), notes }
  } catch (cause) {
    const why = 'muster or kube-scheduler does not start with it'
    const fix = 'muster certs create makes them'
    return { shown: [], notes: [error({ where: file, problem: plain(reasonOf(cause)), why, fix })] }
  }
}

/** Throws where there is none. */
function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (!blocks) throw new Error('it holds no PEM certificate')
  return blocks.slice(0, 100).map(block => new X509Certificate(block))
}

function expiry(where: string, end: number, now: number): Note | undefined {
  const fix = 'muster certs rotate makes new ones; muster reads its files again by itself'
  const why = 'from then on no call of kube-scheduler succeeds, and every pod waits'
  if (end <= now) return error({ where, problem: `it ended on ${day(end)}`, why, fix })
  if (end - now > soonMs) return undefined
  return warning({ where, problem: `it ends on ${day(end)}`, why, fix })
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')

/** Whether one of those who are trusted has signed it. */
function signed(
  file: string | undefined,
  leaf: X509Certificate | undefined,
  trusted: readonly X509Certificate[]
): readonly Note[] {
  if (file === undefined || !leaf || trusted.length === 0) return []
  if (trusted.some(ca => leaf.checkIssued(ca) && leaf.verify(ca.publicKey))) return []
  const why = 'the other side refuses it, and no call succeeds'
  const problem = `none of the CAs that the other side trusts has signed it`
  return [error({ where: file, problem, why, fix: 'muster certs rotate signs with the CA that is there' })]
}

/** Whether it holds for where kube-scheduler calls. */
function named(file: string | undefined, leaf: X509Certificate | undefined, hosts: readonly string[]): readonly Note[] {
  if (file === undefined || !leaf) return []
  const wrong = hosts.filter(host => (isIP(host) ? leaf.checkIP(host) : leaf.checkHost(host)) === undefined)
  return wrong.map(host =>
    error({
      where: file,
      problem: `it does not hold for ${plain(host)}, but for ${plain(leaf.subjectAltName ?? 'nothing')}`,
      why: 'kube-scheduler calls muster by that name, and refuses whoever answers',
      fix: `muster certs rotate --host ${plain(host)}`
    })
  )
}

/** By which names kube-scheduler calls muster over TLS. */
async function hostsOf(ground: Ground, { extender }: Config): Promise<readonly string[]> {
  const scheduler = await ground.scheduler()
  const configured = typeof scheduler === 'string' ? [] : extendersOf(scheduler)
  const own = URL.parse(extender ?? '')
  const all = own ? [{ url: own, tls: {} }] : configured
  const hosts = all
    .filter(({ url }) => url.protocol === 'https:')
    .map(({ url, tls }) => text(tls.serverName) ?? url.hostname.replaceAll(/^\[|\]$/g, ''))
  return [...new Set(hosts)]
}
