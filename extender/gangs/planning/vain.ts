import type { Explanation } from '../../../policies/plan.ts'
import type { Rank } from '../../../policies/ranks.ts'
import { nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Gang } from '../membership/gang.ts'

/** Room for at least `need` of these pods, in their order. */
export type Question = { readonly pods: readonly Pod[]; readonly need: number }

type Entry = {
  readonly namespace: string
  readonly rank: Rank
  readonly explanation: Explanation
  readonly blocked: number
}

/**
 * Questions that had no answer. While room only shrinks, whoever asks for the same and ranks no higher is not planned
 * again but told the same: thousands that wait cost a look-up each.
 */
export class Vain {
  readonly #isEven: () => boolean
  #room = -1
  readonly #entries = new Map<string, Entry>()

  /** `isEven`: no pod ranks among its own other than among others; else no namespace answers for another one. */
  constructor(isEven: () => boolean) {
    this.#isEven = isEven
  }

  /** What an equal question was answered; undefined where there was none. `room` grows whenever room may have grown. */
  find(gang: Gang, { pods, need }: Question, room: number): Explanation | undefined {
    this.#renew(room)
    const entry = this.#entries.get(this.#keyOf(gang, { pods, need }))
    if (!entry || !isWithin(gang.rank, entry.rank)) return undefined
    if (entry.explanation.isPrivate && entry.namespace !== gang.namespace) return undefined
    return renamed(entry, pods[entry.blocked])
  }

  add(gang: Gang, { pods, need }: Question, { room, explanation }: { room: number; explanation: Explanation }): void {
    this.#renew(room)
    const blocked = pods.findIndex(pod => nameOf(pod) === explanation.blocked.pod)
    this.#entries.set(this.#keyOf(gang, { pods, need }), {
      namespace: gang.namespace,
      rank: gang.rank,
      explanation,
      blocked
    })
  }

  #keyOf(gang: Gang, question: Question): string {
    const key = keyOf(gang, question)
    return this.#isEven() ? key : `${gang.namespace}\n${key}`
  }

  #renew(room: number): void {
    if (room === this.#room) return
    this.#room = room
    this.#entries.clear()
  }
}

/** Shapes in their order, each with how often it follows itself. */
function keyOf({ profile, preempts }: Gang, { pods, need }: Question): string {
  const runs: string[] = [profile.name, String(preempts), String(need)]
  for (let at = 0; at < pods.length; ) {
    const key = pods[at]?.shape.key
    let next = at + 1
    while (pods[next]?.shape.key === key) next += 1
    runs.push(`${next - at}×${key}`)
    at = next
  }
  return runs.join('\n')
}

/** Whether `a` may take no room that `b` may not; of two namespaces only where all ranks are one order. */
function isWithin(a: Rank, b: Rank): boolean {
  return a.own <= b.own && a.cross <= b.cross
}

/** The same words about the pod that now stands where the other one did. */
function renamed({ explanation }: Entry, pod: Pod | undefined): Explanation {
  const { blocked, message } = explanation
  if (!pod || blocked.pod === '') return explanation
  const named = nameOf(pod)
  return {
    ...explanation,
    blocked: { ...blocked, pod: named },
    message: message.replace(`member ${blocked.pod} `, () => `member ${named} `)
  }
}
