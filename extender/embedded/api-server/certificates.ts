import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { bits, boolean, explicit, identifier, implicit, integer, octets, sequence, set, time, utf8 } from './der.ts'

/** What a TLS server shows, and whom its clients must trust; all PEM. */
export type ServingCertificate = { readonly ca: string; readonly cert: string; readonly key: string }

const ecdsaWithSha256 = sequence(identifier('1.2.840.10045.4.3.2'))
const commonName = identifier('2.5.4.3')
const dayMs = 24 * 60 * 60 * 1000
const validDays = 365

type Party = { readonly name: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject }

/** Makes a CA that signs one certificate for these names and addresses, and is then forgotten. */
export function selfMadeCertificate(hosts: readonly string[], now: number): ServingCertificate {
  const ca = party('muster-embedded-ca')
  const server = party('kube-apiserver')
  const leaf = [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', bits(Buffer.from([0x80]), 7), true),
    extension('2.5.29.37', sequence(identifier('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', sequence(...hosts.map(alternativeName)))
  ]
  const root = [
    extension('2.5.29.19', sequence(boolean(true)), true),
    extension('2.5.29.15', bits(Buffer.from([0x06]), 1), true)
  ]
  return {
    ca: certificate({ subject: ca, issuer: ca, extensions: root, now }),
    cert: certificate({ subject: server, issuer: ca, extensions: leaf, now }),
    key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  }
}

function party(name: string): Party {
  return { name, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) }
}

type Wish = {
  readonly subject: Party
  readonly issuer: Party
  readonly extensions: readonly Buffer[]
  readonly now: number
}

function certificate({ subject, issuer, extensions, now }: Wish): string {
  const ids = [
    extension('2.5.29.14', octets(keyId(subject))),
    extension('2.5.29.35', sequence(implicit(0, keyId(issuer))))
  ]
  const content = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    ecdsaWithSha256,
    distinguishedName(issuer.name),
    // A clock that lags behind ours must not find it not yet valid.
    sequence(time(new Date(now - dayMs)), time(new Date(now + validDays * dayMs))),
    distinguishedName(subject.name),
    publicKeyInfo(subject),
    explicit(3, sequence(...extensions, ...ids))
  )
  const signature = sign('sha256', content, issuer.privateKey)
  return pem(sequence(content, ecdsaWithSha256, bits(signature)))
}

function publicKeyInfo({ publicKey }: Party): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

function keyId(owner: Party): Buffer {
  return createHash('sha1').update(publicKeyInfo(owner)).digest()
}

function distinguishedName(name: string): Buffer {
  return sequence(set(sequence(commonName, utf8(name))))
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(identifier(id), ...(critical ? [boolean(true)] : []), octets(value))
}

function alternativeName(host: string): Buffer {
  if (isIP(host) === 0) return implicit(2, Buffer.from(host))
  return implicit(7, isIP(host) === 4 ? Buffer.from(host.split('.').map(Number)) : ipv6(host))
}

function words(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map(word => parseInt(word, 16))
}

function ipv6(host: string): Buffer {
  const [left = '', right] = host.split('::')
  const [head, tail] = [words(left), words(right ?? '')]
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.from(all.flatMap(word => [word >> 8, word & 0xff]))
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
