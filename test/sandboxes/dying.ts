import type { Answer, ClusterKind, Kind, Kubernetes } from '../../extender/sandboxes/scheduler/ports.ts'
import type { Wrap } from './rig.ts'

/** A call to the API server, such as `create pods`. */
export type Step = `${'create' | 'get' | 'patch' | 'remove'} ${Kind}` | `create ${ClusterKind}`

/** Where a service is killed: before a call is made, or after it was made and before its answer is heard. */
export type Death = { readonly when: 'before' | 'after'; readonly step: Step; readonly nth?: number }

/** A service that stops dead at a step: from then on none of its calls is made, and none is answered. */
export function dying({ when, step, nth = 1 }: Death): { readonly wrap: Wrap; readonly died: Promise<void> } {
  const died = Promise.withResolvers<void>()
  const state = { dead: false, calls: 0 }
  const never = new Promise<Answer>(() => {})
  const die = (): Promise<Answer> => {
    state.dead = true
    died.resolve()
    return never
  }
  const through = async (each: Step, call: () => Promise<Answer>): Promise<Answer> => {
    if (state.dead) return never
    const isHere = each === step && ++state.calls === nth
    if (isHere && when === 'before') return die()
    const answer = await call()
    return isHere || state.dead ? die() : answer
  }
  const wrap: Wrap = kubernetes => ({
    ...around(kubernetes, through),
    follow: (...args) => kubernetes.follow(...args),
    note: note => kubernetes.note(note)
  })
  return { wrap, died: died.promise }
}

type Through = (step: Step, call: () => Promise<Answer>) => Promise<Answer>

/** Every call of an API server, through something. */
export function around(kubernetes: Kubernetes, through: Through): Omit<Kubernetes, 'follow' | 'note'> {
  return {
    create: (kind, object) => through(`create ${kind}`, () => kubernetes.create(kind, object)),
    get: (kind, name) => through(`get ${kind}`, () => kubernetes.get(kind, name)),
    patch: (kind, name, patch) => through(`patch ${kind}`, () => kubernetes.patch(kind, name, patch)),
    remove: (kind, ...which) => through(`remove ${kind}`, () => kubernetes.remove(kind, ...which))
  }
}

/** A service whose calls fail, or are answered otherwise, for as long as `answer` says so. */
export function faulty(answer: (step: Step) => Answer | Error | undefined): Wrap {
  return kubernetes => ({
    ...around(kubernetes, async (step, call) => {
      const instead = answer(step)
      if (instead instanceof Error) throw instead
      return instead ?? call()
    }),
    follow: (...args) => kubernetes.follow(...args),
    note: note => kubernetes.note(note)
  })
}
