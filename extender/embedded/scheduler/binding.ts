import { reasonOf } from '../../errors.ts'
import type { Client } from '../store/client.ts'
import { StatusError } from '../store/objects.ts'
import type { Extender } from './extender.ts'
import type { Log } from './log.ts'
import { type PodView, referenceOf } from './views.ts'
import { ExtenderError } from './wire.ts'

export type BinderParts = { readonly client: Client; readonly extenders: readonly Extender[]; readonly log: Log }

/** Binds by the extender that binds, if one is interested; else itself, as upstream's DefaultBinder. */
export class Binder {
  readonly #parts: BinderParts

  constructor(parts: BinderParts) {
    this.#parts = parts
  }

  /** What went wrong; undefined where the pod is bound. */
  async bind(view: PodView, node: string): Promise<string | undefined> {
    for (const extender of this.#parts.extenders) {
      if (extender.config.bindVerb === '' || !extender.isInterestedIn(view)) continue
      const error = await this.#bindBy(extender, view, node)
      if (error === undefined || !extender.config.ignorable) return error
      this.#parts.log.warn({ extender: extender.config.urlPrefix }, `ignored in bind: ${error}`)
    }
    return this.#bindItself(view, node)
  }

  async #bindBy(extender: Extender, view: PodView, node: string): Promise<string | undefined> {
    try {
      await extender.bind(view, node)
      return undefined
    } catch (error) {
      if (error instanceof ExtenderError) return error.message
      throw error
    }
  }

  #bindItself({ pod }: PodView, node: string): string | undefined {
    try {
      this.#parts.client.bind(referenceOf(pod), { node, uid: pod.uid })
      return undefined
    } catch (error) {
      if (error instanceof StatusError) return `running Bind plugin "DefaultBinder": ${reasonOf(error)}`
      throw error
    }
  }
}
