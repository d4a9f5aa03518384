import { BlockList, isIP } from 'node:net'
import { UsageError } from '../../errors.ts'

/** Where traffic may go. */
export type Target = { readonly address: string; readonly port: number }

/**
 * What no pod of a cluster has, but what a forged address could reach: this machine, its link, the services of clouds
 * that tell secrets, everybody at once.
 */
const never = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ...['100.100.100.200/32', '168.63.129.16/32'],
  ...['::/96', '64:ff9b::/96', '2002::/16', 'fe80::/10', 'ff00::/8', 'fd00:ec2::254/128']
]

/** Judges addresses that the scheduler has named; `allowed` are ranges such as `127.16.0.0/12`, for pods on loopback. */
export class Targets {
  readonly #never = listOf(never)
  readonly #allowed: BlockList

  constructor(allowed: readonly string[]) {
    this.#allowed = listOf(allowed)
  }

  /** Why nothing is sent there; undefined where it is. */
  refusal({ address, port }: Target): string | undefined {
    const family = isIP(address)
    if (family === 0 || address.includes('%')) return `${JSON.stringify(address.slice(0, 80))} is no address`
    if (!Number.isInteger(port) || port < 1 || port > 65_535) return `${port} is no port`
    // IPv4 written as IPv6 is judged as what it is.
    const type = family === 4 ? 'ipv4' : 'ipv6'
    if (this.#allowed.check(address, type) || !this.#never.check(address, type)) return undefined
    return `${address} is no address of a pod: loopback, link-local and metadata addresses are refused`
  }
}

function isRange(text: string): boolean {
  const [address = '', bits = ''] = text.split('/')
  const family = isIP(address)
  return family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    if (!isRange(range))
      throw new UsageError(`${JSON.stringify(range)} must be a range of addresses, such as 10.0.0.0/8`)
    const [address = '', bits] = range.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
