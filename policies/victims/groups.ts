/** Numbers in groups: those of a group stand in `members` from its place in `from` up to where the next one begins. */
export type Groups = { readonly from: Int32Array; readonly members: Int32Array }

/** Groups the places of `keys` by the keys, each group in its order; keys below zero are left out. Counts, compares nothing. */
export function grouped(keys: Int32Array, groups: number): Groups {
  const from = startsOf(keys, groups)
  const next = from.slice()
  const members = new Int32Array(from[groups] ?? 0)
  for (let place = 0; place < keys.length; place++) {
    const key = keys[place] ?? -1
    if (key < 0) continue
    const at = next[key] ?? 0
    members[at] = place
    next[key] = at + 1
  }
  return { from, members }
}

/** Where each group begins, and at the end where the last one ends. */
function startsOf(keys: Int32Array, groups: number): Int32Array {
  const starts = new Int32Array(groups + 1)
  for (const key of keys) if (key >= 0) starts[key + 1] = (starts[key + 1] ?? 0) + 1
  let sum = 0
  for (let key = 1; key <= groups; key++) {
    sum += starts[key] ?? 0
    starts[key] = sum
  }
  return starts
}
