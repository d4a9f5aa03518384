import { createHash } from 'node:crypto'

const kept = 400

/** Everything that happened, as lines: their hash tells one run from another, the last of them what led to a failure. */
export class Journal {
  readonly #hash = createHash('sha256')
  readonly #lines: string[] = []
  readonly #now: () => number
  /** Kept whole, for whoever looks at one seed. */
  readonly #whole: boolean
  /** So many of the lines are in the hash. */
  #hashed = 0
  /** What must occur sometimes, and how often it did. */
  readonly sometimes = new Map<Sometimes, number>()

  constructor(now: () => number, whole = false) {
    this.#now = now
    this.#whole = whole
  }

  say(line: string): void {
    const text = `${(this.#now() / 1000).toFixed(3)} ${line}`
    this.#lines.push(text)
    if (this.#lines.length - this.#hashed < kept) return
    this.#digestLines()
    if (this.#whole) return
    this.#hashed -= this.#lines.splice(0, this.#lines.length - kept).length
  }

  /** It occurred once more. */
  sees(what: Sometimes): void {
    this.sometimes.set(what, (this.sometimes.get(what) ?? 0) + 1)
  }

  lines(): readonly string[] {
    return this.#whole ? this.#lines : this.#lines.slice(-kept)
  }

  #digestLines(): void {
    this.#hash.update(this.#lines.slice(this.#hashed).join('\n'))
    this.#hashed = this.#lines.length
  }

  digest(): string {
    this.#digestLines()
    return this.#hash.copy().digest('hex').slice(0, 16)
  }
}

/** A simulation in which one of these never occurs shows less than it seems to. */
export const sometimes = [
  ...(['gang bound whole', 'partial gang repaired', 'plan withdrawn at the barrier', 'barrier timed out'] as const),
  ...([
    'leader overlap',
    'wall clock of a leader jumped',
    'lease taken from one that had it',
    'graceful handover',
    'crash between two writes',
    'crash at a write',
    'crash with members at the barrier',
    'muster stopped past a deadline',
    'API server lost while a member is bound'
  ] as const),
  ...(['crash of a begun gang taken over', 'scheduler restarted with gated nominees'] as const),
  ...(['410 on a watch', '410 during a barrier', 'watch frozen', 'stale list refused'] as const),
  ...([
    'bind reply lost',
    'bind carried out after its caller had given up',
    'bind answered 409',
    'bind sent twice',
    'binding gone wrong on purpose'
  ] as const),
  ...(['answered 429 with Retry-After', 'kube-scheduler hung up', 'answer to kube-scheduler lost'] as const),
  ...(['PDB refusal', 'victim evicted', 'gang evicted whole', 'eviction of a gone pod'] as const),
  ...([
    'member pinned',
    'pod recreated under its name',
    'node lost under a gang',
    'room taken by a foreign pod'
  ] as const)
] as const
export type Sometimes = (typeof sometimes)[number]
