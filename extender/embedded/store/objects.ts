/** What everything in the embedded cluster passes around: API objects as plain JSON, frozen once stored. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export type ObjectMeta = {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly generateName?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
}

export type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** Where an object lives: `resource` is the plural, with its group where it has one: `pods`, `deployments.apps`. */
export type Reference = { readonly resource: string; readonly namespace?: string; readonly name: string }

/** An answer of the API that is not success: an HTTP status with a `metav1.Status` body. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: number
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, … as upstream. */
  readonly reason: string
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(status: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message)
    this.status = status
    this.reason = reason
    this.details = details
  }
}
