/** As much of ASN.1's DER as a certificate needs: every function answers one whole element. */

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...parts)
export const octets = (content: Uint8Array): Buffer => element(0x04, content)
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text))
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]))
/** A string of bits whose last byte has `unused` bits too many. */
export const bits = (content: Uint8Array, unused = 0): Buffer => element(0x03, Buffer.from([unused]), content)
/** `[number]` around whole elements. */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer => element(0xa0 + number, ...parts)
/** `[number]` in the place of a string's own tag. */
export const implicit = (number: number, content: Uint8Array): Buffer => element(0x80 + number, content)

/** A positive integer, big end first. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex(byte => byte !== 0)
  const digits = first < 0 ? Buffer.from([0]) : Buffer.from(bytes.subarray(first))
  const isNegative = (digits[0] ?? 0) >= 0x80
  return element(0x02, isNegative ? Buffer.from([0]) : Buffer.alloc(0), digits)
}

/** `2.5.29.17` and the like. */
export function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): readonly number[] {
  const digits = [value & 0x7f]
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80)
  return digits
}

/** A moment: until 2049 with two digits for the year, as X.509 wants it. */
export function time(moment: Date): Buffer {
  const digits = moment.toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return moment.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits))
}
