/** What is between two neighbours on the way, and not between the ends (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'expect']
])

/** Headers as a flat list of names and values, as Node reads and writes them. */
export type RawHeaders = readonly string[]

/** The headers that go on: not those of the hop, nor those that `Connection` names as such. */
export function endToEnd(raw: RawHeaders, without: readonly string[] = []): string[] {
  const dropped = new Set([...hopByHop, ...namedIn(raw), ...without])
  return pairs(raw)
    .filter(([name]) => !dropped.has(name.toLowerCase()))
    .flat()
}

function namedIn(raw: RawHeaders): string[] {
  const values = pairs(raw).filter(([name]) => name.toLowerCase() === 'connection')
  return values.flatMap(([, value]) => value.split(',').map(name => name.trim().toLowerCase()))
}

function pairs(raw: RawHeaders): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] ?? '', raw[2 * index + 1] ?? ''])
}
