import type { Ground } from './ground.ts'
import type { Note } from './note.ts'

/** One thing to look at; what it throws is told as a finding. */
export type Check = { readonly name: string; readonly look: (ground: Ground) => Promise<readonly Note[]> }
