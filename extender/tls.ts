import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type PeerCertificate } from 'node:tls'
import { Gauge, type Registry } from 'prom-client'
import type { TlsFiles } from './config.ts'
import { reasonOf, UsageError } from './errors.ts'

/** Files are looked at so often; a certificate is renewed days before it ends. */
const lookMs = 10_000
const minVersion = 'TLSv1.2'

/** What a server of Node's is given: the texts of the files. */
export type Secrets = {
  readonly cert: string
  readonly key: string
  readonly ca?: string
  readonly minVersion: typeof minVersion
}

export type CertificatesParts = {
  readonly files: TlsFiles
  readonly registry: Registry
  readonly log: { info(fields: object, text: string): void; error(fields: object, text: string): void }
  readonly lookMs?: number
}

/** Has a value where the verbs are served over TLS. */
export function certificateExpiry(registry: Registry): Gauge {
  return new Gauge({
    name: 'muster_certificate_expiry_timestamp_seconds',
    help: 'When the certificate of the verbs ends.',
    registers: [registry]
  })
}

/** The files of a TLS server, looked at again and again: a pair that cannot be used leaves the last good one in place. */
export class Certificates {
  readonly #parts: CertificatesParts
  readonly #expiry: Gauge
  /** What was looked at last, good or bad. */
  #seen: Secrets
  #good: Secrets

  /** Throws UsageError where the files cannot be used. */
  constructor(parts: CertificatesParts) {
    this.#parts = parts
    this.#expiry = certificateExpiry(parts.registry)
    try {
      this.#seen = read(parts.files)
      this.#good = this.#use(this.#seen)
    } catch (error) {
      throw new UsageError(`cannot use ${namesOf(parts.files)}: ${reasonOf(error)}`)
    }
  }

  get secrets(): Secrets {
    return this.#good
  }

  /** Tells of every change that can be used, until the answer is called. */
  watch(changed: (secrets: Secrets) => void): () => void {
    const timer = setInterval(() => this.#look(changed), this.#parts.lookMs ?? lookMs)
    timer.unref()
    return () => clearInterval(timer)
  }

  #look(changed: (secrets: Secrets) => void): void {
    const { files, log } = this.#parts
    try {
      const found = read(files)
      // Whoever replaces the files may be in the middle of it: then they are looked at the next time.
      if (same(found, this.#seen) || !same(found, read(files))) return
      this.#seen = found
      this.#good = this.#use(found)
      changed(found)
      log.info({ files: namesOf(files) }, 'the TLS files changed and are used from now on')
    } catch (error) {
      log.error({ err: error }, `cannot use ${namesOf(files)}: ${reasonOf(error)}; what was there before stays in use`)
    }
  }

  #use(secrets: Secrets): Secrets {
    const certificate = new X509Certificate(secrets.cert)
    // A context is happy with empty files, and refuses every client afterwards.
    if (!certificate.checkPrivateKey(createPrivateKey(secrets.key)))
      throw new Error('the key belongs to another certificate')
    if (secrets.ca !== undefined) new X509Certificate(secrets.ca)
    createSecureContext(secrets)
    this.#expiry.set(certificate.validToDate.getTime() / 1000)
    return secrets
  }
}

const text = (path: string): string => readFileSync(path, 'utf8')

function read({ cert, key, clientCa }: TlsFiles): Secrets {
  return { cert: text(cert), key: text(key), ...(clientCa !== undefined && { ca: text(clientCa) }), minVersion }
}

function same(a: Secrets, b: Secrets): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca
}

function namesOf({ cert, key, clientCa }: TlsFiles): string {
  return [cert, key, ...(clientCa === undefined ? [] : [clientCa])].join(', ')
}

/** Names of a client: its common name and whatever its alternative names say. */
export function namesIn({ subject, subjectaltname = '' }: Partial<PeerCertificate>): readonly string[] {
  // Node puts a name in quotes where it could be taken for several.
  const alternatives = [...subjectaltname.matchAll(/(?:^|, )[\w ]+:("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, name = '']) =>
    name.startsWith('"') ? String(JSON.parse(name)) : name
  )
  return [subject?.CN ?? [], alternatives].flat()
}
