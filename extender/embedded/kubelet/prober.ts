import type { Clock } from '../../clock.ts'
import type { Probe } from '../kinds.ts'

export type ProberOptions = {
  readonly clock: Clock
  readonly probe: Probe
  /** Resolves when the container answers. */
  readonly ping: () => Promise<void>
  /** Told when enough answers, or enough failures, came in a row. */
  readonly changed: (healthy: boolean) => void
}

/** Asks a container again and again whether it is there; stands for whatever handler the probe names. */
export class Prober {
  readonly #options: ProberOptions
  #cancel: () => void
  #failures = 0
  #successes = 0
  #stopped = false

  constructor(options: ProberOptions) {
    this.#options = options
    const { initialDelaySeconds = 0 } = options.probe
    this.#cancel = options.clock.after(initialDelaySeconds * 1000, () => this.#ask())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }

  #ask(): void {
    const { clock, ping, probe } = this.#options
    let open = true
    const settle = (healthy: boolean): void => {
      if (!open || this.#stopped) return
      open = false
      this.#cancel()
      this.#count(healthy)
      this.#cancel = clock.after((probe.periodSeconds ?? 10) * 1000, () => this.#ask())
    }
    this.#cancel = clock.after((probe.timeoutSeconds ?? 1) * 1000, () => settle(false))
    ping().then(
      () => settle(true),
      () => settle(false)
    )
  }

  #count(healthy: boolean): void {
    const { probe, changed } = this.#options
    this.#failures = healthy ? 0 : this.#failures + 1
    this.#successes = healthy ? this.#successes + 1 : 0
    if (this.#failures === (probe.failureThreshold ?? 3)) changed(false)
    if (this.#successes === (probe.successThreshold ?? 1)) changed(true)
  }
}
