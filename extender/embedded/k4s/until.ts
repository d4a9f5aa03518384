import type { Clock } from '../../clock.ts'
import type { EmbeddedApi } from '../api/types.ts'

/** Resolves when a condition on what an API holds is true; looks at each change, once for many at a time. */
export function untilTrue(
  { client, clock }: { readonly client: EmbeddedApi; readonly clock: Clock },
  condition: () => boolean,
  timeoutMs: number
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stops: (() => void)[] = []
    let state: 'resting' | 'due' | 'over' = 'resting'
    const end = (settle: () => void): void => {
      state = 'over'
      for (const stop of stops.splice(0)) stop()
      settle()
    }
    const look = (): void => {
      if (state === 'over') return
      state = 'resting'
      try {
        if (condition()) end(resolve)
      } catch (error) {
        end(() => reject(error))
      }
    }
    const soon = (): void => {
      if (state !== 'resting') return
      state = 'due'
      queueMicrotask(look)
    }
    stops.push(clock.after(timeoutMs, () => end(() => reject(new Error(`not so within ${timeoutMs} ms`)))))
    for (const { id, stored } of client.resources) if (id === stored) stops.push(client.watch(id, soon))
    soon()
  })
}
