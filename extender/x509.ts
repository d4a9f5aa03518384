import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign
} from 'node:crypto'
import { isIP } from 'node:net'
import { bits, boolean, explicit, identifier, implicit, integer, octets, sequence, set, time, utf8 } from './der.ts'

/** A certificate with its key; both PEM. */
export type Pair = { readonly cert: string; readonly key: string }

/** Who signs: its common name is its whole name. */
export type Authority = Pair & { readonly name: string }

/** From when to when a certificate holds, in milliseconds since the epoch. */
export type Span = { readonly from: number; readonly to: number }

export type Leaf = {
  /** The common name. */
  readonly name: string
  /** Names and addresses at which a server is called; a client has none. */
  readonly hosts: readonly string[]
  readonly usage: 'server' | 'client'
  readonly span: Span
}

const ecdsaWithSha256 = sequence(identifier('1.2.840.10045.4.3.2'))
const commonName = identifier('2.5.4.3')
const usages = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' }

/** Makes a key and a certificate of that name, which signs itself and others. */
export function newAuthority(name: string, span: Span): Authority {
  const key = newKey()
  const extensions = [
    extension('2.5.29.19', sequence(boolean(true)), true),
    extension('2.5.29.15', bits(Buffer.from([0x06]), 1), true)
  ]
  const cert = certificate({ name, publicKey: createPublicKey(key), issuer: { name, key }, extensions, span })
  return { name, cert, key: pemOf(key) }
}

/** Makes a key and a certificate that the authority has signed. */
export function newLeaf(authority: Authority, { name, hosts, usage, span }: Leaf): Pair {
  const key = newKey()
  const issuer = { name: authority.name, key: createPrivateKey(authority.key) }
  const extensions = [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', bits(Buffer.from([0x80]), 7), true),
    extension('2.5.29.37', sequence(identifier(usages[usage]))),
    ...(hosts.length > 0 ? [extension('2.5.29.17', sequence(...hosts.map(alternativeName)))] : [])
  ]
  return { cert: certificate({ name, publicKey: createPublicKey(key), issuer, extensions, span }), key: pemOf(key) }
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

type Wish = {
  readonly name: string
  readonly publicKey: KeyObject
  readonly issuer: { readonly name: string; readonly key: KeyObject }
  readonly extensions: readonly Buffer[]
  readonly span: Span
}

function certificate({ name, publicKey, issuer, extensions, span }: Wish): string {
  const ids = [
    extension('2.5.29.14', octets(keyId(publicKey))),
    extension('2.5.29.35', sequence(implicit(0, keyId(createPublicKey(issuer.key)))))
  ]
  const content = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    ecdsaWithSha256,
    distinguishedName(issuer.name),
    sequence(time(new Date(span.from)), time(new Date(span.to))),
    distinguishedName(name),
    publicKeyInfo(publicKey),
    explicit(3, sequence(...extensions, ...ids))
  )
  return pem(sequence(content, ecdsaWithSha256, bits(sign('sha256', content, issuer.key))))
}

function publicKeyInfo(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha1').update(publicKeyInfo(publicKey)).digest()
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
