import { burnRates } from './burn-rates.ts'
import { causes } from './causes.ts'
import type { Group } from './rules.ts'
import { sandboxCauses } from './sandbox-causes.ts'

/** Every rule that Prometheus is given about muster. */
export const groups: readonly Group[] = [...burnRates, causes]

/** The same for the services of the sandboxes. */
export const sandboxGroups: readonly Group[] = [sandboxCauses]
