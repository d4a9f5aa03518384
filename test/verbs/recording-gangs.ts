import { Projector } from '../../extender/kubernetes/projections.ts'
import type { BindAsk, Gangs, Placement, VerbParts } from '../../extender/verbs/ports.ts'
import { Underway } from '../../extender/verbs/underway.ts'
import type { Pod } from '../../policies/types.ts'

/** What the verbs asked, and what they shall hear. */
export class RecordingGangs implements Gangs {
  next: Placement = { kind: 'ordinary', bars: undefined }
  allowed: (node: string) => boolean = () => true
  onBind: (ask: BindAsk) => Promise<string> = async () => ''
  readonly asked: Pod[] = []
  readonly refused: { readonly pod: string; readonly node: string; readonly offered: readonly string[] }[] = []
  readonly candidates: ReadonlyMap<string, readonly string[]>[] = []
  readonly binds: BindAsk[] = []

  placement(pod: Pod): Placement {
    this.asked.push(pod)
    return this.next
  }

  offered(): void {}

  refusedInTree(pod: Pod, node: string, offered: readonly string[]): void {
    this.refused.push({ pod: pod.name, node, offered })
  }

  allowedPreemptions(pod: Pod, candidates: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
    this.asked.push(pod)
    this.candidates.push(candidates)
    // One more than was asked for: nobody may pass it on.
    return new Set([...candidates.keys(), 'never-a-candidate'].filter(node => this.allowed(node)))
  }

  bind(ask: BindAsk): Promise<string> {
    this.binds.push(ask)
    return this.onBind(ask)
  }
}

export type Recorded = VerbParts & {
  readonly gangs: RecordingGangs
  isReady: boolean
  minor: number
  /** What the look that a refused call begins finds out. */
  onHurry: () => void
}

/** The verbs' parts over a recording port: ready, in front of a 1.36 API server. */
export function recorded(): Recorded {
  const parts: Recorded = {
    gangs: new RecordingGangs(),
    isReady: true,
    minor: 36,
    refusal: () => (parts.isReady ? undefined : 'muster has not seen the whole cluster yet'),
    onHurry: () => {},
    hurry: async () => parts.onHurry(),
    project: new Projector().pod,
    absentIsUnresolvable: () => parts.minor >= 36,
    underway: new Underway()
  }
  return parts
}
