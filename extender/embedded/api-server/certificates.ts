import { newAuthority, newLeaf } from '../../x509.ts'

/** What a TLS server shows, and whom its clients must trust; all PEM. */
export type ServingCertificate = { readonly ca: string; readonly cert: string; readonly key: string }

const dayMs = 24 * 60 * 60 * 1000
const validDays = 365

/** Makes a CA that signs one certificate for these names and addresses, and is then forgotten. */
export function selfMadeCertificate(hosts: readonly string[], now: number): ServingCertificate {
  // A clock that lags behind ours must not find it not yet valid.
  const span = { from: now - dayMs, to: now + validDays * dayMs }
  const authority = newAuthority('muster-embedded-ca', span)
  const leaf = newLeaf(authority, { name: 'kube-apiserver', hosts, usage: 'server', span })
  return { ca: authority.cert, ...leaf }
}
