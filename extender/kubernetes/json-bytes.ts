/** The bytes of which JSON is made. */
export const [quote, backslash, colon, comma] = [0x22, 0x5c, 0x3a, 0x2c]
export const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

/** Where the string that begins at `at` ends, or `end`. */
export function closingQuote(bytes: Uint8Array, at: number, end: number): number {
  let here = at
  for (; here < end; here += 1) {
    const byte = bytes[here]
    if (byte === quote) return here
    if (byte === backslash) here += 1
  }
  return here
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

export function isDelimiter(byte: number | undefined): boolean {
  return byte === comma || byte === closeBrace || byte === closeBracket || isSpace(byte)
}
