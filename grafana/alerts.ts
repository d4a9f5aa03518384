import { burnRates } from './burn-rates.ts'
import { causes } from './causes.ts'
import type { Group } from './rules.ts'

/** Every rule that Prometheus is given. */
export const groups: readonly Group[] = [...burnRates, causes]
