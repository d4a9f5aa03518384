/** One field of a message as it comes: a number, or bytes. */
export type WireField = { readonly number: number; readonly value: bigint | Buffer }

const varint = 0
const fixed64 = 1
const delimited = 2
const fixed32 = 5

/** The fields of a message in the order in which they come; throws where the bytes are none. */
export function* fieldsIn(bytes: Buffer): Generator<WireField> {
  let at = 0
  const number = (): bigint => {
    let [value, shift] = [0n, 0n]
    for (;;) {
      const byte = bytes[at]
      if (byte === undefined || shift > 63n) throw new RangeError('the message ends within a number')
      at += 1
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
      shift += 7n
    }
  }
  const some = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError('the message ends within a field')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(number())
    yield { number: tag >>> 3, value: valueOf(tag & 7, number, some) }
  }
}

function valueOf(type: number, number: () => bigint, some: (length: number) => Buffer): bigint | Buffer {
  switch (type) {
    case varint:
      return number()
    case delimited:
      return some(Number(number()))
    case fixed64:
      return some(8)
    case fixed32:
      return some(4)
    default:
      throw new RangeError(`the message has a field of type ${type}`)
  }
}
