import { platform } from 'node:process'

/** Addresses that a cluster takes before it comes to those where the next block begins. */
const blockSize = 4 * 254
/** So many blocks begin in 127.16.0.0/12. */
const blocks = 1_024

/** Hands out loopback addresses: on Linux, all of 127.0.0.0/8 can be bound, so that each pod has its own. */
export class Addresses {
  readonly #own: boolean
  readonly #taken = new Map<string, string>()
  readonly #used = new Set<string>()
  #next: number

  /** Clusters on one machine, each in a process of its own, keep out of each other's way by blocks, such as their pids. */
  constructor(own: boolean = platform === 'linux', block = 0) {
    this.#own = own
    this.#next = (block % blocks) * blockSize
  }

  /** The address of an owner, which keeps it until it is given back. */
  of(owner: string): string {
    if (!this.#own) return '127.0.0.1'
    const known = this.#taken.get(owner)
    if (known !== undefined) return known
    let address = this.#candidate()
    while (this.#used.has(address)) address = this.#candidate()
    this.#taken.set(owner, address)
    this.#used.add(address)
    return address
  }

  /** Says that an owner has an address already, as its status tells. */
  keep(owner: string, address: string): void {
    this.#taken.set(owner, address)
    this.#used.add(address)
  }

  giveBack(owner: string): void {
    const address = this.#taken.get(owner)
    if (address === undefined) return
    this.#taken.delete(owner)
    this.#used.delete(address)
  }

  /** 127.16.0.1 to 127.255.255.254: nodes and other services of the machine live below. */
  #candidate(): string {
    const number = this.#next++ % (240 * 256 * 254)
    const last = (number % 254) + 1
    const third = Math.floor(number / 254) % 256
    return `127.${16 + Math.floor(number / (254 * 256))}.${third}.${last}`
  }
}

/** The address of node number `index`. */
export function nodeAddress(index: number, own: boolean = platform === 'linux'): string {
  return own
    ? `127.${1 + (Math.floor(index / (250 * 250)) % 15)}.${Math.floor(index / 250) % 250}.${(index % 250) + 1}`
    : '127.0.0.1'
}
