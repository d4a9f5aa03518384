/** Where an object of a namespace is. */
export type Place = { readonly namespace: string; readonly name: string }

/** NAMESPACE/NAME; undefined for anything else. */
export function placeIn(said: string | undefined): Place | undefined {
  const [, namespace, name] = /^([a-z0-9][-a-z0-9]{0,62})\/([a-z0-9][-.a-z0-9]{0,252})$/.exec(said ?? '') ?? []
  return namespace !== undefined && name !== undefined ? { namespace, name } : undefined
}
