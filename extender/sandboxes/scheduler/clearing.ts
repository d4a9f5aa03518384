import { finalizer } from '../labels.ts'
import { sandboxOf } from './answer.ts'
import { type Claim, podNameOf } from './claim.ts'
import type { Claims } from './claims.ts'
import { done } from './errors.ts'
import type { Keys } from './keys.ts'
import type { Outbox } from './outbox.ts'
import type { Settings } from './ports.ts'
import type { Record } from './record.ts'

export type ClearingParts = {
  readonly record: Record
  readonly claims: Claims
  readonly keys: Keys
  /** Without one nobody is told. */
  readonly outbox: Outbox | undefined
  readonly settings: Settings
}

/** Clears up after a sandbox that has ended: its pod, the news, its Service. Each step may be done twice. */
export class Clearing {
  readonly #parts: ClearingParts

  constructor(parts: ClearingParts) {
    this.#parts = parts
  }

  /** True once nothing is left of it. */
  async finish(claim: Claim): Promise<boolean> {
    const { keys, claims, record, settings } = this.#parts
    const sandbox = sandboxOf(claim, claims.podOf(claim), settings)
    await this.removePod({ name: claim.pod?.name ?? podNameOf(claim), uid: claim.pod?.uid })
    for (const pod of claims.podsOf(claim)) if (pod.uid !== claim.pod?.uid) await this.removePod(pod)
    // Before the Service goes: else a key would be answered by nobody.
    await keys.remember(sandbox)
    if (!(await this.#tell(claim, sandbox))) return false
    await record.discard(claim)
    return true
  }

  async removePod({ name, uid }: { readonly name: string; readonly uid: string | undefined }): Promise<void> {
    done(await this.#parts.record.ask(kubernetes => kubernetes.remove('pods', name, uid)), `to delete pod ${name}`)
  }

  async #tell(claim: Claim, sandbox: Parameters<Outbox['deliver']>[1]): Promise<boolean> {
    const { outbox } = this.#parts
    if (outbox === undefined || !claim.finalizers.includes(finalizer)) return true
    return outbox.deliver(claim, sandbox)
  }
}
