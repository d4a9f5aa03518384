import type { KubeObject } from '../store/objects.ts'
import { fields, list } from './fields.ts'
import { withMetadata } from './metadata.ts'
import type { Strategy } from './strategies.ts'

const usualSpec = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  schedulerName: 'default-scheduler',
  enableServiceLinks: true,
  preemptionPolicy: 'PreemptLowerPriority',
  priority: 0
}

export const podStrategy: Partial<Strategy> = {
  create: object => {
    const spec = { ...usualSpec, ...fields(object['spec']) }
    const gated = list(spec['schedulingGates' as keyof typeof spec]).length > 0
    const conditions = gated
      ? {
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'SchedulingGated',
              message: 'Scheduling is blocked due to non-empty scheduling gates',
              lastProbeTime: null,
              lastTransitionTime: null
            }
          ]
        }
      : {}
    return {
      ...withMetadata(object, { generation: 1 }),
      spec,
      status: { phase: 'Pending', qosClass: 'BestEffort', ...conditions }
    } as KubeObject
  }
}
