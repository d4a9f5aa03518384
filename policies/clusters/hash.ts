/** Uniform in (0, 1), the same for the same texts everywhere: FNV-1a over their code units, then murmur's finaliser. */
export function uniform(...texts: readonly string[]): number {
  let hash = 0x811c9dc5
  for (const text of texts) {
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      hash = step(step(hash, unit & 0xff), unit >>> 8)
    }
    // What no code unit gives, so that ('ab', 'c') is not ('a', 'bc').
    hash = step(hash, 0x1ff)
  }
  return (finish(hash) + 0.5) / 2 ** 32
}

const step = (hash: number, octet: number): number => Math.imul(hash ^ octet, 0x01000193)

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
