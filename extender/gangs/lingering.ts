import { refusals } from '../../policies/names.ts'
import { shownNode } from '../../policies/pin.ts'
import type { Pod } from '../../policies/types.ts'
import type { Clock } from '../clock.ts'

/** A nominee that is not sent to be bound for so long, while its condition says that no node takes it, is refused. */
const lingerMs = 5_000

/** A member that is nominated for that node, or pinned to it. */
export type Nominee = { readonly pod: Pod; readonly node: string }

type Entry = { readonly node: string; readonly since: number }

/** For how long nominees have not been sent to be bound. */
export class Lingering {
  readonly #parts: { readonly clock: Clock; readonly revisit: (gang: string) => void }
  /** Gang → member's uid → since when it is nominated for that node, in monotonic milliseconds. */
  readonly #entries = new Map<string, ReadonlyMap<string, Entry>>()

  constructor(parts: { readonly clock: Clock; readonly revisit: (gang: string) => void }) {
    this.#parts = parts
  }

  /** Which of all those of the gang that wait now have waited too long; the gang is revisited when the next one has. */
  due(gang: string, nominees: readonly Nominee[]): readonly Nominee[] {
    const { clock, revisit } = this.#parts
    const before = this.#entries.get(gang)
    const now = new Map<string, Entry>()
    const due = nominees.filter(({ pod, node }) => {
      const known = before?.get(pod.uid)
      const entry = known?.node === node ? known : { node, since: clock.now() }
      now.set(pod.uid, entry)
      const left = entry.since + lingerMs - clock.now()
      if (left > 0) clock.after(left + 1, () => revisit(gang))
      return left <= 0
    })
    if (now.size > 0) this.#entries.set(gang, now)
    else this.#entries.delete(gang)
    return due
  }

  forget(gang: string): void {
    this.#entries.delete(gang)
  }
}

/** Nominated for that node or pinned to it, and let go, and kube-scheduler's last word was that no node takes it. */
export function isRefusedNominee(pod: Pod, node: string): boolean {
  const { gates, scheduled } = pod
  const isRefused = scheduled?.reason === 'Unschedulable' && !scheduled.message.includes(refusals.waiting)
  return gates.length === 0 && shownNode(pod) === node && isRefused
}
