import type { ApiRequest } from '../../extender/kubernetes/api-server.ts'

/** Where around one write of its own a process may end. */
export const crashPoints = ['before it is sent', 'once it is carried out', 'once it is answered'] as const
export type CrashPoint = (typeof crashPoints)[number]

type Trap = {
  readonly isFor: (request: ApiRequest) => boolean
  readonly spring: (request: ApiRequest) => CrashPoint | undefined
}

/** Accidents that wait for a write of muster's: in such a moment chance alone hardly ever has one. */
export class Traps {
  readonly #set: Trap[] = []
  /** Writes that were about to be sent, but for events. */
  writes = 0

  /** At the next binding. */
  atBinding(spring: () => undefined): void {
    this.#set.push({ isFor: ({ path }) => path.endsWith('/binding'), spring })
  }

  /** At the next write but `skip`: muster ends there. */
  crash(point: CrashPoint, skip = 0): void {
    let left = skip
    this.#set.push({ isFor: request => !isEvent(request) && left-- <= 0, spring: () => point })
  }

  /** A write is about to be sent; answers where around it the process ends. */
  meets(request: ApiRequest): CrashPoint | undefined {
    if (!isEvent(request)) this.writes += 1
    const index = this.#set.findIndex(({ isFor }) => isFor(request))
    const [trap] = index < 0 ? [] : this.#set.splice(index, 1)
    return trap?.spring(request)
  }

  clear(): void {
    this.#set.length = 0
  }
}

const isEvent = ({ path }: ApiRequest): boolean => path.endsWith('/events')
