import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Certificates = {
  readonly folder: string
  readonly read: (name: string) => Buffer
  /** Makes `NAME.crt` and `NAME.key`, signed by the CA. */
  readonly issue: (name: string, names: string) => void
}

/** A certificate authority of our own (`ca.crt`) in a new folder; undefined where openssl is missing. */
export function certificates(): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'muster-certificates-'))
  const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=test CA', '-keyout', 'ca.key', '-out', 'ca.crt')
  } catch {
    return undefined
  }
  return {
    folder,
    read: name => readFileSync(join(folder, name)),
    issue: (name, names) => {
      const request = ['req', ...key, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`]
      openssl(...request, '-keyout', `${name}.key`, '-out', `${name}.csr`)
      const sign = ['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial']
      openssl(...sign, '-days', '2', '-copy_extensions', 'copy', '-out', `${name}.crt`)
    }
  }
}
