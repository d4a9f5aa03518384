/** Order by code units: the same everywhere, unlike a locale's. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What an object is called in sentences and logs. */
export type Named = { readonly namespace: string; readonly name: string }

/** `NAMESPACE/NAME`. */
export const nameOf = ({ namespace, name }: Named): string => `${namespace}/${name}`

/** Of so many a sentence names some. */
const named = 5

/** The first names, and how many more there are. */
export function someOf(objects: readonly Named[]): string {
  const more = objects.length > named ? ` and ${objects.length - named} more` : ''
  return `${objects.slice(0, named).map(nameOf).join(', ')}${more}`
}

/** The same, said to people of `namespace`: who is of another one is only counted. */
export function someFor(namespace: string, objects: readonly Named[]): string {
  const own = objects.filter(object => object.namespace === namespace)
  const others = objects.length - own.length
  const counted = others === 0 ? [] : [`${others} of other namespaces`]
  return [...(own.length === 0 ? [] : [someOf(own)]), ...counted].join(' and ')
}

/** `WHAT NAMESPACE/NAME`, said to people of `namespace`. */
export const nameFor = (namespace: string, what: string, object: Named): string =>
  object.namespace === namespace ? `${what} ${nameOf(object)}` : `a ${what} of another namespace`
