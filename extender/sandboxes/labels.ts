const domain = 'sandbox.muster.dev'

/** Labels of the Services and pods of sandboxes. Nobody else may set any of this domain: a Service's selector goes by them. */
export const labels = {
  /** `true` on everything of ours: what the scheduler follows. */
  managed: `${domain}/managed`,
  id: `${domain}/id`,
  project: `${domain}/project`,
  /** Differs between sandboxes that have one id after the other, so that a Service never selects its predecessor's pod. */
  generation: `${domain}/generation`,
  /** On a pod that was made ahead of need: `warm` or `placeholder`. No sandbox has it as long as it has no `id`. */
  pool: `${domain}/pool`,
  /** The template that such a pod was made from. */
  template: `${domain}/template`
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
  /** On the Service and on the pod: the way that the sandbox got its pod, as JSON. */
  launch: `${domain}/launch`,
  /** On a pod that was made ahead of need: from what exactly. */
  make: `${domain}/make`,
  /** Whoever writes it first decides how the sandbox ended. */
  terminatedReason: `${domain}/terminated-reason`,
  /** How it ended, as JSON. */
  terminated: `${domain}/terminated`
} as const

/**
 * On a template: the path where its sandboxes take `{"env": {…}}` once, as a POST, so that a running one can be given to a
 * project. Without it, requests that bring env are not given warm pods.
 */
export const configPath = 'muster.dev/config-path'

/** Keeps a sandbox's Service until its end is known to the Events Service. */
export const finalizer = `${domain}/terminated`

/** Whether a label or annotation is one of those that only muster may write. */
export const isReserved = (key: string): boolean => key.startsWith(`${domain}/`) || key.startsWith('sandbox.')
