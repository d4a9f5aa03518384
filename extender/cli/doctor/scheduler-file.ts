import { parseAllDocuments } from 'yaml'
import { type Json, object, objects, text } from '../../json.ts'

/** A text that is, or is meant to be, kube-scheduler's configuration. */
export type SchedulerFile = {
  /** Its file, or the object that holds it. */
  readonly where: string
  readonly text: string
  /** What it says; empty where it is no YAML. */
  readonly root: Json
}

const kind = 'KubeSchedulerConfiguration'

/** The one of these texts that it is; a text says why there is none. */
export function schedulerOf(where: string, texts: readonly string[]): SchedulerFile | string {
  const found = texts.find(each => each.includes(kind)) ?? (texts.length === 1 ? texts[0] : undefined)
  return found === undefined ? `${where} holds no ${kind}` : { where, text: found, root: rootOf(found) }
}

/** Anchors that multiply are `lint`'s to refuse; here they read as nothing. */
function rootOf(content: string): Json {
  try {
    const documents = parseAllDocuments(content, { logLevel: 'silent' })
    const all = [...documents].map(document => object(document.toJS({ maxAliasCount: 100 })))
    return all.find(each => each.kind === kind) ?? {}
  } catch {
    return {}
  }
}

/** Each extender's URL and whom it is trusted by; those that are no URL are left out. */
export function extendersOf({ root }: SchedulerFile): readonly { readonly url: URL; readonly tls: Json }[] {
  return objects(root.extenders).flatMap(entry => {
    const url = URL.parse(text(entry.urlPrefix) ?? '')
    return url ? [{ url, tls: object(entry.tlsConfig) }] : []
  })
}
