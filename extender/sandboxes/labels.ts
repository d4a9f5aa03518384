const domain = 'sandbox.muster.dev'

/** Labels of the Services and pods of sandboxes. Nobody else may set any of this domain: a Service's selector goes by them. */
export const labels = {
  /** `true` on everything of ours: what the scheduler follows. */
  managed: `${domain}/managed`,
  id: `${domain}/id`,
  project: `${domain}/project`,
  /** Differs between sandboxes that have one id after the other, so that a Service never selects its predecessor's pod. */
  generation: `${domain}/generation`
} as const

/** Annotations of a sandbox's Service: the record of the sandbox. */
export const annotations = {
  fingerprint: `${domain}/fingerprint`,
  keyHash: `${domain}/key-hash`,
  createdAt: `${domain}/created-at`,
  /** The rest of what was asked for, as JSON. */
  request: `${domain}/request`,
  expiresAt: `${domain}/expires-at`,
  usedAt: `${domain}/used-at`,
  retainCount: `${domain}/retain-count`,
  /** Name and uid of its pod, as JSON. */
  pod: `${domain}/pod`,
  /** Whoever writes it first decides how the sandbox ended. */
  terminatedReason: `${domain}/terminated-reason`,
  /** How it ended, as JSON. */
  terminated: `${domain}/terminated`
} as const

/** Keeps a sandbox's Service until its end is known to the Events Service. */
export const finalizer = `${domain}/terminated`

/** Whether a label or annotation is one of those that only muster may write. */
export const isReserved = (key: string): boolean => key.startsWith(`${domain}/`) || key.startsWith('sandbox.')
