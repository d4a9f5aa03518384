import type { DeleteOptions } from '../store/client.ts'
import type { Reference } from '../store/objects.ts'
import type { Store } from '../store/store.ts'
import type { Deletion } from './deletion.ts'
import { builtIn } from './built-in.ts'
import type { Writer } from './writer.ts'

type Parts = { readonly store: Store; readonly writer: Writer; readonly deletion: Deletion }

/** `pods/eviction`. */
export function evict(
  { deletion }: Parts,
  reference: Reference,
  options: DeleteOptions & { readonly dryRun?: boolean }
): void {
  const pods = builtIn.find(({ id }) => id === 'pods')
  if (pods !== undefined) deletion.delete(pods, reference, options)
}
