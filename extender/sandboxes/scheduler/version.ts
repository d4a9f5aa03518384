/** Of two resource versions: true where both are decimal, as those of etcd are, and `a` is older. */
export function isOlder(a: string, b: string): boolean {
  const decimal = /^\d+$/
  return decimal.test(a) && decimal.test(b) && BigInt(a) < BigInt(b)
}
