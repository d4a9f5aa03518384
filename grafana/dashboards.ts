import type { Dashboard } from './dashboard.ts'
import { gangsAndHolds } from './dashboards/gangs.ts'
import { latency } from './dashboards/latency.ts'
import { overview } from './dashboards/overview.ts'
import { preemption } from './dashboards/preemption.ts'
import { sandboxes } from './dashboards/sandboxes.ts'

/** Over muster itself; a new one is a file beside these and a line here. */
export const dashboards: readonly Dashboard[] = [overview, latency, gangsAndHolds, preemption]

/** Over the services of the sandboxes. */
export const sandboxDashboards: readonly Dashboard[] = [sandboxes]
