import { reasonOf } from '../../errors.ts'
import type { Clock } from '../../clock.ts'
import type { Sandbox } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { Log } from './log.ts'
import type { Scheduler } from './scheduler.ts'

/** Sandboxes are said to be used no more often than that; those with short idle times a bit more often. */
const usualMs = 5_000
const patienceMs = 5_000

type Entry = { again: boolean; readonly cancel: () => void }

/** Tells the scheduler which sandboxes are used: at once, and after the pause once more if they still were. */
export class Activity {
  readonly #scheduler: Scheduler
  readonly #clock: Clock
  readonly #log: Log
  readonly #told = new Map<string, Entry>()

  constructor(scheduler: Scheduler, clock: Clock, log: Log) {
    this.#scheduler = scheduler
    this.#clock = clock
    this.#log = log
  }

  /** Traffic went to or came from it. */
  used(sandbox: Sandbox): void {
    const { uid, idleTimeout } = sandbox
    if (idleTimeout === undefined) return
    const told = this.#told.get(uid)
    if (told) {
      told.again = true
      return
    }
    const idleMs = Number(idleTimeout.seconds) * 1000 + idleTimeout.nanos / 1e6
    const cancel = this.#clock.after(Math.min(usualMs, idleMs / 3), () => this.#over(sandbox))
    this.#told.set(uid, { again: false, cancel })
    this.#tell(sandbox)
  }

  stop(): void {
    for (const { cancel } of this.#told.values()) cancel()
    this.#told.clear()
  }

  #over(sandbox: Sandbox): void {
    const { again = false } = this.#told.get(sandbox.uid) ?? {}
    this.#told.delete(sandbox.uid)
    if (again) this.used(sandbox)
  }

  #tell({ id, uid, tenant, projectId: project }: Sandbox): void {
    this.#scheduler.touchSandbox({ id, uid, tenant }, { timeoutMs: patienceMs }).catch((error: unknown) => {
      this.#log.warn({ sandbox: id, project, why: reasonOf(error) }, 'could not tell that a sandbox is used')
    })
  }
}
