import type { Clock } from '../clock.ts'
import type { Log } from './log.ts'

/** The same failure is told again so often. */
const repeatMs = 60_000

type Told = { reason: string; at: number; failing: boolean }

/**
 * Says once what goes wrong, again when the reason changes or a minute has passed, and once that it is over.
 * Reflectors of one server share it, so that a dead server is one line and not one per resource.
 */
export class Complaints {
  readonly #clock: Clock
  readonly #log: Log
  readonly #told = new Map<string, Told>()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** `subject` names what fails, `message` the whole line. Both come from small sets. */
  tell(subject: string, reason: string, message: string): void {
    const now = this.#clock.now()
    const told = this.#told.get(subject)
    if (told && told.reason === reason && now - told.at < repeatMs) {
      told.failing = true
      return
    }
    this.#told.set(subject, { reason, at: now, failing: true })
    this.#log.warn({ subject }, message)
  }

  /** It works again. */
  over(subject: string): void {
    const told = this.#told.get(subject)
    if (!told?.failing) return
    told.failing = false
    this.#log.info({ subject }, `${subject} works again`)
  }
}
