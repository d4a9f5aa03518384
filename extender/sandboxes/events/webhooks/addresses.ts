import { BlockList, isIP } from 'node:net'
import { UsageError } from '../../../errors.ts'

/** Addresses that belong to no machine of the public internet. */
const special = {
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', 'fec0::/10'],
  loopback: ['127.0.0.0/8', '::1/128'],
  // 169.254.169.254 among them: the metadata of cloud machines.
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  reserved: [
    ...['0.0.0.0/8', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15', '198.51.100.0/24'],
    // Translations into IPv4 too: what they lead to is not seen.
    ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
  ]
} as const

/** What `--allow-private` allows: other machines of one's own network, and this one. Never link-local. */
export const ownNetwork: readonly string[] = [...special.private, ...special.loopback]

const kinds = Object.entries(special).map(([kind, ranges]) => ({ kind, list: listOf(ranges, kind) }))
const publicV6 = listOf(['2000::/3'], '')

/** Tells why an address must not be reached; undefined where it may. */
export type AddressRule = (address: string) => string | undefined

/** Only public addresses, and those in these ranges, such as `10.0.0.0/8`. */
export function addressRule(allowed: readonly string[], where: string): AddressRule {
  const exceptions = listOf(allowed, where)
  return given => {
    const address = plain(given)
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (isIP(address) === 0) return `${given} is no address`
    if (exceptions.check(address, family)) return undefined
    const found = kinds.find(({ list }) => list.check(address, family))
    if (found) return `${given} is ${found.kind}`
    return family === 'ipv6' && !publicV6.check(address, family) ? `${given} is not public` : undefined
  }
}

/** Without brackets and zone; IPv4 where it is only written as IPv6. */
function plain(given: string): string {
  const address = given.replaceAll(/^\[|\]$|%.*$/g, '')
  if (isIP(address) !== 6) return address
  const { hostname } = new URL(`http://[${address}]`)
  const [, high = '', low = ''] = /^\[::ffff:([\da-f]{1,4}):([\da-f]{1,4})\]$/.exec(hostname) ?? []
  if (high === '') return address
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

function listOf(ranges: readonly string[], where: string): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [, address = '', bits = ''] = /^([\da-fA-F.:]+)\/(\d{1,3})$/.exec(range) ?? []
    const version = isIP(address)
    if (version === 0 || Number(bits) > (version === 6 ? 128 : 32))
      throw new UsageError(`${where}: ${JSON.stringify(range)} must be a range of addresses such as 10.0.0.0/8`)
    list.addSubnet(address, Number(bits), version === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
