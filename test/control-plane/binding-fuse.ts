import { type ApiCall, type Interceptor, isBinding } from './api-proxy.ts'

/** Blows after a number of Bindings. */
export interface BindingFuse extends Interceptor {
  /** When exactly `count` Bindings have been done and answered. */
  readonly blown: Promise<void>
  /** Lets those go that are held since then, if who sent them still waits. */
  release(): void
}

/**
 * Lets exactly `count` Bindings be done and answered and holds all later ones; `cut` is called at that very moment.
 *
 * With `loseLast` the reply of the last of them is lost: the API server has bound the pod and muster never hears it.
 */
export function bindingFuse(count: number, cut: () => void, loseLast = false): BindingFuse {
  const { promise: blown, resolve: blow } = Promise.withResolvers<void>()
  const held: (() => void)[] = []
  let room = count
  let bound = 0
  let finished = 0
  const finish = () => {
    if (++finished !== count) return
    cut()
    blow()
  }
  return {
    blown,
    release() {
      room = Number.POSITIVE_INFINITY
      for (const go of held.splice(0)) go()
    },
    before(call) {
      if (!isBinding(call) || room-- > 0) return
      return new Promise<void>(resolve => {
        held.push(resolve)
      })
    },
    loses(call) {
      if (!isBinding(call) || !succeeded(call) || ++bound !== count || !loseLast) return false
      finish()
      return true
    },
    replied(call) {
      if (!isBinding(call)) return
      // A Binding that failed has used up none of the count: the next one takes its place.
      if (succeeded(call)) finish()
      else held.shift()?.()
    }
  }
}

const succeeded = (call: ApiCall): boolean => (call.status ?? 500) < 300
